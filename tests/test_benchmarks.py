"""The frame of the benchmarks: what it says of known timings, and whom it blames for a busy machine."""

import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import ball_captures
import numpy as np
import psutil
import pytest
import torch
from maquette_server.datasets import opening
from maquette_server.fields import mip
from maquette_server.training import budget, mip_presets
from PIL import Image

from benchmarks import __main__ as command
from benchmarks import antialiasing, captures, frame, growth, mip_step, page, plots, pocket, trials

DETACHED = """
import subprocess, sys
spin = "import time\\nstart = time.process_time()\\nwhile time.process_time() - start < 60: pass"
nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
print(subprocess.Popen([sys.executable, "-c", spin], start_new_session=True, **nowhere).pid)
"""
QUIET = {
    "load_before": 0.1,
    "load_after": 0.2,
    "foreign_before": 0.0,
    "foreign_during": 0.01,
    "busy": False,
    "seconds": 1.0,
}


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


def test_turns_go_round_and_the_warm_ones_are_thrown_away() -> None:
    called: list[str] = []
    taken = frame.turns({name: lambda name=name: called.append(name) for name in "abc"}, count=2, warm=1)
    assert {name: len(values) for name, values in taken.items()} == {"a": 2, "b": 2, "c": 2}
    assert "".join(called) == "cab" + "abc" + "bca"


def test_a_figure_without_a_goal_is_neither_met_nor_missed() -> None:
    assert frame.Figure("x", 1.0, "s").met is None
    assert frame.Figure("x", 1.0, "s", goal=0.5).met is False


def test_own_work_is_not_blamed_on_others() -> None:
    with frame.Watch() as watch:
        start, own = time.process_time(), frame._own_seconds()
        while time.process_time() - start < 0.2:
            pass
        assert frame._own_seconds() - own >= 0.19
    assert set(watch.record()) == set(QUIET)


def test_what_others_compute_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is nobody's child here, as another user's would be."""
    monkeypatch.setattr(frame, "SETTLE_SECONDS", 0.0001)
    with frame.Watch() as watch:
        done = subprocess.run([sys.executable, "-c", DETACHED], capture_output=True, text=True, check=True)
        other = psutil.Process(int(done.stdout))
        try:
            while (used := other.cpu_times().user) < 0.5:
                time.sleep(0.02)
        finally:
            other.kill()
    counted = watch.during_foreign * watch.seconds * (psutil.cpu_count() or 1)
    assert counted >= 0.9 * used


@pytest.mark.parametrize(("foreign", "busy"), [(0.2, False), (0.3, True)])
def test_a_machine_is_busy_when_others_take_a_quarter(
    foreign: float, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By clocks that are set by hand: others compute that share of all cores for ten seconds."""
    clock = [0.0]
    monkeypatch.setattr(frame.time, "sleep", lambda _: None)
    monkeypatch.setattr(frame.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(frame, "_busy_seconds", lambda since: foreign * clock[0] * frame._cores() + 3.0)
    monkeypatch.setattr(frame, "_own_seconds", lambda: 3.0 * (clock[0] > 0))
    watch = frame.Watch()
    monkeypatch.setattr(frame, "SETTLE_SECONDS", 1e9)
    with watch:
        clock[0] = 10.0
    assert watch.busy is busy
    assert watch.during_foreign == pytest.approx(foreign)


class Loaded(frame.Watch):
    """A watch on a machine of which others take 90 % before, or only during, the benchmark."""

    before, during = 0.9, 0.9

    def __enter__(self) -> "Loaded":
        self.idle_foreign, self.load_before = self.before, 2.0
        return self

    def __exit__(self, *_: object) -> None:
        self.during_foreign, self.load_after, self.seconds = self.during, 2.0, 1.0


def test_a_loaded_machine_marks_the_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "Watch", Loaded)
    figures = [frame.Figure("thing", 1.5, "x")]
    record = frame.measure(
        "thing", "A thing", lambda: figures, quiet_only=False, results=tmp_path / "results"
    )
    assert record["load"]["busy"] is True
    page.write(tmp_path / "results", tmp_path / "page.md")
    assert "**Taken on a busy machine: not to be relied on.**" in (tmp_path / "page.md").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize(("before", "ran"), [(0.9, 0), (0.0, 1)])
