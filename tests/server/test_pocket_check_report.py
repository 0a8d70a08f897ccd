"""Facts about the committed report: it follows from its cases, and its cases from the shipped weights."""

import json
from pathlib import Path

import pytest
from maquette_server.pocket.checking import judges, painted, parts, report, run
from maquette_server.pocket.checking.edits import NAME as EDITS
from maquette_server.pocket.checking.kit import Kit
from maquette_server.pocket.refusals import Refused

FOLDER = Path(__file__).parents[2] / "docs" / "pocket"
WRITTEN = FOLDER / "check.json"


@pytest.fixture(scope="module")
def written():
    return json.loads(WRITTEN.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def kit():
    return Kit(run.WEIGHTS / "pocket-t2i", run.WEIGHTS / "pocket-edit", run.WEIGHTS / "judge")


def test_the_page_is_the_file_of_cases_in_words(written):
    assert (FOLDER / "check.md").read_text(encoding="utf-8") == report.markdown(written)


def test_the_figures_follow_from_the_cases(written):
    made = [*parts.figures(written["parts"]), *parts.own_figures(written["parts"])]
    assert {figure.name: figure.value for figure in made} == pytest.approx(
        {row["name"]: row["value"] for row in written["figures"]}
    )


def test_the_report_is_of_the_shipped_weights(written, kit):
    assert written["weights"] == run.digests(kit)


@pytest.mark.parametrize("part", [painted.COLOURS, painted.MATERIALS, painted.PATTERNS, EDITS, judges.NAME])
def test_a_few_cases_measured_anew_are_as_reported(written, kit, part):
    cases = parts.keys(part, kit)
    now = parts.measure(part, kit, run.sample(cases, -(-len(cases) // 2)))
    before = written["parts"][part]
    assert len(now) >= 2
    # A verdict at the edge of two may fall the other way on another processor.
    verdicts = [
        (a, b) for key in now for a, b in zip(before[key], now[key], strict=True) if isinstance(a, str)
    ]
    assert sum(a != b for a, b in verdicts) <= len(verdicts) // 20  # so of less than 20 none
    numbers = [
        (a, b) for key in now for a, b in zip(before[key], now[key], strict=True) if not isinstance(a, str)
    ]
    assert [b for _, b in numbers] == pytest.approx([a for a, _ in numbers], rel=0.02, abs=1e-5)


def test_a_sample_of_the_cases_holds_all_sorts_of_them(kit):
    drawn = run.sample(parts.keys(painted.COLOURS, kit), 8)
    assert len(drawn) == 12
    assert len({case.split()[-1] for case in drawn}) >= 4
    assert len({case.split()[1] for case in drawn}) >= 4
    assert drawn == run.sample(parts.keys(painted.COLOURS, kit), 8)
    assert run.sample(["a", "b", "c"], 1) == ["a", "b", "c"]
    assert len(run.sample(["a", "b", "c"], 99)) == 1


def test_a_part_that_there_is_not_is_refused(kit, tmp_path):
    with pytest.raises(Refused, match="There is no part 'shapes'"):
        next(run.check(kit, tmp_path, ["shapes"]))
