"""`maquette reconstruct`, `evaluate` and `render` from the real command line: files, reports, refusals."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Generator
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
from maquette_server.methods import base
from maquette_server.rendering.posed import Posed
from maquette_server.scenes import runtime
from maquette_server.scenes.files import SceneFiles
from maquette_wire.errors import UserError
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


# ---- the method behind `render`, in this process -------------------------------------------------------


@pytest.fixture
def rendered(scene: Path, tmp_path: Path) -> Callable[..., list[np.ndarray]]:
    """`rendered(path=..., ...)` gives the pictures [H, W, 3 or 4] of a render."""

    def render(**options: Any) -> list[np.ndarray]:
        job = scene_jobs.of_scene("render", scene, tmp_path / "store", **options)
        items = scene_jobs.files(scene_jobs.finish("render", job))
        return [np.array(png.read(items[name])) for name in sorted(items)]

    return render


def test_a_turntable_has_its_number_of_pictures_and_sees_the_ball(rendered) -> None:
    found = rendered(path="turntable", frames=3, width=18)
    assert [picture.shape[:2] for picture in found] == [(18, 18)] * 3
    middle = [picture[9, 9, :3].astype(int) for picture in found]
    assert all(int(np.abs(colour - 255).max()) > 20 for colour in middle)  # not the white behind it
    assert not np.array_equal(found[0], found[1])


def test_sizes_crop_or_widen_round_the_middle_and_scale_both_sides(rendered) -> None:
    side = ball_captures.SIDE
    plain, *_ = rendered(path="test", scale=0.5)
    assert plain.shape[:2] == (side // 2, side // 2)
    wide, *_ = rendered(path="test", width=side // 2 + 10, height=side // 2)
    assert np.array_equal(wide[:, 5:-5], plain)
    same, *_ = rendered(path="test", height=side // 2)
    assert np.array_equal(same, plain)
    third, *_ = rendered(path="test", width=side * 2 // 3, scale=0.5)
    assert third.shape[:2] == (side // 3, side // 3)


def test_transparency_is_kept_when_wished(rendered) -> None:
    clear, *_ = rendered(path="test", transparent=True, width=16)
    plain, *_ = rendered(path="test", width=16)
    assert clear.shape[2] == 4
    alpha = clear[..., 3:].astype(float) / 255
    over = clear[..., :3] * alpha + 255 * (1 - alpha)
    assert float(np.abs(over - plain[..., :3]).max()) < 2.5
    assert clear[..., 3].min() < 255


def test_a_film_shows_the_background_where_pictures_are_transparent(scene: Path, tmp_path: Path) -> None:
    films, warnings = [], []
    for transparent in (False, True):
        job = scene_jobs.of_scene(
            "render",
            scene,
            tmp_path / "store",
            warnings=warnings,
            path="test",
            video=True,
            transparent=transparent,
        )
        assert not warnings
        films.append(scene_jobs.files(scene_jobs.finish("render", job))["render.mp4"])
    assert films[0] == films[1]
    ((code, sentence),) = warnings
    assert code == "params.ignored"
    assert "background" in sentence


@pytest.mark.parametrize("depth", [False, True])
def test_a_long_film_takes_no_more_memory_than_a_short_one(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, depth: bool
) -> None:
    def plain(self: runtime.Scene, camera: Posed) -> Generator[None, None, runtime.Frame]:
        shape = (camera.lens.height, camera.lens.width)
        yield
        return runtime.Frame(np.full((*shape, 3), 0.5, np.float32), *np.ones((2, *shape), np.float32))

    def most(frames: int) -> int:
        options = {"path": "turntable", "frames": frames, "width": 200, "video": True, "depth": depth}
        job = scene_jobs.of_scene("render", scene, tmp_path / "store", **options)
        held = []

        def watch(step: base.Step) -> None:
            if step.stage == "render":
                held.append(tracemalloc.get_traced_memory()[0])

        films = scene_jobs.files(scene_jobs.finish("render", job, watch))
        assert all(video.describe(io.BytesIO(film)).count == frames for film in films.values())
        assert len(films) == 1 + depth
        return max(held) - held[0]

    monkeypatch.setattr(runtime.Scene, "tiles", plain)
    monkeypatch.setattr(runtime.Scene, "some_depths", lambda self, camera, count: np.ones(count, np.float32))
    tracemalloc.start()
    try:
        most(2)  # what is made once
        short, long = most(6), most(40)
    finally:
        tracemalloc.stop()
    assert long < short + 10 * 200 * 200  # a picture of the film has 120,000 bytes, one of depths 160,000


def test_a_film_that_is_given_up_ends_in_order(scene: Path, tmp_path: Path) -> None:
    job = scene_jobs.of_scene("render", scene, tmp_path / "store", path="train", video=True, depth=True)
    steps = scene_jobs.METHODS["render"].load_run()(job)
    for step in steps:
        if step.step == 2:
            break
    steps.close()


def test_what_no_film_shows_is_refused_before_anything_is_rendered(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime.Scene, "tiles", None)  # nobody calls it
    cameras = [Pinhole.from_fov(pose, 0.8, 30 + 2 * i, 20) for i, pose in enumerate(ball_captures.poses(3))]
    given = captures_of(paths.CameraPath([(camera, None) for camera in cameras], 12.0))
    for options, says in (
        ({"path": "given", "cameras": given}, "several sizes"),
        ({"path": "test", "width": video.MAX_SIDE + 2, "height": 4}, "too large"),
    ):
        with pytest.raises(UserError, match=says) as caught:
            scene_jobs.finish(
                "render", scene_jobs.of_scene("render", scene, tmp_path / "store", video=True, **options)
            )
        assert caught.value.code == "params.bad"


def test_what_a_scene_has_not_is_refused(rendered, scene: Path, tmp_path: Path) -> None:
    for options, code in (({"path": "val"}, "cameras.bad"), ({"path": "given"}, "input.bad")):
        with pytest.raises(UserError) as caught:
            rendered(**options)
        assert caught.value.code == code
    with pytest.raises(UserError, match="too large"):
        rendered(path="test", scale=16.0, width=16384)
    with pytest.raises(UserError) as caught:
        scene_jobs.finish("evaluate", scene_jobs.of_scene("evaluate", scene, tmp_path / "store", split="val"))
    assert caught.value.code == "scene.bad"
