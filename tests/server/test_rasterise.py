"""Rasterisers against closed forms and against each other."""

import concurrent.futures
import math
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from maquette_server.cameras import sampling
from maquette_server.cameras.pinhole import Pinhole
from maquette_server.geometry import files, normalise
from maquette_server.rasterise import choose, nvdiffrast_raster, rays, torch_raster
from maquette_server.rasterise.base import Raster, Rasteriser
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from tests.server import shapes

HERE = ["embree", "torch"]


@pytest.fixture(params=[*HERE, "nvdiffrast"])
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every rasteriser; nvdiffrast's wrapper is tried on a stand-in that keeps to its documented
    conventions.
    """
    if request.param == "nvdiffrast":
        install_stand_in(monkeypatch)
    return str(request.param)


def install_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module `nvdiffrast.torch` that draws clip-space triangles slowly: row 0 at the bottom, ids from 1."""

    def rasterize(
        context: object, pos: torch.Tensor, tri: torch.Tensor, resolution: tuple[int, int], **_: Any
    ) -> Any:
        height, width = resolution
        clip = pos[0].double()
        # A camera of focal length 1 in clip units sees (x, y, w) as camera space (x, y, -w).
        points = torch.stack([clip[:, 0], clip[:, 1], -clip[:, 3]], -1)
        camera = Pinhole(np.eye(4), width / 2, height / 2, width / 2, height / 2, width, height)
        assert (clip[:, 2].abs() <= clip[:, 3] + 1e-6).all(), "clipped by the near or far plane"
        face = torch_raster._visible(points, tri.long(), camera)
        out = torch.zeros(1, height, width, 4)
        out[0, ..., 3] = (face + 1).flip(0)
        return out, None

    library = types.ModuleType("nvdiffrast.torch")
    library.rasterize = rasterize  # type: ignore[attr-defined]
    library.RasterizeCudaContext = lambda device: object()  # type: ignore[attr-defined]
    package = types.ModuleType("nvdiffrast")
    package.torch = library  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "nvdiffrast", package)
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", library)


def made(name: str, positions: NDArray[Any], triangles: NDArray[Any]) -> Rasteriser:
    return choose.make(name, np.asarray(positions, np.float32), np.asarray(triangles, np.int32), "cpu")


def test_a_slanted_triangle_has_the_weights_worked_out_by_hand(name: str) -> None:
    corners = np.array([(-1, -1, -2), (2, -1, -4), (0, 1.5, -3)], np.float64)
    camera = Pinhole(
        np.eye(4), 5 * math.sqrt(3), 5 * math.sqrt(3), 5, 5, 10, 10
    )  # pixel (5, 5) is NDC (0.1, -0.1)
    raster = made(name, corners, [[0, 1, 2]]).rasterise(camera)
    assert raster.face[5, 5] == 0
    np.testing.assert_allclose(raster.bary[5, 5], (0.277837, 0.333282), atol=1e-6)
    assert raster.depth[5, 5] == pytest.approx(2.888957, abs=1e-6)
    uv = raster.bary[5, 5] @ np.array([(1, 0), (0.5, 1)])
    np.testing.assert_allclose(uv, (0.444478, 0.333282), atol=1e-6)


def test_weights_agree_with_ray_and_plane_to_1e_9() -> None:
    generator = np.random.default_rng(0)
    camera = sampling.place(40, 70, 1.3, size=33).camera
    corners = generator.normal(size=(200, 3, 3)) * 0.3
    eye = camera.position
    points = torch.from_numpy(corners.reshape(-1, 3))
    local = rays.to_camera(points, camera).reshape(-1, 3, 3)
    pixel = torch.from_numpy(generator.integers(0, 33 * 33, 200))
    planes = rays.planes(local, camera).numpy()
    row, column = np.divmod(pixel.numpy(), 33)
    weights = planes[:, :3] + planes[:, 3:6] * column[:, None] + planes[:, 6:] * row[:, None]
    weights /= weights.sum(1, keepdims=True)
    directions = camera.ray_directions().reshape(-1, 3)[pixel.numpy()]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    along = np.einsum("nc,nc->n", corners[:, 0] - eye, normal) / np.einsum("nc,nc->n", directions, normal)
    met = eye + along[:, None] * directions
    scale = np.abs(weights).max(1, keepdims=True) + np.abs(met)
    np.testing.assert_allclose(np.einsum("ni,nic->nc", weights, corners) / scale, met / scale, atol=1e-9)


def sphere_depth(camera: Pinhole, radius: float) -> NDArray[np.float64]:
    """Closed form: depth along the axis of the sphere round (0, 0.25, 0), inf beside it."""
    directions = camera.ray_directions()
    offset = camera.position - (0, 0.25, 0)
    a = (directions**2).sum(-1)
    b = (directions * offset).sum(-1)
    c = offset @ offset - radius**2
    square = b * b - a * c
    return np.where(square > 0, (-b - np.sqrt(np.maximum(square, 0))) / a, np.inf)


