"""Facts about whole painting jobs, run in this process on a tiny checkpoint with random weights."""

import dataclasses
import hashlib
import io
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import painting_jobs
import pytest
import tiny_models
import trimesh
from maquette_server.baking import pauses, surface
from maquette_server.geometry import uv_raster
from maquette_server.guidance import bridge, loading
from maquette_server.methods import base, latent_paint
from maquette_server.methods.latent_paint import mask, outputs, painting
from maquette_server.methods.latent_paint import run as story
from maquette_server.rasterise import embree
from maquette_wire import arrays, errors, messages
from painting_jobs import finish
from PIL import Image
from scipy import ndimage


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> loading.TextToImage:
    folder = tiny_models.pocket_like(tmp_path_factory.mktemp("model") / "tiny")
    return loading.load(str(folder), "cpu", "text_to_image")


def context(
    model: loading.TextToImage, *, state: base.State | None = None, **options: Any
) -> base.RunContext:
    """A job on a box with UVs of its own (each side a cell), small and quick."""
    blobs: dict[str, bytes] = {}

    def kept(array: np.ndarray) -> arrays.ArrayRef:
        dtype, shape, data = arrays.to_bytes(array)
        blobs[arrays.digest_of(data)] = data
        return arrays.ArrayRef(dtype, shape, arrays.digest_of(data))

    def stored(data: bytes) -> messages.BlobRef:
        blobs[arrays.digest_of(data)] = data
        return messages.BlobRef(digest=arrays.digest_of(data), size=len(data))

    positions, triangles, uvs = box()
    weights = options.pop("weights", None)
    mesh = messages.MeshInput(
        name="Box",
        positions=kept(positions),
        triangles=kept(triangles),
        corner_uvs=kept(uvs) if options.pop("own_uvs", True) else None,
        corner_weights=None if weights is None else kept(weights),
        base_colour=(0.25, 0.5, 0.75),
    )
    inputs: dict[str, Any] = {"mesh": mesh}
    for role, kind in (("texture", messages.TextureInput), ("mask", messages.MaskInput)):
        if (picture := options.pop(role, None)) is not None:
            inputs[role] = kind(image=stored(as_png(picture)))
    warnings: list[tuple[str, str]] = options.pop("warnings", [])
    params = {"prompt": "a red box", "steps": 3, "texture_size": 128, "views_per_step": 1, **options}
    return base.RunContext(
        params=latent_paint.METHOD.read_params(params),
        inputs=inputs,
        array=lambda ref: arrays.from_bytes(ref.dtype, ref.shape, blobs[ref.digest]),
        file=lambda ref: blobs[ref.digest],
        seed=3,
        device="cpu",
        model=lambda kind: model,
        warn=lambda code, sentence: warnings.append((code, sentence)),
        timer=painting_jobs.Stages(),
        state=state,
    )