def test_quiet_only_refuses_a_loaded_machine_and_records_nothing(
    before: float,
    ran: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    calls = []
    monkeypatch.setattr(Loaded, "before", before)
    monkeypatch.setattr(frame, "Watch", Loaded)
    monkeypatch.setattr(command, "modules", lambda: {"pocket": pocket})
    monkeypatch.setattr(pocket, "run", lambda: calls.append(1) or [frame.Figure("thing", 1.0, "s")])
    assert command.main(["--quiet-only", "--into", str(tmp_path)]) == 2
    assert "Not measured: others use" in capsys.readouterr().err
    assert len(calls) == ran
    assert not list(tmp_path.rglob("*.json"))


def series() -> frame.Series:
    curves = frame.Curves("Time against size", "things", "time", "ms")
    for size in (10, 100, 1000):
        curves.add("ours", size, [2.0 * size, 3.0 * size, 4.0 * size])
        curves.add("floor: bare", size, [1.0 * size], floor=True)
    return curves.series()


def test_curves_hold_medians_and_quartiles_by_size() -> None:
    ours, floor = series().lines
    assert (ours.name, ours.floor, floor.floor) == ("ours", False, True)
    assert ours.points[1] == frame.Point(100, 300.0, 250.0, 350.0, 3)
    assert floor.points[2] == frame.Point(1000, 1000.0, 1000.0, 1000.0, 1)


def test_results_become_a_page_with_plots_and_name_no_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = [frame.Figure("thing", 1.5, "x", 1.4, 1.6, 9, goal=1.3), series()]
    results = tmp_path / "results"
    monkeypatch.setattr(frame, "SETTLE_SECONDS", 0.1)
    record = frame.measure("thing", "A thing", lambda: figures, quiet_only=False, results=results)
    written = json.loads((results / "thing.json").read_text(encoding="utf-8"))
    assert written == json.loads(json.dumps(record))
    assert page.read_series(written["series"][0]) == series()
    machine = {"cores", "memory_gib", "processor", "system", "python", "torch"}
    assert set(record["machine"]) - {"device"} == machine
    page.write(results, tmp_path / "page.md")
    text = (tmp_path / "page.md").read_text(encoding="utf-8")
    assert "| thing | 1.5 x [1.4, 1.6] | <= 1.3 x | **no** |" in text
    assert ("busy machine" in text) == record["load"]["busy"]
    assert "![Time against size](page/thing-time-against-size.png)" in text
    picture = tmp_path / "page" / "thing-time-against-size.png"
    assert picture.stat().st_size < 80_000
    with Image.open(picture) as drawn:
        assert drawn.size == (704, 407)


def test_redrawing_measures_nothing_and_removes_stale_plots(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "modules", lambda: pytest.fail("a benchmark was looked for"))
    assert command.main(["--redraw", "--into", str(tmp_path)]) == 2
    assert "holds no results" in capsys.readouterr().err
    monkeypatch.setattr(frame, "Watch", Loaded)
    frame.measure("thing", "A thing", lambda: [series()], quiet_only=False, results=tmp_path / "results")
    stale = tmp_path / "benchmarks" / "gone-before.png"
    stale.parent.mkdir()
    stale.write_bytes(b"")
    assert command.main(["--redraw", "--into", str(tmp_path)]) == 0
    assert [file.name for file in stale.parent.iterdir()] == ["thing-time-against-size.png"]


def test_without_matplotlib_results_stay_and_a_sentence_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "thing.json").write_text("{}", encoding="utf-8")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert command.main(["--redraw", "--into", str(tmp_path)]) == 2
    assert "matplotlib is not installed" in capsys.readouterr().err


def test_a_benchmark_nobody_has_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--only", "nothing"]) == 2
    said = capsys.readouterr().err
    painting = ("bake", "fields", "front", "gpu", "paint", "pocket", "rasterise", "ticks", "unwrap", "wire")
    scenes = ("antialiasing", "growth", "mip_step", "reconstruct", "reconstruct_long")
    for name in (*painting, *scenes):
        assert name in said


@pytest.mark.parametrize(
    ("size", "text"), [(320, "320"), (4096, "4096"), (16384, "16.4k"), (1 << 20, "1.05M"), (1 << 26, "67.1M")]
)
def test_sizes_are_written_short(size: int, text: str) -> None:
    assert plots.short(size) == text


def test_the_floor_of_a_network_has_the_products_of_its_layers() -> None:
    """Stride, groups and window of convolutions, and linear layers on several tokens."""
    network = torch.nn.Sequential(
        torch.nn.Conv2d(6, 8, 3, stride=2, padding=1, groups=2),
        torch.nn.Flatten(2),
        torch.nn.Linear(16, 5),
    )
    met = pocket.sizes(network, lambda: network(torch.zeros(3, 6, 8, 8)))
    assert met == [(3 * 4 * 4, 3 * 9, 4), (3 * 4 * 4, 3 * 9, 4), (3 * 8, 16, 5)]
    assert not network[0]._forward_hooks
    pocket.products(met)()


def test_every_embedded_model_is_found() -> None:
    assert "pocket-t2i" in [folder.name for folder in pocket.folders()]


