"""Facts about whole sculpting jobs, run in this process on a tiny checkpoint with random weights."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import sculpting_jobs
import tiny_models
import trimesh
from maquette_server.cameras import sampling, turntable
from maquette_server.guidance import loading
from maquette_server.meshing import shape
from maquette_server.methods import base, mesh_sheet
from maquette_server.methods.latent_nerf import outputs
from maquette_server.methods.latent_nerf import run as story
from maquette_server.scenes import runtime
from maquette_server.scenes.files import SceneFiles
from maquette_server.training import colour_fitting
from maquette_wire.errors import UserError
from sculpting_jobs import context, finish

LOCKED = [{"lock": True}]
CENTRE, HALF = (30.0, -20.0, 10.0), 2.0


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> loading.TextToImage:
    place = tiny_models.pocket_like(tmp_path_factory.mktemp("model") / "tiny")
    return loading.load(str(place), "cpu", "text_to_image")


@pytest.fixture(scope="module", autouse=True)
def _shortened() -> Iterator[None]:
    """Less of what every job does at its end, which is the same for all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outputs, "_TURN", 6)
        patch.setattr(story, "_FIT_STEPS", 25)
        patch.setattr(colour_fitting, "_RAYS", 128)
        patch.setattr(mesh_sheet, "_VIEW", 64)
        patch.setattr(outputs, "_TURN_SIDE", 64)
        patch.setattr(sampling, "rings", lambda count: ((60.0, 4), (110.0, 4)))
        yield


