"""Facts about whole reconstructions of a ball that is known in closed form, small and in this process."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ball_captures
import captures
import numpy as np
import pytest
import safetensors.torch
import scene_jobs
import torch
from maquette_server.cameras.lens import Lens
from maquette_server.datasets import opening, reducing, writing
from maquette_server.datasets.base import DataSet
from maquette_server.methods import base, reconstruct
from maquette_server.methods.reconstruct import learning, space
from maquette_server.rendering import marching
from maquette_server.scenes import runtime
from maquette_server.scenes.files import SceneFiles
from maquette_server.worker import states
from maquette_wire.errors import UserError
from scene_jobs import finish


@pytest.fixture(scope="module", autouse=True)
def quick_training() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        scene_jobs.make_quick(patch)
        yield


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of the ball with transparency."""
    folder = tmp_path_factory.mktemp("ball")
    ball_captures.write(folder, 12)
    return folder


def run(folder: Path, watch=lambda step: None, **options: Any) -> base.Result:
    """The reconstruction of a data set; its files are kept beside it."""
    return finish("reconstruct", scene_jobs.reconstruct(folder, folder.parent / "store", **options), watch)


@pytest.fixture
def ending_rays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rays end where light does although little has been learnt."""
    monkeypatch.setattr(marching, "SPENT", 0.5)


def psnr(result: base.Result, place: Path, split: str) -> float:
    scene = scene_jobs.write(result, place / "scene")
    job = scene_jobs.of_scene("evaluate", scene, place / "evaluated", split=split)
    return float(finish("evaluate", job).figures["psnr"])


def refusal(folder: Path, **options: Any) -> UserError:
    with pytest.raises(UserError) as caught:
        run(folder, **({"steps": 1} | options))
    assert "\n" not in caught.value.line()
    return caught.value


def saved(state: base.State) -> base.State:
    """The state as a worker finds it again on the disk."""
    framework, data = states.to_bytes(state)
    assert framework == "torch"
    return base.State(safetensors.torch.load(data), json.loads(json.dumps(state.values)))


def test_it_learns_views_that_it_has_not_seen(tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "data", 24)
    result = run(tmp_path / "data", steps=300)
    assert result.figures["steps"] == 300
    assert result.figures["bounds"] == "object"
    assert result.figures["training_pictures"] == 18
    assert result.figures["occupied"] < 0.9
    assert psnr(result, tmp_path, "test") > 18.5
    assert psnr(result, tmp_path, "train") > 22
    scene = runtime.open_scene(SceneFiles.of_folder(tmp_path / "scene"))
    camera = scene.cameras[2].posed()
    frame = scene.render(camera)
    truth = ball_captures.depth(camera.world_from_camera, camera.lens)
    inner = np.isfinite(truth) & (frame.opacities > 0.95)
    assert inner.sum() > 50
    assert float(np.median(np.abs(frame.depths[inner] - truth[inner]))) < 0.5  # the ball's radius is 1


def test_a_job_gives_a_scene_with_its_pictures(ball: Path) -> None:
    ctx = scene_jobs.reconstruct(ball, ball.parent / "store", steps=8)
    result = finish("reconstruct", ctx)
    names = [item.name for item in result.items]
    assert {"scene.json", "cameras.json", "preview.png"} < set(names)
    assert sorted(name for name in names if name.startswith("checkpoints/")) == [
        "checkpoints/0000006/field.safetensors",
        "checkpoints/0000008/field.safetensors",
    ]
    assert sum(name.startswith("images/") for name in names) == 12
    assert {item.role for item in result.items} == {"scene"}
    assert result.promise == "bit-equal"
    assert set(result.backends) == {"field"}
    assert ctx.timer.names == ["load", "learn", "write"]
    assert json.loads(json.dumps(result.figures, allow_nan=False)) == result.figures


@pytest.mark.usefixtures("ending_rays")
def test_the_same_seed_gives_the_same_bytes_and_another_other_ones(ball: Path) -> None:
    first, again, other = (
        scene_jobs.files(run(ball, steps=25, seed=seed))["checkpoints/0000025/field.safetensors"]
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


@pytest.mark.usefixtures("ending_rays")
@pytest.mark.parametrize("bounds", ["object", "unbounded"])
def test_a_job_resumed_from_any_checkpoint_ends_with_the_same_bytes(ball: Path, bounds: str) -> None:
    taken: dict[tuple[str, int], base.State] = {}

    def keep(step: base.Step) -> None:
        if step.state is not None and (step.stage, step.step) in {
            ("learn", 1),
            ("learn", 17),
            ("learn", 31),
            ("learn", 40),
            ("write", 40),
        }:
            taken.setdefault((step.stage, step.step), saved(step.state()))

    whole = run(ball, keep, steps=40, bounds=bounds)
    assert len(taken) == 5
    for place, state in taken.items():
        resumed: list[int] = []
        again = run(
            ball, lambda step, seen=resumed: seen.append(step.step), steps=40, state=state, bounds=bounds
        )
        assert scene_jobs.files(again) == scene_jobs.files(whole), place
        assert again.figures["loss"] == whole.figures["loss"], place
        assert min(step for step in resumed if step) > place[1] - (place[1] == 40)


def test_stop_and_keep_ends_early_with_a_whole_scene(ball: Path, tmp_path: Path) -> None:
    result = run(ball, lambda step: step.stage == "learn" and step.step == 100, steps=5000)
    assert result.figures["steps"] == 100
    assert "checkpoints/0000100/field.safetensors" in scene_jobs.files(result)
    assert psnr(result, tmp_path, "test") > 12  # 8.5 after the first step


def test_closing_a_job_at_any_yield_raises_nothing(ball: Path) -> None:
    for count in (1, 5, 15):
        steps = reconstruct.METHOD.load_run()(scene_jobs.reconstruct(ball, ball.parent / "store", steps=30))
        for _ in range(count):
            next(steps)
        steps.close()


def test_a_snapshot_is_a_scene_so_far_and_changes_nothing(ball: Path, tmp_path: Path) -> None:
    taken: list[base.Snapshot] = []

    def look(step: base.Step) -> None:
        if step.snapshot is not None and step.step in (3, 6):
            taken.append(step.snapshot(20))

    watched = run(ball, look, steps=8)
    assert scene_jobs.files(watched) == scene_jobs.files(run(ball, steps=8))
    assert [snapshot.preview.shape for snapshot in taken] == [(20, 20, 4), (20, 20, 4)]
    assert taken[0].preview.dtype == np.uint8
    early = scene_jobs.write(base.Result(taken[0].items, {}), tmp_path / "early")
    assert runtime.open_scene(SceneFiles.of_folder(early)).record.step == 3


def test_seconds_count_the_optimisation_and_are_kept_through_a_pause(ball: Path) -> None:
    taken: list[base.State] = []

    def keep(step: base.Step) -> None:
        if step.stage == "learn" and not taken and step.state is not None:
            taken.append(saved(step.state()))

    result = run(ball, keep, seconds=1.5)
    assert result.promise == "no step lost"
    assert 1.5 <= result.figures["optimisation_seconds"] < 4.0
    assert result.figures["steps"] > 1
    assert 0 < taken[0].values["seconds"] < result.figures["optimisation_seconds"]
    almost = base.State(taken[0].tensors, taken[0].values | {"seconds": 1.49})
    resumed = run(ball, seconds=1.5, state=almost)
    assert 1.5 <= resumed.figures["optimisation_seconds"] < 4.0
    assert resumed.figures["steps"] >= taken[0].values["step"], "goes on where it was"
    assert resumed.figures["steps"] <= result.figures["steps"]


@pytest.mark.parametrize("reduce", [1, 5])
def test_what_a_mask_leaves_out_changes_nothing(tmp_path: Path, reduce: int) -> None:
    found, rows = [], []
    for name, garbage in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        made = ball_captures.write(tmp_path / name, 6)
        frames = []
        for frame in made.frames:
            known = np.ones((ball_captures.SIDE, ball_captures.SIDE), np.uint8) * 255
            known[12:22, 12:20] = 0
            picture = ball_captures.picture(frame.world_from_camera, frame.lens)
            picture[known == 0, :3] = garbage
            captures.save(frame.image, picture)
            mask = captures.save(
                tmp_path / name / "masks" / frame.image.name, np.repeat(known[..., None], 3, -1)
            )
            frames.append(dataclasses.replace(frame, mask=mask))
        writing.write(dataclasses.replace(made, frames=tuple(frames)), tmp_path / name)
        result = run(tmp_path / name, steps=20, reduce=reduce)
        found.append(scene_jobs.files(result))
        scene = scene_jobs.write(result, tmp_path / f"{name} scene")
        job = scene_jobs.of_scene("evaluate", scene, tmp_path / "store")
        rows.append(json.loads(scene_jobs.files(finish("evaluate", job))["evaluation.json"])["images"])
    red, blue = found
    assert red["checkpoints/0000020/field.safetensors"] == blue["checkpoints/0000020/field.safetensors"]
    assert sum(name.startswith("masks/") for name in red) == 6
    assert all(0 < row["known"] < 1 for row in rows[0])
    assert [row["psnr"] for row in rows[0]] == [row["psnr"] for row in rows[1]]


def test_scenes_of_any_size_learn_alike(tmp_path: Path) -> None:
    found = {}
    for size in (1.0, 1e-3, 1e4):
        ball_captures.write(tmp_path / f"{size}", 8, size)
        found[size] = run(tmp_path / f"{size}", steps=60).figures
    for size in (1e-3, 1e4):
        assert found[size]["loss"]["colour"] == pytest.approx(found[1.0]["loss"]["colour"], rel=0.25)
        assert found[size]["occupied"] == pytest.approx(found[1.0]["occupied"], abs=0.05)


def test_a_distorted_lens_learns_as_well_as_a_plain_one(tmp_path: Path) -> None:
    found = {}
    for name, lens in (("plain", ball_captures.PINHOLE), ("barrel", ball_captures.BARREL)):
        ball_captures.write(tmp_path / name, 8, lens=lens)
        found[name] = run(tmp_path / name, steps=60).figures["loss"]["colour"]
    assert found["barrel"] < 1.5 * found["plain"]


def test_opaque_pictures_make_a_place_without_bounds(tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "data", 8, opaque=True)
    result = run(tmp_path / "data", steps=60)
    assert result.figures["bounds"] == "unbounded"
    assert result.figures["loss"]["colour"] < 0.05
    scene = json.loads(scene_jobs.files(result)["scene.json"])
    assert scene["aabb"] is None
    assert scene["near"] > 0


def test_bounds_can_be_said(ball: Path, tmp_path: Path) -> None:
    assert run(ball, steps=2, bounds="unbounded").figures["bounds"] == "unbounded"
    ball_captures.write(tmp_path / "data", 6, opaque=True)
    assert run(tmp_path / "data", steps=2, bounds="object").figures["bounds"] == "object"


def test_an_alpha_channel_without_transparency_is_no_transparency(tmp_path: Path) -> None:
    made = ball_captures.write(tmp_path / "data", 6, opaque=True)
    for frame in made.frames:
        picture = ball_captures.picture(frame.world_from_camera, frame.lens, opaque=True)
        captures.save(frame.image, np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)]))
    assert run(tmp_path / "data", steps=2).figures["bounds"] == "unbounded"


def test_pictures_that_show_nothing_make_an_empty_scene(tmp_path: Path) -> None:
    made = ball_captures.write(tmp_path / "data", 6)
    for frame in made.frames:
        captures.save(frame.image, np.zeros((ball_captures.SIDE, ball_captures.SIDE, 4), np.uint8))
    result = run(tmp_path / "data", steps=150)
    assert result.figures["bounds"] == "object"
    scene = runtime.open_scene(SceneFiles.of_folder(scene_jobs.write(result, tmp_path / "scene")))
    for camera in scene.cameras:
        assert float(scene.render(camera.posed()).opacities.max()) < 0.3  # 0.9 after the first step


def test_cameras_side_by_side_need_no_common_point(tmp_path: Path) -> None:
    made = ball_captures.write(tmp_path / "data", 5, opaque=True)
    frames = []
    for number, frame in enumerate(made.frames):
        pose = made.frames[0].world_from_camera.copy()
        pose[:3, 3] += 0.2 * number * pose[:3, 0]
        captures.save(frame.image, ball_captures.picture(pose, frame.lens, opaque=True))
        frames.append(dataclasses.replace(frame, world_from_camera=pose))
    writing.write(dataclasses.replace(made, frames=tuple(frames)), tmp_path / "data")
    assert run(tmp_path / "data", steps=2).figures["steps"] == 2


def test_pictures_of_different_exposure_may_have_codes_of_their_own(ball: Path) -> None:
    result = run(ball, steps=6, appearance=True)
    files = scene_jobs.files(result)
    settings = json.loads(files["scene.json"])["field"]["settings"]
    assert settings["appearances"] == result.figures["training_pictures"] == 9
    codes = safetensors.torch.load(files["checkpoints/0000006/field.safetensors"])["field.appearance"]
    assert codes.shape == (9, settings["appearance"])
    assert bool((codes != 0).any(1).all()), "each has learnt something"
    assert len(codes.unique(dim=0)) == 9, "and not the same"


def test_pictures_may_be_reduced(ball: Path) -> None:
    assert run(ball, steps=2, reduce=3).figures["steps"] == 2
    assert refusal(ball, reduce=64).code == "params.bad"


def captured_of(dataset: DataSet, reduce: int = 1) -> learning.Capture:
    loading = learning.capture(dataset, reduce)
    try:
        while True:
            next(loading)
    except StopIteration as stopped:
        found: learning.Capture = stopped.value
        return found


@pytest.mark.parametrize("factor", [1, 2, 5, 7])
def test_a_reduced_picture_keeps_the_rays_of_its_pixels(ball: Path, factor: int) -> None:
    captured = captured_of(opening.read(ball), factor)
    lens, side = captured.frames[0].lens, ball_captures.SIDE // factor
    assert captured.pictures[0].shape[:2] == (lens.height, lens.width) == (side, side)
    fine = ball_captures.PINHOLE.directions(ball_captures.PINHOLE.pixel_centres())
    blocks = fine[: side * factor, : side * factor].reshape(side, factor, side, factor, 3).mean((1, 3))
    np.testing.assert_allclose(lens.directions(lens.pixel_centres()), blocks, atol=1e-12)


def one_lens(made: DataSet) -> DataSet:
    return made


def a_lens_each(made: DataSet) -> DataSet:
    frames = [
        dataclasses.replace(frame, lens=dataclasses.replace(frame.lens, focal_x=46.0 + number))
        for number, frame in enumerate(made.frames)
    ]
    return dataclasses.replace(made, frames=tuple(frames))


def some_masks(made: DataSet) -> DataSet:
    kept = np.zeros((ball_captures.SIDE, ball_captures.SIDE, 3), np.uint8)
    kept[:, :10] = 255
    mask = captures.save(made.folder / "mask.png", kept)
    frames = [
        dataclasses.replace(frame, mask=mask if number % 2 else None)
        for number, frame in enumerate(made.frames)
    ]
    return dataclasses.replace(made, frames=tuple(frames))


@pytest.mark.parametrize("change", [one_lens, a_lens_each, some_masks])
@pytest.mark.parametrize("lens", [ball_captures.PINHOLE, ball_captures.BARREL], ids=["plain", "barrel"])
def test_all_that_learning_holds_counts_towards_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lens: Lens, change: Callable[[DataSet], DataSet]
) -> None:
    made = change(ball_captures.write(tmp_path, 6, lens=lens))
    captured = captured_of(made)
    room = space.of(made, captured.frames, captured.pictures, "object", known=captured.known)
    pixels = learning.pixels_of(captured, room, torch.device("cpu"))
    held = sum(each.nbytes for each in (*captured.pictures, *captured.known) if each is not None)
    held += sum(each.nbytes for each in (pixels._bytes, pixels._known, pixels.cameras._tables))
    monkeypatch.setattr(learning, "MOST_BYTES", held)
    captured_of(made)
    monkeypatch.setattr(learning, "MOST_BYTES", held - 1)
    with pytest.raises(UserError, match="GiB of memory") as caught:
        captured_of(made)
    assert caught.value.code == "dataset.bad"
    assert "--reduce" in caught.value.hint


def test_scenes_that_were_made_otherwise_have_ids_of_their_own(ball: Path) -> None:
    found = [
        json.loads(scene_jobs.files(run(ball, steps=2, bounds="unbounded", **options))["scene.json"])["id"]
        for options in ({}, {}, {"reduce": 2}, {"appearance": True})
    ]
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_reducing_is_a_mean_that_hidden_colours_do_not_enter() -> None:
    picture = np.zeros((5, 4, 4), np.uint8)
    picture[..., 0] = 255
    picture[:, ::2] = (0, 200, 100, 255)
    small = reducing.reduced(picture, 2)
    assert small.shape == (2, 2, 4)
    assert (small == (0, 200, 100, 128)).all()