def test_a_small_picture_is_the_mean_of_its_colours_by_their_opacity() -> None:
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0, 0] = 200, 100, 0, 255
    picture[0, 1] = 100, 0, 50, 51
    picture[1, 0] = 255, 255, 255, 0
    # opacities 1, 1/5 and 0 twice: colours are 5/6 of the first and 1/6 of the second
    assert captures.mean(picture, 2).tolist() == [[[183, 83, 8, 77]]]
    assert captures.mean(np.full((4, 4, 3), 7, np.uint8), 4).tolist() == [[[7, 7, 7]]]
    with pytest.raises(ValueError, match="divided by 3"):
        captures.mean(picture, 3)


def test_fewer_views_are_every_so_many_and_none_of_the_held_out_is_lost(tmp_path: Path) -> None:
    whole = opening.read(ball_captures.write(tmp_path).folder)
    few = captures.thinned(whole, 4)
    assert few.of("train") == whole.of("train")[::4]
    assert few.of("test") == whole.of("test")


def test_what_was_made_before_is_taken_and_what_broke_off_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures, "FOLDER", tmp_path)

    def broken(name: str) -> None:
        with captures.made(name) as (_, draft):
            assert draft is not None
            raise RuntimeError

    with pytest.raises(RuntimeError):
        broken("thing")
    assert not list(tmp_path.iterdir())
    with captures.made("thing") as (folder, draft):
        assert draft is not None
        (draft / "file").write_text("x", encoding="utf-8")
        assert not folder.exists()
    with captures.made("thing") as (folder, draft):
        assert draft is None
        assert (folder / "file").is_file()


class Clocked:
    """A learner whose every step takes a second of a clock that is set by hand."""

    def __init__(self, now: list[float], progress: trials.Progress) -> None:
        self._now, self._progress = now, progress
        self.heard: list[float] = []

    def advance(self, step: int) -> None:
        self.heard.append(self._progress(step))
        self._now[0] += 1.0


def test_seconds_count_learning_only(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(budget.time, "monotonic", lambda: now[0])
    told: list[float] = []

    def tell(at: float, learner: Clocked) -> None:
        told.append(at)
        now[0] += 100.0

    learner, steps = trials.learn(lambda progress: Clocked(now, progress), 8.0, (2, 3.5, 8, 20), tell)
    assert steps == 8
    assert told == [2.0, 4.0]
    assert learner.heard == [each / 8 for each in range(8)]


def test_a_grid_without_footprint_shows_other_pictures(tmp_path: Path) -> None:
    """So that the two that are compared are two."""
    whole = opening.read(ball_captures.write(tmp_path).folder)
    capture = trials.captured(whole)
    view = trials.views(whole)[0]
    lens = view.camera.lens.resized(4, 4)
    view = dataclasses.replace(
        view, camera=dataclasses.replace(view.camera, lens=lens), truth=np.zeros((4, 4, 3))
    )
    seen = []
    for make in (trials.maker(capture), antialiasing.plain_grid(capture, 0)):
        learner = make(lambda step: 0.0)
        with torch.no_grad():
            learner.field.grid.table.uniform_(-1, 1, generator=torch.Generator().manual_seed(0))
        seen.append(trials.measured(learner, [view]).psnr)
    assert seen[0] != pytest.approx(seen[1], abs=1e-3)


def test_the_ablation_of_mip_nerf_leaves_out_the_integration_alone(tmp_path: Path) -> None:
    capture = trials.captured(opening.read(ball_captures.write(tmp_path).folder))
    usual = mip_presets.PRESETS["small"]
    whole, without = (
        antialiasing.a_mip(capture, 0, integrate=which)(lambda step: 0.0) for which in (True, False)
    )
    assert mip_presets.PRESETS["small"] is usual
    assert (whole.preset.network.integrate, without.preset.network.integrate) == (True, False)
    assert without.preset.network == dataclasses.replace(whole.preset.network, integrate=False)
    assert without.preset.rays == whole.preset.rays


def test_peak_memory_is_that_of_the_process_alone() -> None:
    held = np.ones(200 << 20, np.uint8)  # what the parent has had does not count for the child
    program = "from benchmarks import growth; print(growth.peak())"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=frame.ROOT
    )
    assert growth.peak() > held.nbytes
    own = subprocess.run(
        [
            sys.executable,
            "-c",
            f"kept = bytearray({200 << 20}); kept[::512] = bytes(len(kept[::512]));" + program,
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=frame.ROOT,
    )
    assert int(own.stdout) - int(done.stdout) == pytest.approx(held.nbytes, rel=0.1)


def test_the_floor_of_mip_nerf_has_the_products_of_the_paper() -> None:
    """Multiplications of the forward pass: as many as there are weights, biases left out."""
    network = mip.MipField(mip.Settings())
    weights = sum(each.numel() for each in network.parameters() if each.ndim == 2)
    assert sum(inputs * outputs for inputs, outputs, _ in mip_step.layers(False, mip.Settings())) == weights