def box() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions [8, 3], triangles [12, 3], corner UVs [12, 3, 2]: each side a cell of a 3 x 2 grid."""
    mesh = trimesh.creation.box()
    triangles = mesh.faces.astype(np.int32)
    uvs = np.zeros((12, 3, 2), np.float32)
    for face in range(12):
        normal = mesh.face_normals[face]
        axis = int(np.abs(normal).argmax())
        cell = np.array([axis, int(normal[axis] > 0)])
        flat = np.delete(mesh.vertices[triangles[face]], axis, 1) + 0.5
        uvs[face] = (cell + 0.1 + 0.8 * flat) / (3, 2)
    return mesh.vertices.astype(np.float32), triangles, uvs


def as_png(picture: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def texture_of(result: base.Result) -> np.ndarray:
    data = next(item.data for item in result.items if item.name == "texture.png")
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def test_a_job_gives_texture_uvs_mesh_and_views(model):
    ctx = context(model)
    result = finish(ctx)
    assert [item.name for item in result.items] == ["texture.png", "uv", "mesh.glb", "preview.png"]
    assert texture_of(result).shape == (128, 128, 3)
    assert result.items[1].data.shape == (36, 2)
    assert result.figures["uv"] == "own"
    assert result.promise == "bit-equal"
    assert ctx.timer.names == ["prepare", "load", "views", "paint", "bake", "write"]


def test_the_same_seed_gives_the_same_texture(model):
    assert np.array_equal(texture_of(finish(context(model))), texture_of(finish(context(model))))


@pytest.mark.parametrize("background", ["mix", "flat", "learned"])
def test_a_job_resumed_from_any_checkpoint_ends_with_the_same_bytes(model, background):
    states = []

    def keep(step: base.Step) -> None:
        if step.state is not None:
            states.append(step.state())

    options = {"background": background, "own_uvs": False}
    whole = finish(context(model, **options), keep)
    digest = hashlib.sha256(whole.items[0].data).hexdigest()
    for state in (states[0], states[-2]):
        again = finish(context(model, state=state, **options))
        assert hashlib.sha256(again.items[0].data).hexdigest() == digest


def test_stop_and_keep_ends_early_with_a_whole_result(model):
    seen = []

    def stop_at_two(step: base.Step) -> bool:
        seen.append((step.stage, step.step))
        return step.stage == "paint" and step.step == 2

    result = finish(context(model, steps=50), stop_at_two)
    assert result.figures["steps"] == 2
    assert ("paint", 3) not in seen
    assert len(result.items) == 4


def test_closing_a_job_at_any_yield_raises_nothing(model):
    for count in (1, 3, 6):
        steps = story.run(context(model))
        for _ in range(count):
            next(steps)
        steps.close()


def test_a_snapshot_is_a_result_so_far(model):
    taken = []

    def look(step: base.Step) -> None:
        if step.snapshot is not None and not taken:
            taken.append(step.snapshot(100))

    finish(context(model), look)
    snapshot = taken[0]
    assert [item.role for item in snapshot.items] == ["texture", "uv"]
    assert snapshot.preview.shape == (64, 64, 4)
    assert snapshot.preview.dtype == np.uint8


def test_a_snapshot_changes_nothing(model):
    plain = finish(context(model))
    watched = finish(context(model), lambda step: step.snapshot and step.snapshot(64) and None)
    assert plain.items[0].data == watched.items[0].data


class Work:
    """Counts what costs time: cameras that something is drawn for, pictures that are coded."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.cameras: set[bytes] = set()
        self.coded = 0
        draw = embree.EmbreeRasteriser.rasterise
        encode, decode = bridge.RgbBridge.to_latents, bridge.RgbBridge.to_rgb

        def drawn(rasteriser: Any, camera: Any) -> Any:
            self.cameras.add(camera.world_from_camera.tobytes())
            return draw(rasteriser, camera)

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def coded(*words: Any, **options: Any) -> Any:
                self.coded += 1
                return call(*words, **options)

            return coded

        patch.setattr(embree.EmbreeRasteriser, "rasterise", drawn)
        patch.setattr(bridge.RgbBridge, "to_latents", counted(encode))
        patch.setattr(bridge.RgbBridge, "to_rgb", counted(decode))

    def reset(self) -> None:
        """Counts from 0 again."""
        self.cameras.clear()
        self.coded = 0


@pytest.mark.parametrize("options", [{}, {"texture": np.full((128, 128, 3), 90, np.uint8)}])
def test_between_two_yields_lies_the_work_of_one_view_at_most(model, monkeypatch, options):
    work = Work(monkeypatch)
    stages = set()

    def look(step: base.Step) -> None:
        assert len(work.cameras) <= 1, step.stage
        assert work.coded <= 1, step.stage
        stages.add(step.stage)
        work.reset()

    finish(context(model, rasteriser="embree", **options), look)
    assert len(work.cameras) <= 1
    assert stages == {"prepare", "load", "look", "views", "paint", "bake", "write"}


def test_a_snapshot_draws_a_handful_of_views(model, monkeypatch):
    work = Work(monkeypatch)

    def look(step: base.Step) -> None:
        if step.snapshot is not None:
            work.reset()
            step.snapshot(512)
            assert len(work.cameras) == work.coded == 6

    finish(context(model, rasteriser="embree"), look)


def test_a_mesh_without_uvs_gets_an_atlas_and_the_reason_is_told(model):
    result = finish(context(model, own_uvs=False))
    assert "no UV map" in result.figures["uv"]
    assert result.figures["charts"] >= 1


def test_the_parity_preset_decodes_its_own_texture(model):
    result = finish(context(model, preset="parity"))
    side = 2 * model.sample_size * model.factor
    assert texture_of(result).shape == (side, side, 3)


def test_what_the_parity_preset_does_not_measure_is_none_with_a_reason(model):
    figures = finish(context(model, preset="parity")).figures
    assert figures["unseen_texels"] is None
    assert figures["visible_unseen"] is None
    assert set(figures["not_measured"]) >= {"unseen_texels", "visible_unseen"}
    assert json.loads(json.dumps(figures, allow_nan=False)) == figures


def test_a_box_whose_sides_are_all_measured_has_no_reason_to_give(model):
    figures = finish(context(model)).figures
    assert figures["not_measured"] == {}
    assert figures["seam_step"] > 0


