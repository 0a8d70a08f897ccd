"""The benchmark of the CUDA paths, rehearsed without CUDA: deadlines, failures, builds, comparisons."""

import dataclasses
import os
import sys
import time
from pathlib import Path

import ball_captures
import psutil
import pytest
import torch
from maquette_server.fields import hash_grid, mlp

from benchmarks import frame, gpu
from benchmarks.cuda import builds, clock, diffusion, hash_grids, painting, rasterisers, scenes
from benchmarks.cuda.sizes import REHEARSAL

NEVER = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
open({file!r} + ".new", "w").write(str(child.pid))
os.rename({file!r} + ".new", {file!r})
child.wait()
"""


def bench(seconds: float = 60.0) -> diffusion.Bench:
    return diffusion.Bench(REHEARSAL, clock.Clock(seconds))


def test_a_part_that_fails_is_a_missed_goal_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(given: diffusion.Bench) -> list[frame.Figure]:
        raise RuntimeError("no kernel image\nfor this device")

    def sound(given: diffusion.Bench) -> list[frame.Figure]:
        return [frame.Figure("sound", 1.0, "ms")]

    monkeypatch.setattr(builds, "begin", lambda: [])
    first, second = gpu.everything(REHEARSAL, parts=[broken, sound])
    assert isinstance(first, frame.Figure)
    assert (first.name, first.met, first.note) == ("broken: failed", False, "no kernel image")
    assert second == frame.Figure("sound", 1.0, "ms")
    assert "broken: failed: no kernel image" in capsys.readouterr().out


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no timers here")
def test_the_deadline_cuts_a_part_off_and_leaves_the_next_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(given: diffusion.Bench) -> list[frame.Figure]:
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(builds, "begin", lambda: [])
    monkeypatch.setattr(gpu, "LEAST", 0.01)
    assert gpu.everything(REHEARSAL, seconds=0.2, parts=[endless, painting.lookups]) == []
    said = capsys.readouterr().out
    assert "endless: cut off, the time is up" in said
    assert "lookups: left out, no time is left" in said


def test_without_time_every_action_is_still_run_once() -> None:
    called: list[str] = []
    actions = {name: lambda name=name: called.append(name) for name in "ab"}
    taken = clock.Clock(0.0).turns(actions, count=10)
    assert {name: len(values) for name, values in taken.items()} == {"a": 1, "b": 1}
    taken = clock.Clock(60.0).turns(actions, count=10)
    assert {name: len(values) for name, values in taken.items()} == {"a": 10, "b": 10}


def source(folder: Path, name: str, setup: str) -> None:
    tree = folder / "src" / name
    tree.mkdir(parents=True)
    (tree / "setup.py").write_text(setup, encoding="utf-8")
    (tree / f"maquette_fake_{name}.py").write_text("ANSWER = 42\n", encoding="utf-8")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_sources_that_are_given_are_built_and_the_others_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("good", "bad", "slow", "missing")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(builds, "_LIBRARIES", {name: (f"maquette_fake_{name}", ".") for name in names})
    monkeypatch.setattr(builds, "LICENCES", dict.fromkeys(names, "a licence"))
    good = (
        "from setuptools import setup\nsetup(name='fake', version='1', py_modules=['maquette_fake_good'])\n"
    )
    source(tmp_path, "good", good)
    source(tmp_path, "bad", "raise SystemExit('fatal error: cusparse.h: No such file or directory')\n")
    child = tmp_path / "child"
    source(tmp_path, "slow", NEVER.format(file=str(child)))
    before = sorted((tmp_path / "src").rglob("*"))
    begun = builds.begin(tmp_path)
    assert [build.name for build in begun] == ["good", "bad", "slow"]
    assert "missing: left out" in capsys.readouterr().out
    try:
        assert builds.wait(begun[:2], 200) == ["good"]
        said = capsys.readouterr().out
        assert "good: built (a licence)" in said
        assert "bad: left out, as it could not be built: " in said
        assert "cusparse.h" in said
        until = time.monotonic() + 200
        while not child.exists() and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        assert builds.wait(begun[2:], 0.1) == []
    assert "slow: left out, as it was not built within 0 s" in capsys.readouterr().out
    compiler = int(child.read_text(encoding="utf-8"))
    until = time.monotonic() + 20  # a process that was ended goes when the system finds the time
    while _runs(compiler) and time.monotonic() < until:
        time.sleep(0.05)
    assert not _runs(compiler), "what a build has started runs on after it was stopped"
    import maquette_fake_good

    assert maquette_fake_good.ANSWER == 42
    assert Path(maquette_fake_good.__file__).is_relative_to(tmp_path / "built")
    assert sorted((tmp_path / "src").rglob("*")) == before
    del sys.modules["maquette_fake_good"]
    monkeypatch.setattr(sys, "path", [path for path in sys.path if str(tmp_path) not in path])
    monkeypatch.setattr(builds, "_LIBRARIES", {"good": ("maquette_fake_good", ".")})
    assert builds.begin(tmp_path) == []
    assert "good: built before" in capsys.readouterr().out


class Encoding(torch.nn.Module):
    """A stand-in with tinycudann's interface and layout, made of our own grid."""

    def __init__(self, dimensions: int, config: dict, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.settings = hash_grid.Settings(
            dimensions=dimensions,
            levels=config["n_levels"],
            features=config["n_features_per_level"],
            log2_rows=config["log2_hashmap_size"],
            coarsest=config["base_resolution"],
            growth=config["per_level_scale"],
        )
        self.grid = hash_grid.HashGrid(self.settings)
        self.params = torch.nn.Parameter(torch.zeros(self.grid.table.numel()))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        table = self.params.reshape(-1, self.settings.features)
        return torch.func.functional_call(self.grid, {"table": table}, (points,))


class NetworkWithInputEncoding(Encoding):
    """The same with a network, whose layers come first among the parameters."""

    def __init__(self, dimensions: int, outputs: int, config: dict, layers: dict) -> None:
        super().__init__(dimensions, config)
        width, hidden = layers["n_neurons"], layers["n_hidden_layers"]
        sizes = [(width, self.settings.width), *[(width, width)] * (hidden - 1), (outputs, width)]
        self.sizes = sizes
        count = sum(after * before for after, before in sizes)
        self.params = torch.nn.Parameter(torch.zeros(count + self.grid.table.numel()))

    def forward(self, points: torch.Tensor) -> torch.Tensor:
        counts = [after * before for after, before in self.sizes]
        *layers, table = self.params.split([*counts, self.grid.table.numel()])
        table = table.reshape(-1, self.settings.features)
        features = torch.func.functional_call(self.grid, {"table": table}, (points,))
        for number, (layer, size) in enumerate(zip(layers, self.sizes, strict=True)):
            features = features @ layer.reshape(size).T
            features = features.relu() if number < len(layers) - 1 else features
        return features


def test_tiny_cuda_nn_is_compared_with_our_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinycudann", sys.modules[__name__])
    monkeypatch.setattr(type(REHEARSAL), "cuda", True)
    monkeypatch.setattr(diffusion.Bench, "wait", lambda self: None)
    found = {figure.name: figure for figure in hash_grids.hash_grids(bench())}
    compared = [figure for name, figure in found.items() if "difference" in name]
    assert len(compared) == 5
    assert all(figure.value < 1e-5 for figure in compared), compared
    assert "grid and network: ours / tiny-cuda-nn" in found
    again = {figure.name for figure in hash_grids.scene_grids(bench())}
    assert again == {f"grid of a scene: {name}" for name in found}


def test_another_number_of_parameters_is_noticed() -> None:
    grid, network = hash_grid.HashGrid(REHEARSAL.grid), mlp.Mlp(REHEARSAL.grid.width, 8, width=64)
    with pytest.raises(AssertionError, match="parameters for"):
        hash_grids.fused(sys.modules[__name__], grid, network)


def test_a_difference_is_relative_and_nan_misses_the_goal() -> None:
    wanted = torch.full((4,), 2.0)
    assert diffusion.compare("x", wanted * 1.01, wanted, 0.02).value == pytest.approx(0.01)
    assert diffusion.compare("x", wanted * 1.01, wanted, 0.02).met is True
    assert diffusion.compare("x", wanted * float("nan"), wanted, 0.02).met is False


def test_the_parts_run_in_tiny_on_the_cpu() -> None:
    tried = bench()
    figures = [
        *rasterisers.rasterisers(tried),
        *painting.lookups(tried),
        *diffusion.denoiser(tried),
        *diffusion.distillation(tried),
        *diffusion.pictures(tried),
        *diffusion.text(tried),
    ]
    missed = [row for row in figures if isinstance(row, frame.Figure) and row.met is False]
    assert not missed
    assert sum(isinstance(row, frame.Series) for row in figures) == 3


def test_a_capture_is_learnt_and_the_time_to_every_quality_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scenes, "lego_folder", lambda: ball_captures.write(tmp_path).folder)
    monkeypatch.setattr(scenes, "GOALS", {1.0: 60.0})
    sizes = dataclasses.replace(REHEARSAL, reduce=2, learning=(0.5,))
    *figures, series = scenes.lego(diffusion.Bench(sizes, clock.Clock(60.0)))
    found = {row.name: row for row in figures if isinstance(row, frame.Figure)}
    side = ball_captures.SIDE // 2
    assert found[f"lego at {side} px: after 0.5 s"].value > 1.0
    assert found[f"lego at {side} px: time to 1 dB"] == frame.Figure(
        f"lego at {side} px: time to 1 dB", 0.5, "s", goal=60.0
    )
    assert isinstance(series, frame.Series)


def test_the_time_to_a_quality_is_the_least_of_all_runs() -> None:
    reached = [(30.0, 29.0), (60.0, 33.5), (30.0, 28.0), (50.0, 33.1), (120.0, 36.0)]
    assert scenes.first_above(reached, 33.0) == 50.0
    assert scenes.first_above(reached, 37.0) is None


def test_a_step_of_mip_nerf_is_told_beside_its_products() -> None:
    rows = scenes.mip_rays(bench())
    told = {row.name for row in rows if isinstance(row, frame.Figure)}
    assert {f"mip-NeRF, 8 rays, {kind}: a step / bare products" for kind in ("float32", "bfloat16")} <= told


def test_without_lego_its_part_is_left_out_and_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scenes, "lego_folder", lambda: None)
    assert scenes.lego(bench()) == []
    assert "lego: left out" in capsys.readouterr().out


@pytest.mark.slow
def test_the_whole_script_is_rehearsed(capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu.main(["--rehearse"]) == 0
    said = capsys.readouterr().out
    assert "stage bake" in said
    assert "failed" not in said
