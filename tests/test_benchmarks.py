"""The frame of the benchmarks: what it says of known timings, and whom it blames for a busy machine."""

import json
import time
from pathlib import Path

from benchmarks import frame


def test_a_ratio_is_the_median_over_pairs() -> None:
    figure = frame.ratio("a / b", [(2.0, 1.0), (30.0, 10.0), (4.0, 1.0)], goal=3.5)
    assert (figure.value, figure.samples, figure.met) == (3.0, 3, True)
    assert figure.low is not None
    assert figure.high is not None
    assert figure.low <= figure.value <= figure.high


def test_pairs_are_taken_turn_about_and_the_warm_ones_thrown_away() -> None:
    called: list[str] = []
    taken = frame.pairs(lambda: called.append("a"), lambda: called.append("b"), count=3, warm=1)
    assert len(taken) == 3
    assert called == ["b", "a", "a", "b", "b", "a", "a", "b"]


def test_a_figure_without_a_goal_is_neither_met_nor_missed() -> None:
    assert frame.Figure("x", 1.0, "s").met is None
    assert frame.Figure("x", 1.0, "s", goal=0.5).met is False


def test_own_work_is_not_blamed_on_others() -> None:
    with frame.Watch() as watch:
        start, own = time.process_time(), frame._own_seconds()
        while time.process_time() - start < 0.2:
            pass
        assert frame._own_seconds() - own >= 0.19
    assert set(watch.record()) == {"load_before", "load_after", "foreign_before", "foreign_during", "busy"}


def test_results_become_one_table_and_name_no_host(tmp_path: Path) -> None:
    figures = [frame.Figure("thing", 1.5, "x", 1.4, 1.6, 9, goal=1.3)]
    record = frame.measure("thing", "A thing", lambda: figures, quiet_only=False, results=tmp_path)
    assert json.loads((tmp_path / "thing.json").read_text(encoding="utf-8")) == record
    assert set(record["machine"]) == {"cores", "memory_gib", "processor", "system", "python", "torch"}
    table = tmp_path / "table.md"
    frame.write_table(tmp_path, table)
    text = table.read_text(encoding="utf-8")
    assert "| thing | 1.5 x [1.4, 1.6] | <= 1.3 x | **no** |" in text
    assert ("busy machine" in text) == record["load"]["busy"]
