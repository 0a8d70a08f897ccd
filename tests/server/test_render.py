"""The method behind `maquette render`, in this process: paths, sizes, transparency, films, refusals."""

import io
import tracemalloc
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import ball_captures
import numpy as np
import pytest
import scene_jobs
from maquette_server.cameras import paths
from maquette_server.cameras.pinhole import Pinhole
from maquette_server.cli import captures
from maquette_server.media import png, video
from maquette_server.methods import base
from maquette_server.rendering.posed import Posed
from maquette_server.scenes import runtime
from maquette_wire.errors import UserError


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a scene that learnt for a moment."""
    place = tmp_path_factory.mktemp("learnt")
    ball_captures.write(place / "ball", 8)
    with pytest.MonkeyPatch.context() as patch:
        scene_jobs.make_quick(patch)
        job = scene_jobs.reconstruct(place / "ball", place / "store", steps=20)
        return scene_jobs.write(scene_jobs.finish("reconstruct", job), place / "scene")


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
    given = captures.cameras(paths.CameraPath([(camera, None) for camera in cameras], 12.0).stops)
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
