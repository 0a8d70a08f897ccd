"""An edit goes by the depths that came with the pictures, and by the field's where there are none."""

import dataclasses
from pathlib import Path
from typing import Any

import depth_captures
import msgspec
import numpy as np
import pytest
import scene_jobs
import tiny_models
from maquette_server.guidance import instruct_edit, loading
from maquette_server.media import exr
from maquette_server.methods.instruct_nerf2nerf import METHOD, source, views
from maquette_server.scenes import runtime
from maquette_wire.errors import UserError

NAME = METHOD.name
COUNT, WITHOUT = 13, 4  # views, and one of them that has no depths; 10 are learnt from


@pytest.fixture(scope="module", autouse=True)
def _quick():
    with pytest.MonkeyPatch.context() as patch:
        scene_jobs.make_quick(patch)
        yield


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> loading.InstructEdit:
    place = tiny_models.editor_like(tmp_path_factory.mktemp("model") / "tiny")
    return loading.load(str(place), "cpu", "instruct_edit")


def reconstructed(place: Path, steps: int) -> Path:
    depth_captures.write(place / "data", COUNT, without=(WITHOUT,))
    made = scene_jobs.finish(
        "reconstruct", scene_jobs.reconstruct(place / "data", place / "store", steps=steps)
    )
    return scene_jobs.write(made, place / "scene")


@pytest.fixture(scope="module")
def unlearnt(tmp_path_factory) -> Path:
    """The ball, with exact depths and a field that has learnt nothing of it."""
    return reconstructed(tmp_path_factory.mktemp("unlearnt"), 1)


def opened(scene: Path, place: Path, model: Any) -> tuple[source.Source, views.Views]:
    """What is edited, as it is before the first edit."""

    def given(kind: str) -> Any:
        assert kind == "instruct_edit"
        return model

    ctx = scene_jobs.of_scene(NAME, scene, place / "store", model=given, prompt="make it blue")
    steps = source.load(ctx)
    try:
        while True:
            next(steps)
    except StopIteration as end:
        found = end.value
    return found, views.Views(
        found, instruct_edit.InstructionEditor(model, "make it blue"), 64, keep=False, matt=False
    )


def inverted(pixels: np.ndarray) -> np.ndarray:
    return np.dstack([255 - pixels[..., :3], pixels[..., 3:]])


def followed(seen: views.Views, found: source.Source, view: int) -> tuple[float, float]:
    """All other views have been edited, and this one follows: which share of the ball it learns, and by how
    much colours are wrong there, 0..1.
    """
    for other in range(len(seen)):
        if other != view:
            seen.put(other, inverted(found.photographs[other].pixels))
    for _ in seen.see(found.field, range(len(seen))):
        pass
    picture = seen.followed(view)
    truth = inverted(found.photographs[view].pixels)
    ball = truth[..., 3] == 255
    known = ball if picture.known is None else ball & picture.known
    wrong = np.abs(picture.pixels[..., :3].astype(float) - truth[..., :3])[known].mean() / 255
    return float(known.sum() / ball.sum()), float(wrong)


def test_views_follow_by_exact_depths_whatever_the_field_says(unlearnt, model, tmp_path) -> None:
    found, seen = opened(unlearnt, tmp_path, model)
    assert (len(seen), seen.with_depth) == (10, 9)
    share, wrong = followed(seen, found, 5)
    assert share > 0.4
    assert wrong < 0.03


def test_without_them_such_a_field_tells_views_nothing(unlearnt, model, tmp_path) -> None:
    found, _ = opened(unlearnt, tmp_path, model)
    records = tuple(msgspec.structs.replace(one, depth=None) for one in found.records)
    bare = dataclasses.replace(found, records=records)
    seen = views.Views(
        bare, instruct_edit.InstructionEditor(model, "make it blue"), 64, keep=False, matt=False
    )
    assert seen.with_depth == 0
    share, _ = followed(seen, bare, 5)
    assert share < 0.2


def test_where_no_depth_is_known_the_fields_stands(unlearnt, model, tmp_path) -> None:
    found, seen = opened(unlearnt, tmp_path, model)
    view = next(number for number, one in enumerate(found.records) if one.depth is not None)
    whole = exr.load(found.files.place(str(found.records[view].depth)))
    half = np.where(np.arange(36) < 18, 0, whole).astype(np.float32)
    place = tmp_path / "half.exr"
    exr.save(place, half)
    found.files.places[str(found.records[view].depth)] = place
    shape = seen._shape(found.field, view)
    record, camera = found.scene.record, seen.cameras[view]
    own = runtime.look(views._quick(found.field), camera, record.near, record.far).depths
    side = camera.lens.width // 2
    np.testing.assert_array_equal(shape.depths[:, :side], own[:, :side])
    expected = depth_captures.depth(camera.world_from_camera, camera.lens)[:, side:]
    here = shape.depths[:, side:]
    both = np.isfinite(expected) & np.isfinite(here)
    assert both.mean() > 0.2
    assert np.abs(expected[both] - here[both]).mean() < 0.05  # of 3 and more; they are those of a near pixel


def test_they_stay_with_the_edited_scene_and_serve_the_next_edit(model, tmp_path) -> None:
    scene = reconstructed(tmp_path, 40)

    def given(kind: str) -> Any:
        if kind != "instruct_edit":
            raise UserError("model.not_found", f"No model of the kind {kind} was chosen.")
        return model

    def edited(of: Path, name: str) -> tuple[Path, dict[str, Any]]:
        ctx = scene_jobs.of_scene(
            NAME,
            of,
            tmp_path / name / "store",
            model=given,
            prompt="make it blue",
            calls=2,
            views=3,
            steps=4,
            lpips="off",
        )
        result = scene_jobs.finish(NAME, ctx)
        return scene_jobs.write(result, tmp_path / name / "scene"), result.figures

    first, figures = edited(scene, "first")
    assert figures["views_with_depth"] == 9
    names = sorted(path.name for path in (scene / "depths").iterdir())
    assert len(names) == COUNT - 1
    assert sorted(path.name for path in (first / "depths").iterdir()) == names
    for name in names:
        assert (first / "depths" / name).read_bytes() == (scene / "depths" / name).read_bytes()
    assert edited(first, "second")[1]["views_with_depth"] == 9


def test_a_damaged_depth_is_told_by_its_name(unlearnt, model, tmp_path) -> None:
    found, seen = opened(unlearnt, tmp_path, model)
    view = next(number for number, one in enumerate(found.records) if one.depth is not None)
    name = str(found.records[view].depth)
    place = tmp_path / "cut.exr"
    place.write_bytes(found.files.read(name)[:-40])
    found.files.places[name] = place
    with pytest.raises(UserError) as caught:
        seen._shape(found.field, view)
    assert caught.value.code == "image.bad"
    assert name in caught.value.sentence
    del found.files.places[name]
    with pytest.raises(UserError) as caught:
        seen._shape(found.field, view)
    assert caught.value.code == "scene.bad"
