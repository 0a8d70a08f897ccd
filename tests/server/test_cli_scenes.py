"""`maquette reconstruct`, `evaluate` and `render` from the real command line: files, reports, refusals."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import ball_captures
import captures
import numpy as np
import pytest
import scene_jobs
from maquette_server.cameras import path_file, paths
from maquette_server.cameras.pinhole import Pinhole
from maquette_server.cli.app import app
from maquette_server.media import exr, png, video
from maquette_server.scenes import runtime
from maquette_server.scenes.files import SceneFiles
from typer.testing import CliRunner

REPORT = {
    "method",
    "preset",
    "seed",
    "device",
    "backends",
    "versions",
    "seconds",
    "memory",
    "figures",
    "warnings",
    "promise",
}
STEPS = 20


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """The folder of a scene, and what the command that made it wrote."""
    place = tmp_path_factory.mktemp("learnt")
    ball_captures.write(place / "ball", 8)
    home = place / "home"
    home.mkdir()
    homes = {name: str(home) for name in ("HOME", "USERPROFILE", "XDG_DATA_HOME", "XDG_CACHE_HOME")}
    words = ["reconstruct", "ball", "--out", "scene", "--steps", str(STEPS), "--seed", "5", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "maquette_server.cli", *words],
        cwd=place,
        env={key: value for key, value in os.environ.items() if not key.startswith("MAQUETTE_")} | homes,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return place / "scene", [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def scene(learnt: tuple[Path, list[dict[str, Any]]]) -> Path:
    return learnt[0]


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"home"}


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def result(stdout: str, place: Path) -> dict[str, Any]:
    """The last line of a command, whose files are where it says."""
    events = [json.loads(line) for line in stdout.splitlines()]
    assert [event["event"] for event in events].count("result") == 1
    last = events[-1]
    assert last["event"] == "result"
    for name in last["files"]:
        assert (place / last["out"] / name).is_file(), name
    return last


def test_reconstruct_leaves_a_scene_and_nothing_else(learnt: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, events = learnt
    assert names(folder) == {
        "scene.json",
        "cameras.json",
        "report.json",
        "preview.png",
        "checkpoints",
        "images",
    }
    assert len(names(folder / "images")) == 8
    assert names(folder / "checkpoints") == {"0000015", "0000020"}
    report = read(folder / "report.json")
    assert set(report) >= REPORT
    assert report["method"] == "reconstruct"
    assert report["seed"] == 5
    assert report["promise"] == "bit-equal"
    assert set(report["seconds"]) >= {"total", "stages"}
    assert {"load", "learn", "write"} <= set(report["seconds"]["stages"])
    assert report["figures"]["steps"] == STEPS
    assert [event["event"] for event in events].count("result") == 1
    assert set(events[-1]["files"]) >= {"scene.json", "cameras.json", "preview.png", "report.json"}
    told = [event for event in events if event["event"] == "progress" and event["stage"] == "learn"]
    assert told[-1]["step"] == told[-1]["total"] == STEPS
    assert read(folder / "scene.json")["name"] == "ball"


def test_evaluate_writes_its_figures_with_means_at_the_top(scene: Path, maquette, tmp_path: Path) -> None:
    done = maquette("evaluate", scene, "--out", "deep/eval.json", "--json")
    assert done.returncode == 0, done.stderr
    assert names(tmp_path / "deep") == {"eval.json", "eval.json.report.json", "eval.json.sheet.png"}
    found = read(tmp_path / "deep" / "eval.json")
    assert {"psnr", "ssim", "lpips", "scales", "images"} <= set(found)
    assert found["lpips"] is None
    assert found["why_no_lpips"]
    assert [row["name"] for row in found["images"]] == ["images/002.png", "images/006.png"]
    assert found["psnr"] == pytest.approx(np.mean([row["psnr"] for row in found["images"]]), abs=1e-3)
    side = ball_captures.SIDE
    (scale,) = found["scales"]
    assert (scale["width"], scale["height"], scale["pictures"]) == (side, side, 2)
    assert scale["psnr"] == found["psnr"] > 5
    report = read(tmp_path / "deep" / "eval.json.report.json")
    assert set(report) >= REPORT
    assert report["figures"]["psnr"] == found["psnr"]
    result(done.stdout, tmp_path)


def test_a_camera_path_is_rendered_in_its_order_with_depth(scene: Path, maquette, tmp_path: Path) -> None:
    cameras = [Pinhole.from_fov(pose, 0.8, 30, 20) for pose in ball_captures.poses(3)]
    path = paths.CameraPath([(camera, None) for camera in cameras], 12.0)
    (tmp_path / "path.json").write_bytes(path_file.write(path))
    done = maquette("render", scene, "--cameras", "path.json", "--out", "views", "--depth", "--json")
    assert done.returncode == 0, done.stderr
    numbers = [f"{number:05d}" for number in range(3)]
    assert names(tmp_path / "views") == {
        *(f"{number}{end}" for number in numbers for end in (".png", ".exr")),
        "report.json",
    }
    opened = scene_jobs.of_scene("render", scene, tmp_path / "store", captures_of(path), path="given")
    expected = scene_jobs.files(scene_jobs.finish("render", opened))
    for number in numbers:
        data = (tmp_path / "views" / f"{number}.png").read_bytes()
        assert data == expected[f"{number}.png"]
        assert png.read(data).shape[:2] == (20, 30)
        depth = exr.read((tmp_path / "views" / f"{number}.exr").read_bytes())
        assert depth.shape == (20, 30)
        assert 2 < float(depth[np.isfinite(depth)].min()) < 6
    report = read(tmp_path / "views" / "report.json")
    assert report["method"] == "render"
    assert report["figures"]["frames"] == 3
    result(done.stdout, tmp_path)


def test_an_earlier_scene_is_replaced_whole_and_only_when_that_is_said(
    scene: Path, here: Path, tmp_path: Path
) -> None:
    shutil.copytree(scene, tmp_path / "old")
    (tmp_path / "old" / "images" / "left.png").write_bytes(b"of a longer capture")
    before = {path: path.read_bytes() for path in (tmp_path / "old").rglob("*") if path.is_file()}
    words = ["reconstruct", str(scene.parent / "ball"), "--out", "old", "--steps", "3"]
    ended = CliRunner().invoke(app, words)
    assert ended.exit_code == 2
    assert "--overwrite" in ended.stderr
    assert {path: path.read_bytes() for path in before} == before
    ended = CliRunner().invoke(app, [*words, "--overwrite"])
    assert ended.exit_code == 0, ended.stderr
    assert read(tmp_path / "old" / "report.json")["params"]["steps"] == 3
    assert not (tmp_path / "old" / "images" / "left.png").exists()
    assert [path.name for path in (tmp_path / "old" / "checkpoints").iterdir()] == ["0000003"]
    runtime.open_scene(SceneFiles.of_folder(tmp_path / "old"))


def test_renders_replace_earlier_ones_whole(scene: Path, here: Path, tmp_path: Path) -> None:
    words = ["render", str(scene), "--size", "8x8", "--out", "views", "--cameras"]
    assert CliRunner().invoke(app, [*words, "turntable:3", "--depth"]).exit_code == 0
    (tmp_path / "views" / "mine.txt").write_text("mine")
    assert CliRunner().invoke(app, [*words, "turntable:2"]).exit_code == 0
    assert names(tmp_path / "views") == {"00000.png", "00001.png", "report.json", "mine.txt"}


def captures_of(path: paths.CameraPath) -> Any:
    from maquette_server.cli import captures as sending

    return sending.cameras(path.stops)


def test_a_film_is_a_file_with_its_depth_and_report_beside_it(scene: Path, maquette, tmp_path: Path) -> None:
    words = ["render", scene, "--cameras", "train", "--out", "film.mp4", "--depth", "--fps", "10", "--json"]
    done = maquette(*words)
    assert done.returncode == 0, done.stderr
    assert names(tmp_path) == {"film.mp4", "film.mp4.depth.mp4", "film.mp4.report.json"}
    for name in ("film.mp4", "film.mp4.depth.mp4"):
        film = video.describe(tmp_path / name)
        assert (film.width, film.height) == (ball_captures.SIDE, ball_captures.SIDE)
        assert film.fps == pytest.approx(10)
        assert film.count == 6
    assert set(read(tmp_path / "film.mp4.report.json")) >= REPORT
    result(done.stdout, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one child")
@pytest.mark.parametrize(
    ("words", "files"),
    [
        (
            ["render", "--cameras", "turntable:40", "--depth", "--out", "film.mp4"],
            {"film.mp4", "film.mp4.depth.mp4", "film.mp4.report.json"},
        ),
        (
            ["evaluate", "--split", "train", "--out", "eval.json"],
            {"eval.json", "eval.json.sheet.png", "eval.json.report.json"},
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_was_stopped_and_resumed_has_the_names_that_were_asked_for(
    scene: Path, maquette, tmp_path: Path, words: list[str], files: set[str]
) -> None:
    started = subprocess.Popen(
        [sys.executable, "-m", "maquette_server.cli", words[0], str(scene), *words[1:], "--json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert started.stdout is not None
    while json.loads(started.stdout.readline())["event"] != "progress":
        pass
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=100)
    assert started.returncode == 130, said
    folder = f"{words[-1]}.job"
    assert f"maquette jobs resume {folder}" in said
    assert names(tmp_path) == {folder}
    done = maquette("jobs", "resume", folder, "--json")
    assert done.returncode == 0, done.stderr
    assert set(result(done.stdout, tmp_path)["files"]) == files
    assert names(tmp_path) == files


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one child")
def test_a_reconstruction_that_was_stopped_and_resumed_is_the_same_to_the_bit(
    scene: Path, maquette, tmp_path: Path
) -> None:
    capture, steps = scene.parent / "ball", str(STEPS)
    words = ["reconstruct", str(capture), "--out", "again", "--steps", steps, "--seed", "5", "--json"]
    started = subprocess.Popen(
        [sys.executable, "-m", "maquette_server.cli", *words],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    assert started.stdout is not None
    while json.loads(started.stdout.readline()).get("stage") != "learn":
        pass
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=100)
    assert started.returncode == 130, said
    assert "maquette jobs resume again" in said
    done = maquette("jobs", "resume", "again", "--json")
    assert done.returncode == 0, done.stderr
    for step in ("0000015", "0000020"):
        weights = f"checkpoints/{step}/field.safetensors"
        assert (tmp_path / "again" / weights).read_bytes() == (scene / weights).read_bytes()


@pytest.fixture
def here(private_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for commands in this process, with a few things that are none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.json").write_text("{}")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["render", "empty", "--cameras", "train", "--out", "out"], "scene.bad"),
        (["render", "nowhere", "--cameras", "turntable", "--out", "out"], "scene.bad"),
        (["evaluate", "empty", "--out", "out.json"], "scene.bad"),
        (["evaluate", "SCENE", "--out", "empty"], "output.unusable"),
        (["render", "SCENE", "--cameras", "train", "--out", "out", "--size", "40"], "params.bad"),
        (["render", "SCENE", "--cameras", "train", "--out", "out", "--size", "0x4"], "params.bad"),
        (["render", "SCENE", "--cameras", "train", "--out", "out", "--scale", "0"], "params.bad"),
        (["render", "SCENE", "--cameras", "bad.json", "--out", "out"], "cameras.bad"),
        (["render", "SCENE", "--cameras", "none.json", "--out", "out"], "cameras.bad"),
        (["reconstruct", "empty", "--out", "out"], "dataset.not_found"),
        (["reconstruct", "nowhere", "--out", "out"], "dataset.not_found"),
        (["reconstruct", "BALL", "--out", "out", "--steps", "5", "--seconds", "5"], "params.bad"),
        (["reconstruct", "BALL", "--out", "out", "--steps", "0"], "params.bad"),
        (["reconstruct", "BALL", "--out", ""], "output.unusable"),
        (["reconstruct", "BALL", "--out", "BALL", "--overwrite"], "output.unusable"),
        (["render", "SCENE", "--cameras", "train", "--out", "SCENE"], "output.unusable"),
        (["render", "SCENE", "--cameras", "train", "--out", "BALL"], "output.unusable"),
        (["render", "SCENE", "--cameras", "train", "--out", "film.mov"], "params.bad"),
        (["evaluate", "SCENE", "--out", "SCENE/report.json"], "output.unusable"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value,
)
def test_what_cannot_be_done_ends_with_2_and_one_line(
    here: Path, scene: Path, words: list[str], code: str
) -> None:
    before = names(here)
    places = {"SCENE": str(scene), "BALL": str(scene.parent / "ball")}
    said = [places.get(word, word.replace("SCENE/", f"{scene}/")) for word in words]
    ended = CliRunner().invoke(app, [*said, "--json"])
    assert ended.exit_code == 2, ended.output
    assert len(ended.stderr.strip().splitlines()) == 1
    (line,) = ended.stdout.splitlines()
    assert json.loads(line)["code"] == code
    assert names(here) == before


def test_a_folder_that_is_no_scene_is_refused_by_the_real_command(maquette, tmp_path: Path) -> None:
    done = maquette("render", tmp_path, "--cameras", "turntable:2", "--out", "out")
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert "is no scene" in line
    assert not (tmp_path / "out").exists()


def test_a_picture_that_is_missing_is_refused_before_anything_is_learnt(here: Path) -> None:
    captures.transforms(here / "data", captures.ring(3), pictures=False)
    ended = CliRunner().invoke(app, ["reconstruct", "data", "--out", "out", "--json"])
    assert ended.exit_code == 2
    assert json.loads(ended.stdout.splitlines()[-1])["code"] == "dataset.picture"
    assert not (here / "out").exists()