@pytest.fixture(scope="module")
def boxed(model: loading.TextToImage, _shortened: None) -> base.Result:
    """A box of side 4 far from the origin, locked: the model is noise, so the sketch says all."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(story, "_FIT_STEPS", 150)
        return finish(context(model, boxes=[(CENTRE, HALF)], parts=LOCKED, steps=60))


def named(result: base.Result) -> dict[str, Any]:
    return {item.name: item.data for item in result.items}


def written(result: base.Result, place: Path) -> Path:
    for item in result.items:
        if isinstance(item.data, bytes):
            path = place / item.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(item.data)
    return place


def test_a_job_gives_a_scene_a_mesh_a_sheet_and_a_film(boxed: base.Result) -> None:
    found = named(boxed)
    assert {"scene.json", "cameras.json", "mesh.glb", "preview.png", "turntable.mp4"} <= set(found)
    with av.open(io.BytesIO(found["turntable.mp4"])) as film:
        assert film.streams.video[0].frames == 6
    assert json.loads(found["scene.json"])["method"] == "latent_nerf"
    assert boxed.preset == "draft"
    assert boxed.promise == "bit-equal"


def test_a_locked_sketch_is_the_object_where_the_sketch_stands(boxed: base.Result) -> None:
    positions = named(boxed)["positions"]
    low, high = positions.min(0), positions.max(0)
    assert low == pytest.approx(np.array(CENTRE) - HALF, abs=0.25)
    assert high == pytest.approx(np.array(CENTRE) + HALF, abs=0.25)
    kept = boxed.figures["sketch"]
    assert kept["iou"] > 0.9
    assert kept["filled"] > 0.9
    assert boxed.figures["parts"] == 1
    loaded = trimesh.load(io.BytesIO(named(boxed)["mesh.glb"]), file_type="glb", force="mesh")
    assert loaded.volume == pytest.approx((2 * HALF) ** 3, rel=0.2)


def test_the_scene_renders_the_object_from_any_camera(boxed: base.Result, tmp_path: Path) -> None:
    scene = runtime.open_scene(SceneFiles.of_folder(written(boxed, tmp_path)))
    camera = scene.cameras[0].posed()
    frame = scene.render(type(camera)(camera.world_from_camera, camera.lens.resized(48, 48)))
    assert frame.opacities[24, 24] > 0.9
    assert frame.opacities[0, 0] < 0.05
    away = np.linalg.norm(camera.world_from_camera[:3, 3] - np.array(CENTRE))
    assert away - 2 * HALF < frame.depths[24, 24] < away
    assert scene.record.up == (0.0, 0.0, 1.0)
    stops = turntable.turntable(CENTRE, 10.0, scene.record.up, 4, 10.0, 40.0, (8, 8))
    assert len(stops) == 4


def test_its_colours_are_those_that_the_decoder_gives(boxed: base.Result, tmp_path: Path) -> None:
    scene = runtime.open_scene(SceneFiles.of_folder(written(boxed, tmp_path)))
    camera = scene.cameras[0].posed()
    frame = scene.render(type(camera)(camera.world_from_camera, camera.lens.resized(32, 32)))
    solid = frame.opacities > 0.95
    from PIL import Image

    texture = np.asarray(Image.open(io.BytesIO(named(boxed)["texture.png"]))).reshape(-1, 3) / 255
    # the texture was put together from the same pictures by another way
    assert np.abs(frame.colours[solid].mean(0) - texture.mean(0)).max() < 0.15


def test_a_snapshot_is_a_scene_that_renders(model: loading.TextToImage, tmp_path: Path) -> None:
    taken: list[base.Snapshot] = []

    def watch(step: base.Step) -> None:
        if step.snapshot is not None and not taken:
            taken.append(step.snapshot(64))

    finish(context(model, steps=2), watch)
    (snapshot,) = taken
    assert snapshot.preview.shape == (64, 64, 4)
    for item in snapshot.items:
        path = tmp_path / item.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item.data)
    scene = runtime.open_scene(SceneFiles.of_folder(tmp_path))
    assert scene.record.step == 1


def test_a_job_goes_on_from_a_checkpoint_bit_for_bit(model: loading.TextToImage) -> None:
    states: list[base.State] = []

    def watch(step: base.Step) -> None:
        if step.stage == "sculpt" and step.step == 2 and step.state is not None:
            states.append(step.state())

    options: dict[str, Any] = {"steps": 4}
    whole = finish(context(model, **options), watch)
    again = finish(context(model, state=states[0], **options))
    assert (
        named(whole)["checkpoints/0000004/field.safetensors"]
        == named(again)["checkpoints/0000004/field.safetensors"]
    )
    assert named(whole)["texture.png"] == named(again)["texture.png"]


def test_a_refinement_goes_on_from_its_own_checkpoint(model: loading.TextToImage) -> None:
    states: list[base.State] = []

    def watch(step: base.Step) -> None:
        if step.stage == "refine" and step.step == 2 and step.state is not None:
            states.append(step.state())

    options: dict[str, Any] = {"steps": 3, "refine": True, "refine_steps": 4}
    whole = finish(context(model, **options), watch)
    again = finish(context(model, state=states[0], **options))
    assert whole.figures["stage"] == "refine"
    assert named(whole)["texture.png"] == named(again)["texture.png"]


def test_a_job_that_is_stopped_keeps_what_there_is_and_does_not_refine(model: loading.TextToImage) -> None:
    warnings: list[str] = []
    ctx = context(model, boxes=[(CENTRE, HALF)], parts=LOCKED, steps=500, refine=True, warnings=warnings)
    result = finish(ctx, lambda step: step.stage == "sculpt" and step.step >= 40)
    assert result.figures["steps"] == 40
    assert result.figures["stage"] == "sculpt"
    assert "mesh.glb" in named(result)
    assert any(one.startswith("sculpt.unrefined") for one in warnings)


def test_an_object_without_a_sketch_grows_in_the_middle(model: loading.TextToImage) -> None:
    result = finish(context(model, steps=3))
    positions = named(result)["positions"]
    assert np.abs(positions.mean(0)).max() < 0.2
    assert 0.2 < np.abs(positions).max() < 1.0
    assert result.figures["sketch"] is None
    assert "none" in result.figures["not_measured"]["sketch"]


def test_published_settings_run(model: loading.TextToImage) -> None:
    result = finish(context(model, preset="parity", steps=1))
    assert result.preset == "parity"
    settings = json.loads(named(result)["scene.json"])["field"]["settings"]
    assert settings["grid"]["levels"] == 16
    assert settings["blob"] == 5.0
    assert settings["reach"] == 0.0


FLAT = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]), np.array([[0, 1, 2], [0, 2, 3]])


def refused(model: loading.TextToImage, parts: list[Any]) -> UserError:
    from maquette_wire import messages

    ctx = context(model)
    ctx.inputs["sketch"] = messages.SketchInput(parts=tuple(parts))  # type: ignore[index]
    with pytest.raises(UserError) as told:
        finish(ctx)
    return told.value


def test_a_sketch_without_objects_is_refused(model: loading.TextToImage) -> None:
    assert refused(model, []).code == "sketch.empty"


def test_a_sketch_without_volume_is_refused_by_name(model: loading.TextToImage) -> None:
    from maquette_wire import messages

    blobs: dict[str, bytes] = {}
    ctx = context(model)
    plane = messages.SketchPart(mesh=sculpting_jobs.mesh(blobs, "Plane", *FLAT))
    ctx = _with(ctx, messages.SketchInput(parts=(plane,)), blobs)
    with pytest.raises(UserError, match="'Plane'") as told:
        finish(ctx)
    assert told.value.code == "sketch.flat"


def test_a_part_of_scale_zero_is_refused_by_name(model: loading.TextToImage) -> None:
    from maquette_wire import messages
    from shapes import box

    blobs: dict[str, bytes] = {}
    nothing = ((0.0, 0.0, 0.0, 0.0),) * 3 + ((0.0, 0.0, 0.0, 1.0),)
    part = messages.SketchPart(
        mesh=sculpting_jobs.mesh(blobs, "Dot", *box((0, 0, 0), 1.0), world_from_object=nothing)
    )
    ctx = _with(context(model), messages.SketchInput(parts=(part,)), blobs)
    with pytest.raises(UserError, match="'Dot'") as told:
        finish(ctx)
    assert told.value.code == "mesh.degenerate"
    assert "scale that is not zero" in told.value.hint


def test_a_plane_beside_a_solid_is_warned_of(model: loading.TextToImage) -> None:
    from maquette_wire import messages
    from shapes import box

    blobs: dict[str, bytes] = {}
    warnings: list[str] = []
    parts = (
        messages.SketchPart(mesh=sculpting_jobs.mesh(blobs, "Plane", *FLAT)),
        messages.SketchPart(mesh=sculpting_jobs.mesh(blobs, "Solid", *box((0, 0, 0), 1.0)), lock=True),
    )
    finish(_with(context(model, warnings=warnings, steps=40), messages.SketchInput(parts=parts), blobs))
    assert any("'Plane' encloses no volume" in one for one in warnings)
    assert not any("'Solid'" in one for one in warnings)


def test_an_empty_prompt_is_refused(model: loading.TextToImage) -> None:
    with pytest.raises(UserError) as told:
        context(model, prompt="  ")
    assert told.value.code == "prompt.empty"


def test_a_mesh_of_too_few_faces_comes_with_more_of_them_and_a_warning(
    model: loading.TextToImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shape, "COARSEST", 80)  # where a box has more than 500 faces
    warnings: list[str] = []
    ctx = context(
        model, boxes=[(CENTRE, HALF)], parts=LOCKED, warnings=warnings, steps=40, texture_size=64, faces=500
    )
    assert finish(ctx).figures["faces"] > 500
    assert any(one.startswith("sculpt.faces") for one in warnings)


def test_nothing_grown_is_told(model: loading.TextToImage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "_DENSITY", 1e9)
    with pytest.raises(UserError) as told:
        finish(context(model, steps=1))
    assert told.value.code == "sculpt.empty"


def test_up_and_front_of_the_input_are_kept(model: loading.TextToImage) -> None:
    result = finish(context(model, steps=1, up=(0.0, 0.0, 1.0), front=(0.0, -1.0, 0.0)))
    record = json.loads(named(result)["scene.json"])
    assert record["up"] == [0.0, 0.0, 1.0]
    cameras = json.loads(named(result)["cameras.json"])["frames"]
    first = np.array(cameras[0]["transform_matrix"])
    # the first camera looks from the front, which is -y
    assert first[1, 3] < -1
    assert abs(first[0, 3]) < 1e-6


def _with(ctx: base.RunContext, sketch: Any, blobs: dict[str, bytes]) -> base.RunContext:
    import dataclasses

    from maquette_wire import arrays

    def array(reference: Any) -> Any:
        return arrays.from_bytes(reference.dtype, reference.shape, blobs[reference.digest])

    return dataclasses.replace(ctx, inputs={"sketch": sketch}, array=array)
