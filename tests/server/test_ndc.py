"""Normalised device coordinates: closed forms, rays, footprints, and a capture that faces one way, learnt."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import captures
import numpy as np
import pytest
import scene_jobs
import torch
from maquette_server.cameras.lens import Lens
from maquette_server.cameras.pinhole import look_at
from maquette_server.datasets import opening
from maquette_server.fields import mip
from maquette_server.fields.domain import Domain
from maquette_server.methods.reconstruct import ReconstructParams, space
from maquette_server.rendering import cone_render, mip_render
from maquette_server.rendering.ndc import Ndc, facing
from maquette_server.rendering.posed import CameraRays, Posed
from maquette_server.scenes import runtime
from maquette_server.scenes.files import SceneFiles
from maquette_server.training import mip_presets
from maquette_wire.errors import UserError
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH, HEIGHT, FOCAL = 40, 30, 32.0
LENS = Lens(WIDTH, HEIGHT, FOCAL, FOCAL, WIDTH / 2, HEIGHT / 2)
PLAIN = Ndc(
    (0.0, 0.0, 0.0),
    ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    1.0,
    (0.5 * WIDTH / FOCAL, 0.5 * HEIGHT / FOCAL),
    (3.0, 3.0),
)
UNIT = Domain((0.0, 0.0, 0.0), 1.0, unbounded=True)
UP = np.array([0.0, 1.0, 0.0])


def turned(seed: int) -> tuple[Domain, Ndc]:
    """Another frame, scale, plane, and a reference camera that is turned."""
    random = np.random.default_rng(seed)
    pose = look_at(random.normal(size=3), np.array([0.3, -0.4, -9.0]), UP)
    domain = Domain((1.0, -2.0, 3.0), 0.25, unbounded=True)
    place = 0.25 * (pose[:3, 3] - np.array(domain.centre))
    axes = tuple(map(tuple, pose[:3, :3].T.tolist()))
    return domain, Ndc(tuple(place.tolist()), axes, 0.3, (0.7, 0.5), (3.0, 3.0))


def rays_of(pose: Floats, domain: Domain, far: float = 1e5, lens: Lens = LENS) -> Any:
    rays = CameraRays([Posed(pose, lens)], domain, 0.0, far).whole(0)
    return type(rays)(**{name: value.double() for name, value in vars(rays).items()})


def test_points_are_where_the_closed_form_says() -> None:
    points = torch.tensor([[0.0, 0.0, -1.0], [0.3, -0.2, -1.0], [0.3, -0.2, -50.0], [5.0, 5.0, -1e12]])
    mapped = PLAIN.points(points.double())
    expected = [
        [0.0, 0.0, -1.0],
        [0.3 * FOCAL / (WIDTH / 2), -0.2 * FOCAL / (HEIGHT / 2), -1.0],
        [0.3 * FOCAL / (WIDTH / 2) / 50, -0.2 * FOCAL / (HEIGHT / 2) / 50, 1 - 2 / 50],
        [0.0, 0.0, 1.0],
    ]
    np.testing.assert_allclose(mapped, expected, atol=1e-7)


def test_the_inverse_for_depths_of_1_to_50() -> None:
    random = np.random.default_rng(0)
    depth = random.uniform(1, 50, 500)
    points = np.stack([random.normal(size=500) * depth, random.normal(size=500) * depth, -depth], -1)
    x, y, z = PLAIN.points(torch.tensor(points, dtype=torch.float32)).double().numpy().T
    back = 2 / (z - 1)
    found = np.stack([-x * back * WIDTH / (2 * FOCAL), -y * back * HEIGHT / (2 * FOCAL), back], -1)
    np.testing.assert_allclose(found, points, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_mapped_rays_go_through_the_mapped_points(seed: int) -> None:
    domain, ndc = turned(seed)
    pose = look_at(np.array([0.2, 0.1, 0.3]) * seed, np.array([0.5, -0.3, -8.0]), UP)
    rays = rays_of(pose, domain)
    mapped, met = ndc.rays(rays, domain.scale)
    assert met.float().mean() > 0.9
    np.testing.assert_allclose(mapped.origins[:, 2], -1)
    np.testing.assert_allclose((mapped.origins + mapped.directions)[:, 2], 1)
    for share in (0.1, 0.5, 0.9, 0.999):
        t = ndc.along(rays[met], torch.full_like(mapped.near, share))
        points = rays.origins[met] + t[:, None] * rays.directions[met]
        np.testing.assert_allclose(
            ndc.points(points), mapped.origins + share * mapped.directions, rtol=1e-7, atol=1e-7
        )
        local = (points / domain.scale + torch.tensor(domain.centre)).numpy() - pose[:3, 3]
        np.testing.assert_allclose(local @ -pose[:3, 2], t, rtol=1e-6, err_msg="t is a depth in the scene")


def test_a_ray_runs_from_0_on_the_plane_to_1_at_infinity() -> None:
    mapped, met = PLAIN.rays(rays_of(np.eye(4), UNIT, 1e4), 1.0)
    assert met.all()
    np.testing.assert_allclose(mapped.near, 0, atol=1e-12)
    np.testing.assert_allclose(mapped.far, 1 - 1e-4)
    before = np.eye(4)
    before[2, 3] = -3.0  # beyond the plane: the ray begins at the camera, three planes away
    ahead, _ = PLAIN.rays(rays_of(before, UNIT), 1.0)
    np.testing.assert_allclose(ahead.near, 1 - 1 / 3)
    np.testing.assert_allclose(PLAIN.along(rays_of(before, UNIT), ahead.near), 0, atol=1e-6)


def test_the_radius_of_the_reference_camera_is_that_of_its_pixels() -> None:
    mapped, _ = PLAIN.rays(rays_of(np.eye(4), UNIT), 1.0)
    expected = 2 / math.sqrt(WIDTH * HEIGHT) * 2 / math.sqrt(12)
    np.testing.assert_allclose(mapped.radii, expected, rtol=1e-6)
    halved, _ = PLAIN.rays(rays_of(np.eye(4), UNIT, lens=LENS.divided(2)), 1.0)
    np.testing.assert_allclose(halved.radii, 2 * expected, rtol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_radii_are_those_of_what_neighbouring_pixels_are_apart_on_the_plane(seed: int) -> None:
    domain, ndc = turned(seed)
    pose = look_at(np.array([0.2, 0.1, 9.3]), np.array([0.5, -0.3, -8.0]), UP)
    fine = LENS.resized(10 * WIDTH, 10 * HEIGHT)
    mapped, met = ndc.rays(rays_of(pose, domain, lens=fine), domain.scale)
    assert met.all()
    on_plane = mapped.origins.reshape(10 * HEIGHT, 10 * WIDTH, 3)[..., :2].numpy()
    across = on_plane[1:-1, 2:] - on_plane[1:-1, :-2]
    down = on_plane[2:, 1:-1] - on_plane[:-2, 1:-1]
    area = np.abs(across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]) / 4
    radii = mapped.radii.reshape(10 * HEIGHT, 10 * WIDTH)[1:-1, 1:-1]
    np.testing.assert_allclose(radii, np.sqrt(area) * 2 / math.sqrt(12), rtol=1e-3)


def test_rays_that_look_away_or_beside_what_was_shown_meet_nothing() -> None:
    behind = look_at(np.zeros(3), np.array([0.0, 0.0, 5.0]), UP)
    found, met = PLAIN.rays(rays_of(behind, UNIT), 1.0)
    assert len(found) == 0
    assert not met.any()
    aside = look_at(np.zeros(3), np.array([5.0, 0.0, -0.3]), UP)
    found, met = PLAIN.rays(rays_of(aside, UNIT), 1.0)
    assert 0 <= int(met.sum()) < len(met) / 2
    ends = found.origins + found.far[:, None] * found.directions
    assert float(ends[:, :2].abs().amax() if len(found) else 0) <= 3 + 1e-6


@pytest.mark.parametrize(
    "change",
    [
        {"near": 0.0},
        {"near": math.nan},
        {"slopes": (1.0, -1.0)},
        {"axes": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.1))},
        {"axes": ((1.0, 0.0, 0.0),)},
        {"place": (0.0, math.inf, 0.0)},
    ],
)
def test_numbers_that_no_reference_camera_has_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no reference camera"):
        dataclasses.replace(PLAIN, **change)


def test_the_reference_camera_stands_in_the_middle_and_faces_the_mean_way() -> None:
    poses = [look_at(np.array([x, 0.0, 0.0]), np.array([0.0, 0.0, -7.0]), UP) for x in (-1.0, 1.0)]
    stacked = np.stack(poses)
    place, axes = facing(stacked[:, :3, 3], stacked[:, :3, 2], stacked[:, :3, 1])
    np.testing.assert_allclose(place, 0, atol=1e-12)
    np.testing.assert_allclose(axes, np.eye(3), atol=1e-12)


def test_densities_are_per_unit_of_the_frame() -> None:
    class Even(mip.MipField):
        def density(self, means: Any, variances: Any, mode: Any = None) -> Any:
            return torch.full(means.shape[:2], 2.0)

    scene = mip_render.MipScene(
        Even(mip.Settings(degrees=2, depth=2, width=4, skip=1)), None, cone_render.Settings(), UNIT, PLAIN
    )
    points = torch.tensor([[0.0, 0.0, -4.0], [0.0, 0.0, -0.5], [0.0, 0.0, 2.0], [60.0, 0.0, -4.0]])
    a, b = PLAIN.slopes
    volume = 1 / (a * 4) * 1 / (b * 4) * 2 / 16
    np.testing.assert_allclose(
        scene.densities(points, 0.01), [2 * volume ** (1 / 3), 0, 0, 0], rtol=1e-5, atol=1e-9
    )


# A capture in LLFF's form: a disc of stripes before a far wall, seen from a small grid of places.
DISC, WALL, RADIUS = -4.0, -12.0, 1.0
SIZE = 30.0  # of the world in units of its scene
TINY = mip_presets.Preset(
    network=mip.Settings(degrees=5, depth=3, width=48, skip=1, view_width=16),
    proposal=mip.Settings(degrees=5, depth=2, width=16),
    sampling=cone_render.Settings(coarse=16, fine=12),
    coarse_weight=1.0,
    rays=256,
    schedule=mip_presets.Schedule(first=1e-2, last=1e-3, steps=220, warm_up=10),
)


def seen(pose: Floats) -> tuple[NDArray[np.uint8], Floats]:
    """Picture u8 [H, W, 3] and depth [H, W] of a camera in a world of size 1."""
    directions = LENS.directions(LENS.pixel_centres()) @ pose[:3, :3].T
    to_disc, to_wall = ((z - pose[2, 3]) / directions[..., 2] for z in (DISC, WALL))
    disc = pose[:3, 3] + to_disc[..., None] * directions
    wall = pose[:3, 3] + to_wall[..., None] * directions
    hit = np.hypot(disc[..., 0], disc[..., 1]) < RADIUS
    even = np.zeros_like(to_disc)
    near = np.stack([0.6 + 0.3 * np.sin(3 * disc[..., 0]), even + 0.3, even + 0.2], -1)
    far = np.stack([even + 0.2, 0.4 + 0.2 * np.cos(wall[..., 1]), 0.6 + 0.2 * np.sin(wall[..., 0])], -1)
    colours = np.where(hit[..., None], near, far)
    axis = directions @ -pose[:3, 2]
    return (colours * 255 + 0.5).astype(np.uint8), np.where(hit, to_disc, to_wall) * axis


def llff(folder: Path) -> Path:
    rows = []
    for number in range(16):
        x, y = (number % 4 - 1.5) * 0.4, (number // 4 - 1.5) * 0.3
        pose = look_at(np.array([x, y, 0.1 * x]), np.array([0.0, 0.0, -6.0]), UP)
        captures.save(folder / f"images/{number:02d}.png", seen(pose)[0])
        right, up, back, place = pose[:3].T
        matrix = np.stack([-up, right, back, SIZE * place, [HEIGHT, WIDTH, FOCAL]], 1)
        rows.append(np.concatenate([matrix.ravel(), [SIZE * 3.8, SIZE * 13]]))
    np.save(folder / "poses_bounds.npy", np.array(rows))
    return folder


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The capture learnt by the preset for a CPU, here a smaller one, and the figures."""
    place = tmp_path_factory.mktemp("forward")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(mip_presets.PRESETS, "small", TINY)
        ctx = scene_jobs.reconstruct(llff(place / "capture"), place / "blobs", field="mip")
        result = scene_jobs.finish("reconstruct", ctx)
    return scene_jobs.write(result, place / "scene"), dict(result.figures)