def test_a_sphere_has_its_depth_and_silhouette(name: str) -> None:
    positions, triangles = shapes.sphere(96, 192)
    camera = sampling.place(60, 30, 1.8, size=128).camera
    raster = made(name, positions, triangles).rasterise(camera)
    expected = sphere_depth(camera, 0.6)
    inside = np.isfinite(sphere_depth(camera, 0.59))
    assert (raster.face[inside] >= 0).all()
    assert (raster.face[~np.isfinite(expected)] == -1).all()
    np.testing.assert_allclose(raster.depth[inside], expected[inside], atol=3e-3)
    assert np.isposinf(raster.depth[raster.face < 0]).all()
    assert (raster.bary[raster.face < 0] == 0).all()


def test_weights_give_the_point_that_the_pixel_sees(name: str) -> None:
    positions, triangles = shapes.sphere(12, 24)
    camera = sampling.place(20, 200, 1.2, size=65).camera
    raster = made(name, positions, triangles).rasterise(camera)
    seen = raster.face >= 0
    corners = positions[triangles][raster.face[seen]]
    weights = np.concatenate([1 - raster.bary[seen].sum(-1, keepdims=True), raster.bary[seen]], 1)
    assert weights.min() >= -1e-6
    pixel, depth = camera.project(np.einsum("ni,nic->nc", weights, corners))
    row, column = np.nonzero(seen)
    np.testing.assert_allclose(pixel, np.stack([column + 0.5, row + 0.5], 1), atol=1e-3)
    np.testing.assert_allclose(depth, raster.depth[seen], rtol=1e-5)


@pytest.mark.parametrize("size", [64, 257])
def test_rasterisers_see_the_same(data: Path, size: int, name: str) -> None:
    mesh = files.load(data / "meshes" / "spot_triangulated.obj").mesh
    positions = normalise.work_from_input(mesh.positions).work_positions(mesh.positions)
    reference = made("torch", positions, mesh.triangles)
    other = made(name, positions, mesh.triangles)
    for view in sampling.bake_views(size=size, rings=((60.0, 3),)):
        one, two = reference.rasterise(view.camera), other.rasterise(view.camera)
        assert (one.face == two.face).mean() >= 0.98
        both = (one.face >= 0) & (two.face >= 0)
        assert ((one.face >= 0) == (two.face >= 0)).mean() > 0.999
        difference = np.abs(one.depth[both] - two.depth[both])
        assert difference.max() < 0.05
        assert np.median(difference) < 1e-6


def test_shared_edges_leave_no_crack(name: str) -> None:
    """A square of many triangles whose edges run exactly through pixel centres."""
    side = np.linspace(-1, 1, 17)
    x, y = np.meshgrid(side, side)
    positions = np.stack([x.ravel(), y.ravel(), np.zeros(x.size)], 1)
    i, j = (part.ravel() for part in np.meshgrid(np.arange(16), np.arange(16)))
    a = i * 17 + j
    triangles = np.concatenate([np.stack([a, a + 1, a + 18], 1), np.stack([a, a + 18, a + 17], 1)])
    pose = np.eye(4)
    pose[2, 3] = 2.0
    # 34 pixels over the width of the square: every edge lies on centres.
    camera = Pinhole(pose, 34.0, 34.0, 16.5, 16.5, 33, 33)
    assert (made(name, positions, triangles).rasterise(camera).face >= 0).all()


@pytest.mark.parametrize("name", HERE)
def test_faces_that_pass_the_camera_are_seen_where_they_are(name: str) -> None:
    """A floor that runs from behind the camera to the front fills exactly the lower half."""
    floor = np.array([[-100, -1, 100], [100, -1, 100], [100, -1, -100], [-100, -1, -100]], float)
    camera = Pinhole.from_fov(np.eye(4), math.radians(90), 64, 64)
    raster = made(name, floor, [[0, 1, 2], [0, 2, 3]]).rasterise(camera)
    ray_y = camera.ray_directions()[..., 1]
    expected = np.where(ray_y < 0, -1 / np.where(ray_y < 0, ray_y, -1), np.inf)
    seen = np.isfinite(raster.depth)
    assert not seen[:32].any()
    assert seen[32:].all()
    np.testing.assert_allclose(raster.depth[32:], expected[32:], rtol=1e-4)


@pytest.mark.parametrize("name", HERE)
def test_what_lies_behind_the_camera_is_not_seen(name: str) -> None:
    behind = np.array([[-1, -1, 2], [1, -1, 2], [0, 1, 2]], float)
    raster = made(name, behind, [[0, 1, 2]]).rasterise(Pinhole.from_fov(np.eye(4), 1.0, 16, 16))
    assert (raster.face == -1).all()


def test_the_nearer_face_is_seen_from_both_sides(name: str) -> None:
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], float)
    positions = np.concatenate([np.c_[square, np.full(4, z)] for z in (-0.2, 0.2)])
    triangles = [[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]]
    drawn = made(name, positions, triangles)
    for phi, nearer in ((0.0, {2, 3}), (180.0, {0, 1})):
        camera = sampling.place(90, phi, 2.0, size=9, target=(0, 0, 0)).camera
        assert set(drawn.rasterise(camera).face[2:7, 2:7].ravel().tolist()) <= nearer


