"""Facts about the committed report: it follows from its cases, and its cases from the shipped weights."""

import json
from pathlib import Path

import pytest
import torch
from maquette_server.pocket.checking import judges, painted, parts, prompts, report, run, sharing
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


@pytest.mark.slow
def test_workers_share_the_cases_and_find_the_same(kit):
    asked = {painted.COLOURS: parts.keys(painted.COLOURS, kit)[:9], EDITS: parts.keys(EDITS, kit)[:1]}
    alone, shared = (list(sharing.measured(kit, asked, workers)) for workers in (1, 2))
    assert [name for name, _ in alone] == [painted.COLOURS, painted.COLOURS, EDITS]
    assert shared == alone


def test_a_sample_of_the_cases_holds_all_sorts_of_them(kit):
    drawn = run.sample(parts.keys(painted.COLOURS, kit), 8)
    assert len(drawn) == 12
    assert len({case.split()[-1] for case in drawn}) >= 4
    assert len({case.split()[1] for case in drawn}) >= 4
    assert drawn == run.sample(parts.keys(painted.COLOURS, kit), 8)
    assert run.sample(["a", "b", "c"], 1) == ["a", "b", "c"]
    assert len(run.sample(["a", "b", "c"], 99)) == 1


def test_photographs_without_any_are_refused(kit, tmp_path):
    with pytest.raises(Refused, match="needs --photographs"):
        next(run.check(kit, tmp_path, ["photographs"]))
    assert not any(tmp_path.iterdir())


class Painted:
    """Keeps the seeds that it was asked for."""

    def paint(self, asked, seeds):
        self.seeds = seeds
        return torch.full((len(asked), 3, 64, 64), 0.5)


def test_other_noise_has_other_seeds(kit):
    other = Kit(kit.model, kit.editor, kit.judge_folder, noise=100)
    other.__dict__["painter"] = Painted()
    found = parts.measure(painted.COLOURS, other, parts.keys(painted.COLOURS, kit)[:1])
    assert other.painter.seeds == [seed + 100 for seed in prompts.seeds()]
    assert [*found.values()] == [["gray" + painted.NOT_THERE] * 4]


def test_a_sampled_report_says_so(written):
    assert "Only one case of 8" in report.markdown(written | {"every": 8})
    assert "100 more" in report.markdown(written | {"noise": 100})


def test_a_part_that_there_is_not_is_refused(kit, tmp_path):
    with pytest.raises(Refused, match="There is no part 'shapes'"):
        next(run.check(kit, tmp_path, ["shapes"]))


def test_a_check_is_held_against_an_earlier_one(written, tmp_path):
    reported = tmp_path / "earlier.json"
    reported.write_text(json.dumps(written), encoding="utf-8")
    changed = json.loads(json.dumps(written))
    key = next(iter(changed["parts"][painted.COLOURS]))
    changed["parts"] = {painted.COLOURS: {key: ["mauve"] * 4}}
    (tmp_path / "check.json").write_text(json.dumps(changed), encoding="utf-8")
    assert run.differing(tmp_path, reported) == ([f"{painted.COLOURS}: {key}"], 1)
    assert run.differing(FOLDER, reported) == ([], sum(len(cases) for cases in written["parts"].values()))


@pytest.mark.parametrize("name", ["weights", "noise", "settings"])
def test_a_check_of_other_weights_noise_or_settings_is_no_measure(written, tmp_path, name):
    (tmp_path / "earlier.json").write_text(json.dumps(written | {name: {}}), encoding="utf-8")
    with pytest.raises(Refused, match=f"other {name}"):
        run.differing(FOLDER, tmp_path / "earlier.json")


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_what_is_no_check_is_refused(tmp_path, text):
    (tmp_path / "earlier.json").write_text(text, encoding="utf-8")
    with pytest.raises(Refused, match=r"earlier\.json"):
        run.differing(FOLDER, tmp_path / "earlier.json")
