"""UV maps: which own ones can be used, and atlases with true gutters and no overlap."""

import time
from pathlib import Path

import numpy as np
import pytest
from maquette_server.geometry import charts, files, packing, seams, unwrap, unwrap_child, uv, uv_raster
from maquette_server.geometry.mesh import Mesh
from maquette_wire.errors import UserError
from scipy import ndimage

from tests.server import shapes


def assert_sound(atlas: unwrap.Atlas, side: int, gutter: int) -> None:
    """In the unit square, without overlap, charts at least the gutter apart, across the border as well."""
    assert np.isfinite(atlas.corner_uvs).all()
    assert atlas.corner_uvs.min() >= 0
    assert atlas.corner_uvs.max() <= 1
    assert atlas.gutter >= gutter
    assert uv.overlap(atlas.corner_uvs, 512) < 1e-3
    raster = uv_raster.rasterise(atlas.corner_uvs, side)
    inside = (raster.face >= 0) & ~raster.rim
    chart = np.where(inside, atlas.chart[raster.face], -1)
    size = 2 * gutter + 1  # centres of two charts are at least gutter + 1 texels apart
    highest = ndimage.maximum_filter(chart, size, mode="wrap")
    lowest = ndimage.minimum_filter(np.where(inside, chart, 10**9), size, mode="wrap")
    assert not (inside & (highest != lowest)).any()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("spot_triangulated", True),
        ("spot_control_mesh", True),
        ("blub", True),
        ("teddy", False),
        ("animal", False),
        ("potion", False),
        ("hand_prismatic", False),
        ("bunny", False),
    ],
)
def test_own_uvs_of_real_meshes_are_judged_rightly(data: Path, name: str, expected: bool) -> None:
    usable, reason = uv.usable(files.load(data / "meshes" / f"{name}.obj").mesh)
    assert usable is expected
    assert bool(reason) is not expected


def plane(corner_uvs: list[list[list[float]]]) -> Mesh:
    positions = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], float)
    return shapes.mesh(
        positions, np.array([[0, 1, 2], [0, 2, 3]]), corner_uvs=np.array(corner_uvs, np.float32)
    )


LOWER, UPPER = [[0, 0], [1, 0], [1, 1]], [[0, 0], [1, 1], [0, 1]]


def test_a_plane_that_fills_its_tile_is_usable_wherever_it_lies() -> None:
    for shift in (0.0, -0.05, 3.4):
        moved = (np.array([LOWER, UPPER]) + shift).tolist()
        assert uv.usable(plane(moved)) == (True, "")


def test_overlap_wide_faces_and_flat_faces_are_named() -> None:
    assert "more than one face" in uv.usable(plane([LOWER, LOWER]))[1]
    assert "more than one face" in uv.usable(plane([LOWER, (np.array(LOWER) + 1).tolist()]))[1]
    assert "UVs lie in 2 tiles" in uv.usable(plane([LOWER, (np.array(LOWER) + 1).tolist()]))[1]
    assert "tiles" not in uv.usable(plane([LOWER, LOWER]))[1]
    assert "one tile" in uv.usable(plane([LOWER, (np.array(UPPER) * 2).tolist()]))[1]
    assert "no area" in uv.usable(plane([LOWER, [[0, 0], [0.5, 0.5], [1, 1]]]))[1]
    assert "not finite" in uv.usable(plane([LOWER, [[0, 0], [np.nan, 1], [0, 1]]]))[1]


@pytest.mark.parametrize("name", ["teddy", "animal"])
def test_real_meshes_get_sound_atlases(data: Path, name: str) -> None:
    mesh = files.load(data / "meshes" / f"{name}.obj").mesh
    with unwrap.Unwrapping(mesh, 128, gutter=2) as job:
        atlas = job.wait()
    assert atlas.source == "xatlas"
    assert_sound(atlas, 128, 2)


def test_unwrapping_twice_gives_the_same_bytes() -> None:
    mesh = shapes.mesh(*shapes.sphere(12, 24))
    first, second = (unwrap.Unwrapping(mesh, 256, gutter=4).wait() for _ in range(2))
    assert first.corner_uvs.tobytes() == second.corner_uvs.tobytes()
    assert first.chart.tobytes() == second.chart.tobytes()


@pytest.mark.parametrize("scale", [1e-5, 1e6])
def test_size_and_place_do_not_matter_to_an_atlas(scale: float) -> None:
    positions, triangles = shapes.sphere(12, 24)
    expected = unwrap.Unwrapping(shapes.mesh(positions, triangles), 256).wait()
    moved = unwrap.Unwrapping(shapes.mesh((positions + 50) * scale, triangles), 256).wait()
    assert moved.chart_count == expected.chart_count


def test_dense_meshes_get_six_direction_charts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unwrap, "DENSE", 100)
    atlas = unwrap.Unwrapping(shapes.mesh(*shapes.sphere(40, 80)), 256, gutter=4).wait()
    assert atlas.chart_count == 6
    assert atlas.source.startswith("six directions (6240 faces")
    assert_sound(atlas, 256, 4)


def test_when_xatlas_runs_out_of_time_six_directions_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    job = unwrap.Unwrapping(shapes.mesh(*shapes.sphere(40, 80)), 256, limit_s=0.0)
    assert "did not finish within 0 s" in job.wait().source