def test_a_forward_facing_capture_is_learnt_and_renders_from_other_places(
    learnt: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, figures = learnt
    assert figures["bounds"] == "forward", "as nothing was said"
    ctx = scene_jobs.of_scene("evaluate", folder, tmp_path / "blobs")
    assert scene_jobs.finish("evaluate", ctx).figures["psnr"] > 22

    scene = runtime.open_scene(SceneFiles.of_folder(folder))
    pose = look_at(np.array([0.1, 0.05, 0.3]), np.array([0.0, 0.0, -6.0]), UP)
    truth, depth = seen(pose)
    moved = pose.copy()
    moved[:3, 3] *= SIZE
    frame = scene.render(Posed(moved, LENS))
    error = (frame.over("black")[..., :3].astype(float) - truth) / 255
    assert -10 * math.log10((error**2).mean()) > 20
    middle = np.s_[HEIGHT // 2 - 2 : HEIGHT // 2 + 2, WIDTH // 2 - 2 : WIDTH // 2 + 2]
    assert frame.depths[middle].mean() == pytest.approx(SIZE * depth[middle].mean(), rel=0.1)
    assert frame.depths[:3, :3].mean() > 1.2 * frame.depths[middle].mean(), "the wall lies behind the disc"

    away = look_at(np.zeros(3), np.array([0.0, 0.0, 5.0]), UP)
    assert scene.render(Posed(away, LENS)).opacities.max() == 0, "nothing was shown of what lies behind"


def test_the_scene_holds_its_coordinates(learnt: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = learnt
    record = json.loads((folder / "scene.json").read_text())
    field = record["field"]
    assert (field["unbounded"], field["sampling"]["shape"]) == (True, "cylinder")
    assert field["network"]["density_noise"] == 1.0
    scale = record["field_from_scene"][0][0]
    # 0.9 of the nearest depth is LLFF's near; the plane lies at 0.75 of it from the camera farthest back
    assert field["ndc"]["near"] / scale == pytest.approx(5 / 6 * (0.9 * 3.8 - 0.06) * SIZE, rel=0.01)
    for change in ({"near": -1.0}, {"slopes": [1.0]}, {"axes": [[1, 0, 0]] * 3}):
        (folder / "scene.json").write_text(
            json.dumps(record | {"field": field | {"ndc": field["ndc"] | change}})
        )
        with pytest.raises(UserError, match="can be read"):
            runtime.open_scene(SceneFiles.of_folder(folder))
    (folder / "scene.json").write_text(json.dumps(record))


def test_views_one_way_are_found_and_can_be_said(tmp_path: Path) -> None:
    read = opening.read(llff(tmp_path / "capture"))
    frames = read.of("train")
    pictures = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * len(frames)
    assert space.of(read, frames, pictures, "auto", forward=True).bounds == "forward"
    assert space.of(read, frames, pictures, "auto").bounds == "unbounded"
    for near, far in ((None, None), (0.01, 90.0)):  # not said, or said so widely that it says nothing
        unstated = dataclasses.replace(read, near=near, far=far)
        found = space.of(unstated, frames, pictures, "forward")
        assert found.ndc is not None
        assert found.ndc.near / found.domain.scale == pytest.approx(0.25 * 6 * SIZE, rel=0.1)

    ring = opening.read(captures.transforms(tmp_path / "ring", captures.ring(6)))
    blank = [np.zeros((captures.HEIGHT, captures.WIDTH, 3), np.uint8)] * 6
    with pytest.raises(UserError, match="one way"):
        space.of(ring, ring.frames, blank, "forward")
    with pytest.raises(UserError, match="mip-NeRF"):
        ReconstructParams(bounds="forward")


@pytest.mark.parametrize("size", [1e-3, 1e4])
def test_the_size_of_the_world_does_not_matter(tmp_path: Path, size: float) -> None:
    read = opening.read(llff(tmp_path / "capture"))
    pictures = [np.zeros((HEIGHT, WIDTH, 3), np.uint8)] * len(read.frames)
    found = space.of(read, read.frames, pictures, "forward")
    moved = []
    for frame in read.frames:
        pose = frame.world_from_camera.copy()
        pose[:3, 3] *= size
        moved.append(dataclasses.replace(frame, world_from_camera=pose))
    assert read.near is not None
    assert read.far is not None
    grown = dataclasses.replace(read, frames=tuple(moved), near=size * read.near, far=size * read.far)
    other = space.of(grown, moved, pictures, "forward")
    assert found.ndc is not None
    assert other.ndc is not None
    for one, two in zip(vars(found.ndc).values(), vars(other.ndc).values(), strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)