def test_what_no_pixel_shows_is_not_measured_as_seen():
    needle = np.array([[0, -0.35, 0], [0.002, -0.35, 0], [0.002, 0.85, 0], [0, 0.85, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    uvs = np.array([[[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]], np.float32)
    target = SimpleNamespace(
        positions=needle, triangles=triangles, painted_uvs=uvs, uv_source="own", charts=None,
        mesh=SimpleNamespace(triangles=triangles),
    )  # fmt: skip
    texels = surface.texels(needle, triangles, uvs, 64)
    unseen = np.zeros(len(texels.index), bool)
    grey = np.full((64, 64, 3), 128, np.uint8)
    figures = pauses.drained(outputs.figures(target, grey, texels, unseen, "a bar"))
    assert figures["visible_unseen"] is None
    assert "visible_unseen" in figures["not_measured"]


def test_a_resumed_job_never_saves_a_step_before_the_one_it_went_on_from(model, monkeypatch):
    painted = (step for step in story.run(context(model, steps=4)) if step.stage == "paint")
    saved = next(step for step in painted if step.step == 2).state()
    monkeypatch.setattr(painting.Painting, "losses", lambda self: {"gradient": float("nan")})
    again = (step for step in story.run(context(model, steps=4, state=saved)) if step.stage == "paint")
    assert next(again).state().values["step"] == 2  # the newest state with finite losses


def half_mask(side: int = 128) -> np.ndarray:
    mask = np.zeros((side, side), np.uint8)
    mask[:, : side // 2] = 255
    return mask


def test_texels_that_a_mask_keeps_are_bit_identical(model):
    existing = np.random.default_rng(0).integers(0, 256, (128, 128, 3), np.uint8)
    result = texture_of(finish(context(model, texture=existing, mask=half_mask(), feather=0)))
    changed = (result != existing).any(-1)
    assert changed.any()
    assert not changed[:, 64 + 16 :].any()  # beyond the gutter of a painted chart nothing moved
    used = uv_raster.rasterise(box()[2], 128).face >= 0
    assert not (changed & used)[:, 64:].any()


def glassy(side: int = 128) -> np.ndarray:
    """A texture with every alpha, and colours where nothing of them is seen."""
    return np.random.default_rng(1).integers(0, 256, (side, side, 4), np.uint8)


def test_texels_that_a_mask_keeps_are_bit_identical_with_their_alpha(model):
    existing = glassy()
    result = finish(context(model, texture=existing, mask=half_mask(), feather=0))
    picture = np.array(Image.open(io.BytesIO(result.items[0].data)))
    assert picture.shape == (128, 128, 4)
    assert np.array_equal(picture[:, 64 + 16 :], existing[:, 64 + 16 :])


def test_painted_texels_are_opaque(model):
    existing = glassy()
    existing[..., 3] = 0
    result = finish(context(model, texture=existing, mask=half_mask(), feather=0))
    picture = np.array(Image.open(io.BytesIO(result.items[0].data)))
    used = uv_raster.rasterise(box()[2], 128).face >= 0
    assert (picture[:, :64, 3][used[:, :64]] == 255).all()


def test_the_glb_of_a_see_through_texture_says_how_its_alpha_is_meant(model):
    def material(texture: np.ndarray) -> dict[str, Any]:
        result = finish(context(model, texture=texture, mask=half_mask(), feather=0))
        data = result.items[2].data
        return json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])["materials"][0]

    existing = glassy()
    assert material(existing)["alphaMode"] == "BLEND"
    existing[..., 3] = np.where(existing[..., 3] < 128, 0, 255)
    assert material(existing)["alphaMode"] == "MASK"
    existing[..., 3] = 255
    assert material(existing)["alphaMode"] == "OPAQUE"
    used = uv_raster.rasterise(box()[2], 128).face >= 0
    existing[..., 3][~ndimage.binary_dilation(used, iterations=2)] = 0
    assert (existing[..., 3] == 0).any()
    assert material(existing)["alphaMode"] == "OPAQUE"  # no face shows what is clear


def test_over_transparency_a_feather_mixes_alpha_and_lets_no_hidden_colour_through():
    existing = np.zeros((8, 8, 4), np.uint8)
    existing[..., 1] = 255  # green that nobody sees
    painted = np.full((8, 8, 3), (200, 0, 0), np.uint8)
    weight = np.zeros((8, 8), np.float32)
    weight[:4] = 0.5
    mixed = mask.composite(painted, existing, weight, np.ones((8, 8), bool))
    assert (mixed[:4] == (200, 0, 0, 128)).all()
    assert (mixed[4:] == existing[4:]).all()


def test_a_texture_with_transparency_is_a_start_for_an_opaque_one(model):
    clear = np.zeros((128, 128, 4), np.uint8)
    hidden = clear.copy()
    hidden[..., 0] = 255  # what is under full transparency does not matter
    texture = texture_of(finish(context(model, texture=clear)))
    result = finish(context(model, texture=hidden))
    assert np.array_equal(texture_of(result), texture)
    assert np.array(Image.open(io.BytesIO(result.items[0].data))).shape == (128, 128, 3)


def test_a_feather_only_shrinks_the_painted_area(model):
    existing = np.full((128, 128, 3), 128, np.uint8)
    sharp = texture_of(finish(context(model, texture=existing, mask=half_mask(), feather=0)))
    soft = texture_of(finish(context(model, texture=existing, mask=half_mask(), feather=12)))
    assert not ((soft != existing).any(-1) & ~(sharp != existing).any(-1))[:, 64:].any()
    edge = np.abs(soft[:, 62:64].astype(int) - 128).mean()
    assert edge < np.abs(sharp[:, 62:64].astype(int) - 128).mean()


def test_under_a_mask_of_faces_the_rest_keeps_the_base_colour(model):
    weights = np.zeros((12, 3), np.float32)
    weights[:2] = 1
    result = texture_of(finish(context(model, weights=weights)))
    raster = uv_raster.rasterise(box()[2], 128)
    kept = (raster.face >= 2) & ~raster.rim
    assert (result[kept] == (64, 128, 191)).all()


def test_a_texture_is_a_start_and_not_a_limit(model):
    existing = np.full((64, 64, 3), 200, np.uint8)
    assert texture_of(finish(context(model, texture=existing))).shape == (128, 128, 3)


def test_a_masked_mesh_without_uvs_is_refused(model):
    with pytest.raises(errors.UserError) as caught:
        finish(context(model, own_uvs=False, mask=half_mask(), texture=np.zeros((128, 128, 3), np.uint8)))
    assert caught.value.code == "mesh.no_uv"


def test_a_mask_that_keeps_everything_is_refused(model):
    with pytest.raises(errors.UserError) as caught:
        finish(context(model, mask=np.zeros((128, 128), np.uint8)))
    assert caught.value.code == "mask.bad"


def test_an_oblong_texture_under_a_mask_is_refused_with_its_size(model):
    with pytest.raises(errors.UserError, match="128 x 64"):
        finish(context(model, texture=np.zeros((64, 128, 3), np.uint8), mask=half_mask()))


@pytest.mark.parametrize("prompt", ["", "   ", "\n"])
def test_an_empty_prompt_is_refused_before_anything_else(prompt):
    with pytest.raises(errors.UserError) as caught:
        latent_paint.METHOD.read_params({"prompt": prompt})
    assert caught.value.code == "prompt.empty"


def test_a_misspelt_setting_is_named():
    with pytest.raises(errors.UserError, match="stepz"):
        latent_paint.METHOD.read_params({"prompt": "x", "stepz": 3})


def test_a_mesh_turned_inside_out_is_painted_as_well(model):
    ctx = context(model)
    kept = ctx.array
    flipped = {ctx.inputs["mesh"].triangles.digest, ctx.inputs["mesh"].corner_uvs.digest}
    turned = dataclasses.replace(
        ctx, array=lambda ref: kept(ref)[:, ::-1].copy() if ref.digest in flipped else kept(ref)
    )
    result = finish(turned)
    assert result.figures["unseen_texels"] < 0.1
    assert texture_of(result).any()


def test_the_parity_preset_takes_no_mask(model):
    with pytest.raises(errors.UserError) as caught:
        finish(context(model, preset="parity", mask=half_mask(), texture=np.zeros((128, 128, 3), np.uint8)))
    assert caught.value.code == "params.bad"


def test_an_oblong_texture_to_start_from_is_refused(model):
    with pytest.raises(errors.UserError, match="128 x 64"):
        finish(context(model, texture=np.zeros((64, 128, 3), np.uint8)))


def test_a_snapshot_of_a_masked_job_keeps_what_the_mask_keeps(model):
    existing = np.full((128, 128, 3), 77, np.uint8)
    taken = []

    def look(step: base.Step) -> None:
        if step.snapshot is not None and not taken:
            taken.append(step.snapshot(128))

    finish(context(model, texture=existing, mask=half_mask(), feather=0), look)
    assert (taken[0].preview[:, 64 + 17 :, :3] == 77).all()
