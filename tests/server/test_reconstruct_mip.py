"""Reconstructions with mip-NeRF: a ball known in closed form is learnt, kept, rendered and resumed."""

import dataclasses
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ball_captures
import numpy as np
import pytest
import safetensors.torch
import scene_jobs
import torch
from maquette_server.cameras.lens import Lens
from maquette_server.datasets import multiscale
from maquette_server.fields import mip
from maquette_server.fields.domain import Domain
from maquette_server.media import png
from maquette_server.methods import base
from maquette_server.methods.reconstruct import ReconstructParams, learners, learning, mip_learner
from maquette_server.rendering import cone_render, mip_render, rays
from maquette_server.rendering.posed import CameraRays, Posed
from maquette_server.rendering.seen import OPAQUE
from maquette_server.scenes import mip_weights, runtime
from maquette_server.scenes.files import SceneFiles
from maquette_server.training import mip_presets, pixels
from maquette_wire.errors import UserError
from torch import Tensor

CPU = torch.device("cpu")
SIZE = 20.0  # of the ball in units of its scene
TINY = mip_presets.Preset(
    network=mip.Settings(degrees=4, depth=3, width=32, skip=1, view_width=16),
    sampling=cone_render.Settings(coarse=10, fine=10),
    rays=192,
    schedule=mip_presets.Schedule(first=1e-2, last=1e-3, steps=120, warm_up=10),
)
PROPOSING = dataclasses.replace(TINY, proposal=mip.Settings(degrees=4, depth=2, width=16), coarse_weight=1.0)


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> Iterator[None]:
    """The presets as quick ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(mip_presets.PRESETS, "small", TINY)
        patch.setitem(mip_presets.PRESETS, "fast", PROPOSING)
        yield


@pytest.fixture(scope="module")
def ball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ball")
    ball_captures.write(folder, 12, SIZE)
    return folder


@pytest.fixture(scope="module")
def done(ball: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[base.Result, Path]:
    """The ball, learnt for as long as when nothing is said."""
    return learnt(ball, tmp_path_factory.mktemp("done"))


def job(folder: Path, store: Path, **options: Any) -> base.RunContext:
    return scene_jobs.reconstruct(folder, store, field="mip", **options)


def learnt(folder: Path, store: Path, **options: Any) -> tuple[base.Result, Path]:
    result = scene_jobs.finish("reconstruct", job(folder, store / "blobs", **options))
    return result, scene_jobs.write(result, store / "scene")


def newest(result: base.Result) -> bytes:
    weights = {
        name: data for name, data in scene_jobs.files(result).items() if name.startswith("checkpoints")
    }
    return weights[max(weights)]


def test_a_ball_is_learnt_and_read_back_and_looks_the_same(
    done: tuple[base.Result, Path], tmp_path: Path
) -> None:
    result, folder = done
    assert (result.preset, result.promise) == ("mip small", "bit-equal")
    assert result.figures["steps"] == TINY.schedule.steps, "as nothing was said"

    scene = runtime.open_scene(SceneFiles.of_folder(folder))
    frame = runtime.look(scene.field, scene.cameras[0].posed(), scene.record.near, scene.record.far)
    assert np.array_equal(frame.over("white"), png.read((folder / "preview.png").read_bytes())[..., :3])

    job_of_scene = scene_jobs.of_scene("evaluate", folder, tmp_path / "more")
    assert scene_jobs.finish("evaluate", job_of_scene).figures["psnr"] > 22


def test_depths_of_a_learnt_ball_are_those_of_its_surface(done: tuple[base.Result, Path]) -> None:
    scene = runtime.open_scene(SceneFiles.of_folder(done[1]))
    camera = scene.cameras[1].posed()
    frame = scene.render(camera)
    truth = ball_captures.depth(camera.world_from_camera, camera.lens, SIZE)
    middle = truth < 3.5 * SIZE
    assert middle.sum() > 50
    assert np.abs(frame.depths[middle] - truth[middle]).mean() < 0.35 * SIZE
    assert np.isinf(frame.depths[0, 0]), "nothing lies in the corner of the picture"


@pytest.mark.parametrize("preset", ["small", "fast"])
def test_a_job_that_is_taken_up_again_ends_bit_for_bit_the_same(
    ball: Path, tmp_path: Path, preset: str
) -> None:
    kept: list[base.State] = []

    def keep(step: base.Step) -> None:
        if step.step == 7 and step.stage == "learn" and not kept:
            assert step.state is not None
            kept.append(step.state())

    whole = scene_jobs.finish("reconstruct", job(ball, tmp_path, steps=12, preset=preset), keep)
    again = scene_jobs.finish(
        "reconstruct", job(ball, tmp_path / "again", steps=12, preset=preset, state=kept[0])
    )
    assert newest(whole) == newest(again)
    other = scene_jobs.finish("reconstruct", job(ball, tmp_path / "other", steps=12, preset=preset, seed=4))
    assert newest(whole) != newest(other)


def test_a_proposal_network_is_kept_too(ball: Path, tmp_path: Path) -> None:
    result, folder = learnt(ball, tmp_path, steps=3, preset="fast")
    assert result.preset == "mip fast"
    scene = runtime.open_scene(SceneFiles.of_folder(folder))
    assert isinstance(scene.field, mip_render.MipScene)
    assert scene.field.coarse is not None
    assert scene.field.coarse.settings == PROPOSING.proposal
    frame = runtime.look(scene.field, scene.cameras[0].posed(), scene.record.near, scene.record.far)
    assert frame is not None
    assert np.array_equal(frame.over("white"), png.read((folder / "preview.png").read_bytes())[..., :3])


def test_pixels_of_smaller_pictures_weigh_more_and_are_drawn_no_more_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ball_captures.write(tmp_path / "ball", 8)
    multiscale.convert(source, tmp_path / "many", 3)
    weights: list[Tensor] = []
    to = rays.Batch.to

    def watched(batch: rays.Batch, device: torch.device) -> rays.Batch:
        weights.append(batch.weights)
        return to(batch, device)

    monkeypatch.setattr(rays.Batch, "to", watched)
    result = scene_jobs.finish("reconstruct", job(tmp_path / "many", tmp_path / "blobs", steps=5))
    assert result.figures["training_pictures"] == 18
    values, counts = torch.cat(weights).unique(return_counts=True)
    assert values.tolist() == [1, 4, 16]
    assert (counts / counts.sum()).tolist() == pytest.approx([16 / 21, 4 / 21, 1 / 21], abs=0.08)


def test_a_pixel_drawn_evenly_counts_for_its_weight() -> None:
    lenses = [Lens(8, 8, 9.0, 9.0, 4.0, 4.0), Lens(4, 4, 4.5, 4.5, 2.0, 2.0), Lens(4, 4, 4.5, 4.5, 2.0, 2.0)]
    source = pixels.Pixels(
        [
            pixels.Picture(
                Posed(np.eye(4), lens), np.zeros((lens.height, lens.width, 3), np.uint8), None, weight
            )
            for lens, weight in zip(lenses, (1, 4, 0), strict=True)
        ],
        Domain((0, 0, 0), 1, False),
        1,
        2,
    )
    drawn = source.draw(8000, torch.Generator().manual_seed(0), evenly=True)
    shares = torch.bincount(drawn.pictures, minlength=3) / 8000
    assert shares.tolist() == pytest.approx([0.8, 0.2, 0], abs=0.02)
    assert torch.equal(drawn.weights, torch.tensor([1.0, 4.0, 0.0])[drawn.pictures])
    weighed = source.draw(8000, torch.Generator().manual_seed(0))
    assert float((weighed.pictures == 1).float().mean()) == pytest.approx(0.5, abs=0.02)
    assert bool((weighed.weights == 1).all())


def test_a_place_without_bounds_is_refused_with_ways_out(tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "wall", 8, opaque=True)
    with pytest.raises(UserError, match="object in a box") as refused:
        scene_jobs.finish("reconstruct", job(tmp_path / "wall", tmp_path / "a", steps=2))
    assert "--field grid" in refused.value.hint
    assert "--bounds object" in refused.value.hint
    with pytest.raises(UserError, match="object in a box") as refused:
        scene_jobs.finish("reconstruct", job(tmp_path / "wall", tmp_path / "b", steps=2, bounds="unbounded"))
    assert "--field grid" in refused.value.hint
    assert "--bounds" not in refused.value.hint
    boxed = scene_jobs.finish("reconstruct", job(tmp_path / "wall", tmp_path / "c", steps=2, bounds="object"))
    assert boxed.figures["bounds"] == "object"


def test_settings_of_the_other_field_are_refused() -> None:
    with pytest.raises(UserError, match="preset"):
        ReconstructParams(preset="fast")
    with pytest.raises(UserError, match="exposure"):
        ReconstructParams(field="mip", appearance=True)


def test_what_is_learnt_when_nothing_is_said_follows_the_device() -> None:
    def steps(device: str, **options: Any) -> int:
        return learners.usual_steps(ReconstructParams(field="mip", **options), torch.device(device))

    assert steps("cpu") == mip_presets.PRESETS["small"].schedule.steps
    assert steps("cuda") == mip_presets.PAPER.schedule.steps
    assert steps("cuda", preset="small") == steps("cpu")


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("width", 10**9, "larger than its weights"),
        ("depth", 10**9, "larger than its weights"),
        ("width", "48", "Expected `int`"),
        ("other", 1, "not those of this version"),
        ("degrees", 3, "size mismatch"),
    ],
)
def test_a_network_that_is_not_its_weights_is_refused(
    done: tuple[base.Result, Path], key: str, value: object, sentence: str
) -> None:
    files = scene_jobs.files(done[0])
    saved = json.loads(files["scene.json"])["field"]
    domain = Domain((0, 0, 0), 1, False)
    mip_weights.decode(saved, domain, newest(done[0]), "cpu")
    saved["network"][key] = value
    with pytest.raises((ValueError, RuntimeError), match=sentence):
        mip_weights.decode(saved, domain, newest(done[0]), "cpu")


def test_weights_that_are_not_finite_give_way_to_those_before(
    done: tuple[base.Result, Path], tmp_path: Path
) -> None:
    result, _ = done
    folder = scene_jobs.write(result, tmp_path)
    last, before = sorted(folder.glob("checkpoints/*/field.safetensors"), reverse=True)
    tensors = safetensors.torch.load(last.read_bytes())
    tensors["field.to_density.bias"][0] = math.nan
    last.write_bytes(safetensors.torch.save(tensors))
    scene = runtime.open_scene(SceneFiles.of_folder(folder))
    assert "not finite" in scene.notes[0]
    assert "the one before it is used" in scene.notes[0]
    assert isinstance(scene.field, mip_render.MipScene)
    bias = safetensors.torch.load(before.read_bytes())["field.to_density.bias"]
    assert torch.equal(scene.field.field.to_density.bias, bias)


def test_everything_about_the_field_is_in_the_scene(done: tuple[base.Result, Path]) -> None:
    record = json.loads(scene_jobs.files(done[0])["scene.json"])
    assert record["field"]["network"] == dataclasses.asdict(TINY.network)
    assert record["field"]["sampling"] == dataclasses.asdict(TINY.sampling)


def test_rays_end_where_they_leave_the_box() -> None:
    domain = Domain((0.5, 0.0, -1.0), 0.7, False)
    poses = ball_captures.poses(5)
    cameras = CameraRays([Posed(pose, ball_captures.PINHOLE) for pose in poses], domain, 0, 20)
    seen = cameras.whole(2)
    inside, met = mip_render.within(seen, domain)
    assert 0 < int(met.sum()) == len(inside) < len(seen)
    for depth, faces in ((inside.near, 1), (inside.far, 1), ((inside.near + inside.far) / 2, 0)):
        points = inside.origins + depth[:, None] * inside.directions
        largest = points.abs().amax(-1)
        assert bool((largest <= 1 + 1e-4).all())
        assert not faces or bool(((largest - 1).abs() < 1e-4).all())


def test_rays_that_miss_see_nothing_and_a_camera_within_sees_finite_things() -> None:
    field = mip.MipField(TINY.network, generator=torch.Generator().manual_seed(0)).eval()
    scene = mip_render.MipScene(field, None, TINY.sampling, Domain((0, 0, 0), 1, False))
    origins = torch.tensor([[0.0, 0.0, 4.0], [0.0, 0.0, 4.0], [0.2, 0.0, 0.0]])
    directions = torch.tensor([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0], [0.0, 0.6, -1.0]])
    seen = scene.see(
        rays.Rays(origins, directions, torch.full((3,), 1e-2), torch.zeros(3), torch.full((3,), 9.0))
    )
    assert seen.opacities[1] == 0
    assert not seen.colours[1].any()
    assert torch.isinf(seen.depths[1])
    assert bool((seen.opacities[[0, 2]] > 0).all())
    assert bool((seen.depths.isfinite() == (seen.opacities > OPAQUE)).all())
    assert bool((seen.colours <= seen.opacities[:, None] * 1.01 + 1e-6).all()), "premultiplied"


def test_a_step_whose_rays_all_miss_changes_nothing(tmp_path: Path) -> None:
    source = ball_captures.write(tmp_path, 4)
    frames = source.of("train")
    away = [dataclasses.replace(one, world_from_camera=one.world_from_camera + _shift()) for one in frames]
    captured = learning.Capture(source, tuple(away), tuple(_clear() for _ in away), (None,) * len(away))
    domain = Domain((0, 0, 0), 1, False)
    space = learning.spaces.Space(domain, 0.1, 0.1, 5)
    learner = mip_learner.start(captured, space, ReconstructParams(field="mip"), lambda step: 0.0, 0, CPU)
    before = learner.weights()
    learner.advance(0)
    assert learner.weights() == before


def _shift() -> np.ndarray[Any, Any]:
    matrix = np.zeros((4, 4))
    matrix[:3, 3] = 1000
    return matrix


def _clear() -> np.ndarray[Any, Any]:
    return np.zeros((ball_captures.SIDE, ball_captures.SIDE, 4), np.uint8)
