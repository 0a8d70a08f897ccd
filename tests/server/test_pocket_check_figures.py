"""Facts about the check's arithmetic: confusion tables, decibels, grades, the written page."""

import numpy as np
import pytest
import torch
from maquette_server.pocket.checking import edits, figures, grading, judges, painted, parts, prompts, report
from maquette_server.pocket.checking.figures import Figure
from maquette_server.pocket.drawing import grades


def test_the_diagonal_of_a_confusion_table_is_what_is_right():
    table = figures.confusion("t", [("red", "red"), ("red", "pink"), ("blue", "blue"), ("red", "red")])
    assert table.rows == {"red": {"red": 2, "pink": 1}, "blue": {"blue": 1}}
    assert table.right() == (3, 4)
    assert figures.rate("r", table, 0.75).met
    assert figures.rate("r", table, 0.76).met is False


def test_a_figure_that_cannot_be_measured_meets_no_bar():
    assert Figure("m", None, 10, 0.5).met is False
    assert Figure("m", 0.1, 10).met is None


def test_decibels_lost_must_stay_below_their_bar():
    assert Figure("l", 0.99, 1, 1.0, "dB").met
    assert Figure("l", 1.01, 1, 1.0, "dB").met is False


@pytest.mark.parametrize(("error", "expected"), [(1.0, 0.0), (0.01, 20.0), (0.001, 30.0), (0.0, 100.0)])
def test_psnr_has_its_closed_form(error, expected):
    assert edits.psnr(error) == pytest.approx(expected)


def test_twice_the_error_is_three_decibels_lost():
    assert edits.lost([["red", 0.002, 0.001], ["red", 0.004, 0.002]]) == pytest.approx(10 * np.log10(2))
    assert edits.lost([["red", 0.001, 0.001]]) == 0


def test_only_pixels_of_the_mask_count_as_error():
    first = torch.zeros(3, 8, 8)
    second = first.clone()
    second[:, 0, 0] = 1
    where = np.zeros((8, 8), bool)
    where[4:] = True
    assert edits.squared_error(first, second, where) == 0
    where[:] = True
    assert edits.squared_error(first, second, where) == pytest.approx(1 / 64)


def test_neither_side_of_an_outline_counts_as_kept():
    coverage = np.zeros((16, 16), np.float32)
    coverage[4:12, 4:12] = 1
    outside, inside = edits.rest(coverage, inside=False), edits.rest(coverage, inside=True)
    assert not outside[2:14, 2:14].any()
    assert outside[:2].all()
    assert inside.sum() == 4 * 4


@pytest.mark.parametrize("grade", sorted(grades.GRADES))
def test_the_formula_s_picture_is_done_and_the_untouched_one_is_not(grade):
    rng = torch.Generator().manual_seed(0)
    before = torch.rand(1, 3, 8, 8, generator=rng).repeat_interleave(8, 2).repeat_interleave(8, 3)
    wanted = grades.graded(before, grade)
    assert grading.verdicts(before, wanted, wanted)[0][:2] == (grading.DONE, 0.0)
    assert grading.verdicts(before, before, wanted)[0][0] == grading.SHORT


def test_a_grade_that_changes_nothing_is_not_asked():
    grey = torch.full((1, 3, 64, 64), 0.5)
    assert grading.verdicts(grey, grey, grades.graded(grey, "black and white"))[0][0] == grading.IDLE


def some_cases(judged: str):
    """A report's cases of which all came out as asked, but for what the judge of materials said."""
    known = {case.key: case for case in edits.asked()}
    return {
        judges.NAME: {f"{judges.MATERIALS}/wood": ["wood"] * 19 + [judged]},
        painted.COLOURS: {each.text: [each.target] * 4 for each in prompts.colours()},
        painted.MATERIALS: {each.text: [each.target] * 4 for each in prompts.materials()},
        painted.PATTERNS: {each.text: [each.target] * 4 for each in prompts.patterns()},
        edits.NAME: {
            key: [grading.DONE, 0.0, 9.0]
            if case.instruction.kind == "grade"
            else [case.instruction.target, 0.001, 0.001, 0.001]
            for key, case in known.items()
        },
    }


def test_all_as_asked_meets_every_bar():
    made = parts.figures(some_cases("wood"))
    assert {figure.met for figure in made} == {True, None}
    assert all(figure.value in (0.0, 1.0) for figure in made)


def test_materials_are_not_measurable_by_a_judge_below_its_own_bar():
    cases = some_cases("wood")
    cases[judges.NAME] = {f"{judges.MATERIALS}/wood": ["wood"] * 18 + ["stone"] * 2}
    missed = [figure.name for figure in parts.figures(cases) if figure.met is False]
    assert missed == ["materials", "edits: material"]


def test_the_page_shows_every_figure_with_its_bar():
    cases = some_cases("stone")
    page = report.markdown(
        {"every": 1, "noise": 0, "weights": {"model/unet": "0" * 64}, "settings": {}, "parts": cases}
    )
    for figure in parts.figures(cases):
        assert f"| {figure.name} |" in page
    assert "| 98% | met |" in page
    assert "judge of materials, renders | 95.0% | 20" in page