@pytest.mark.parametrize("name", HERE)
def test_degenerate_faces_and_empty_meshes_are_not_seen(name: str) -> None:
    camera = Pinhole.from_fov(np.eye(4), 1.0, 16, 16)
    lines = np.array([[-1, -1, -2], [1, 1, -2], [0, 0, -2]], float)
    assert (made(name, lines, [[0, 1, 2], [0, 0, 0]]).rasterise(camera).face == -1).all()
    assert (made(name, lines, np.zeros((0, 3), int)).rasterise(camera).face == -1).all()


def test_memory_is_bounded_by_chunks_and_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    positions, triangles = shapes.sphere(12, 24)
    camera = sampling.place(60, 30, 1.3, size=96).camera
    whole = made("torch", positions, triangles).rasterise(camera)
    monkeypatch.setattr(torch_raster, "_CHUNK_CPU", 97)
    parts = made("torch", positions, triangles).rasterise(camera)
    np.testing.assert_array_equal(whole.face, parts.face)
    np.testing.assert_array_equal(whole.depth, parts.depth)


def test_pictures_need_not_be_square_nor_centred(name: str) -> None:
    positions, triangles = shapes.sphere(12, 24)
    full = sampling.place(60, 30, 1.5, size=64).camera
    part = Pinhole(
        full.world_from_camera, full.focal_x, full.focal_y, full.centre_x - 10, full.centre_y - 20, 40, 30
    )
    drawn = made(name, positions, triangles)
    whole, cropped = drawn.rasterise(full), drawn.rasterise(part)
    assert (whole.face[20:50, 10:50] == cropped.face).mean() > 0.99


@pytest.mark.parametrize("name", HERE)
def test_views_from_several_threads_are_those_of_one(name: str) -> None:
    positions, triangles = shapes.sphere(24, 48)
    drawn = made(name, positions, triangles)
    cameras = [view.camera for view in sampling.turn_views(8, size=48)]
    alone: list[Raster] = [drawn.rasterise(camera) for camera in cameras]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        together = list(pool.map(drawn.rasterise, cameras))
    for one, two in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one.face, two.face)


@pytest.mark.parametrize("name", HERE)
def test_tensors_and_arrays_are_the_same(name: str) -> None:
    positions, triangles = shapes.sphere(12, 24)
    drawn = made(name, positions, triangles)
    camera = sampling.place(60, 30, 1.5, size=32).camera
    arrays, tensors = drawn.rasterise(camera), drawn.rasterise_torch(camera)
    assert tensors.face.dtype == torch.int32
    assert tensors.bary.dtype == tensors.depth.dtype == torch.float32
    np.testing.assert_array_equal(tensors.numpy().bary, arrays.bary)
    assert (arrays.face.dtype, arrays.bary.dtype, arrays.depth.dtype) == (np.int32, np.float32, np.float32)


def test_auto_takes_embree_on_a_cpu() -> None:
    positions, triangles = shapes.cube()
    assert made("auto", positions, triangles).name == "embree"
    assert set(choose.available()) == set(choose.NAMES)


def test_a_rasteriser_that_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    positions, triangles = shapes.cube()
    monkeypatch.setitem(sys.modules, "nvdiffrast", None)
    monkeypatch.setitem(sys.modules, "nvdiffrast.torch", None)
    with pytest.raises(UserError) as caught:
        made("nvdiffrast", positions, triangles)
    assert caught.value.code == "rasteriser.missing"
    assert "docs/gpu.md" in caught.value.hint
    with pytest.raises(UserError) as caught:
        made("crayon", positions, triangles)
    assert caught.value.code == "params.bad"


def test_importing_nvdiffrast_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    install_stand_in(monkeypatch)

    def broken(device: str) -> object:
        raise RuntimeError("Torch not compiled with CUDA")

    monkeypatch.setattr(sys.modules["nvdiffrast.torch"], "RasterizeCudaContext", broken)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "Torch not compiled" in nvdiffrast_raster.problem("cuda")
    assert "non-commercial" in nvdiffrast_raster.LICENCE


@pytest.mark.gpu
@pytest.mark.parametrize("device_name", ["torch", "nvdiffrast"])
def test_on_cuda_the_same_is_seen_as_on_the_cpu(device_name: str) -> None:
    reason = choose.available()[device_name]
    if reason:
        pytest.skip(f"{device_name}: {reason}")
    positions, triangles = shapes.sphere(48, 96)
    camera = sampling.place(60, 30, 1.3, size=256).camera
    reference = made("torch", positions, triangles).rasterise(camera)
    drawn = choose.make(device_name, positions.astype(np.float32), triangles, "cuda").rasterise(camera)
    assert (reference.face == drawn.face).mean() >= 0.98
    both = (reference.face >= 0) & (drawn.face >= 0)
    assert np.abs(reference.depth[both] - drawn.depth[both]).max() < 0.02