def test_a_closed_unwrapping_leaves_no_process() -> None:
    job = unwrap.Unwrapping(shapes.mesh(*shapes.sphere(40, 80)), 256)
    started = time.monotonic()
    job.close()
    assert job._process.poll() is not None
    assert time.monotonic() - started < 10


def test_a_mesh_without_area_is_refused() -> None:
    mesh = shapes.mesh(np.zeros((3, 3)), np.array([[0, 1, 2]]))
    with pytest.raises(UserError) as caught:
        unwrap.Unwrapping(mesh, 256)
    assert caught.value.code == "mesh.unwrap"


def test_faces_without_area_keep_a_uv_and_belong_to_no_chart() -> None:
    positions, triangles = shapes.cube()
    mesh = shapes.mesh(positions, np.concatenate([[[0, 0, 1]], triangles, [[2, 2, 2]]]))
    atlas = unwrap.Unwrapping(mesh, 128).wait()
    assert atlas.chart[[0, -1]].tolist() == [-1, -1]
    assert (atlas.chart[1:-1] >= 0).all()
    assert atlas.corner_uvs.shape == (14, 3, 2)


def test_a_helix_that_lies_over_itself_is_split() -> None:
    turns, steps = 3, 120
    angle = np.linspace(0, 2 * np.pi * turns, steps)
    inner = np.stack([np.cos(angle), np.sin(angle), 0.1 * angle], 1)
    positions = np.concatenate([inner, inner * (2, 2, 1)])
    here = np.arange(steps - 1)
    triangles = np.concatenate(
        [np.stack([here, here + steps, here + 1], 1), np.stack([here + 1, here + steps, here + steps + 1], 1)]
    ).astype(np.int32)
    uvs, chart, rough = charts.six_directions(positions, triangles)
    assert not rough
    packed, gutter = packing.pack(uvs, chart, 256, 2)
    assert chart.max() >= 2
    assert gutter == 2
    assert uv.overlap(packed, 512) < 1e-2


def test_charts_are_not_mirrored() -> None:
    positions, triangles = shapes.sphere(12, 24)
    uvs, _, _ = charts.six_directions(positions, triangles)
    first, second = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    assert (first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] > 0).all()


def test_an_answer_that_is_cut_off_is_refused() -> None:
    with pytest.raises(ValueError):
        unwrap_child.read_answer(b"")
    with pytest.raises(ValueError):
        unwrap_child.read_answer(np.array([unwrap_child.MAGIC, 5, 0, 0]).tobytes())


def test_cut_edges_are_the_ones_whose_sides_differ() -> None:
    mesh = plane([LOWER, UPPER])
    assert mesh.corner_uvs is not None
    assert len(seams.cut_edges(mesh.triangles, mesh.corner_uvs).faces) == 0
    moved = mesh.corner_uvs.copy()
    moved[1] += 0.25
    cut = seams.cut_edges(mesh.triangles, moved)
    assert cut.faces.tolist() == [[0, 1]]
    np.testing.assert_allclose(cut.uvs[0, 1] - cut.uvs[0, 0], 0.25)
    assert sorted(cut.vertices[0].tolist()) == [0, 2]


def test_both_sides_of_a_cut_are_the_same_points_of_the_surface(data: Path) -> None:
    mesh = files.load(data / "meshes" / "spot_triangulated.obj").mesh
    assert mesh.corner_uvs is not None
    edges = seams.shared_edges(mesh.triangles)
    assert len(edges.faces) == 3 * len(mesh.triangles) // 2  # closed
    ends = mesh.triangles[edges.faces[:, :, None], edges.corners]
    np.testing.assert_array_equal(ends[:, 0], ends[:, 1])


def test_a_smooth_texture_has_no_seam_and_a_chequered_atlas_has() -> None:
    positions, triangles = shapes.sphere(20, 40)
    mesh = shapes.mesh(positions, triangles)
    atlas = unwrap.Unwrapping(mesh, 256, gutter=8).wait()
    raster = uv_raster.rasterise(atlas.corner_uvs, 256)
    corners = positions[triangles][np.maximum(raster.face, 0)]
    first, second = raster.bary[..., :1], raster.bary[..., 1:]
    point = (
        corners[..., 0, :] * (1 - first - second) + corners[..., 1, :] * first + corners[..., 2, :] * second
    )
    smooth = (127 + 100 * np.sin(4 * point)).astype(np.uint8)
    assert seams.step_ratio(positions, triangles, atlas.corner_uvs, smooth) < 1.3
    by_chart = np.random.default_rng(0).integers(0, 255, (atlas.chart_count, 3))
    patched = by_chart[atlas.chart[np.maximum(raster.face, 0)]].astype(np.uint8)
    assert seams.step_ratio(positions, triangles, atlas.corner_uvs, patched) > 5


def test_without_both_cut_and_uncut_edges_there_is_no_step_to_compare() -> None:
    mesh = plane([LOWER, UPPER])
    assert mesh.corner_uvs is not None
    texture = np.zeros((8, 8, 3), np.uint8)
    apart = mesh.corner_uvs + np.array([0.0, 0.25])[:, None, None]
    for uvs in (mesh.corner_uvs, apart):
        assert seams.step_ratio(mesh.positions, mesh.triangles, uvs, texture) is None
