"""Facts about UV maps that may not cut polygons."""

import numpy as np
import pytest
from maquette_server.geometry import files, unwrap, uv, whole_polygons
from maquette_server.geometry.mesh import Mesh


def bumpy_quads(side: int = 8) -> Mesh:
    """A closed-looking, strongly curved sheet of quads, none of them flat."""
    x, y = np.meshgrid(np.linspace(0, 2 * np.pi, side + 1), np.linspace(0, 2 * np.pi, side + 1))
    z = 1.2 * np.sin(3 * x) * np.cos(2 * y)
    positions = np.stack([x, y, z], -1).reshape(-1, 3)
    row, column = np.divmod(np.arange(side * side), side)
    a = row * (side + 1) + column
    quads = np.stack([a, a + 1, a + side + 2, a + side + 1], 1)
    loops = np.arange(4 * side * side).reshape(-1, 4)
    return Mesh(
        "sheet",
        positions,
        np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]]).astype(np.int32),
        triangle_polygons=np.tile(np.arange(len(quads)), 2).astype(np.int32),
        triangle_loops=np.concatenate([loops[:, [0, 1, 2]], loops[:, [0, 2, 3]]]).astype(np.int32),
        loop_count=loops.size,
    )


def made(mesh: Mesh) -> unwrap.Atlas:
    with unwrap.Unwrapping(mesh, 256) as job:
        return job.wait()


def test_every_loop_has_one_place_in_the_atlas():
    mesh = bumpy_quads()
    atlas = made(mesh)
    assert not len(
        whole_polygons.cut_polygons(mesh.triangles, mesh.triangle_polygons, atlas.corner_uvs, atlas.chart)
    )
    per_loop = uv.loop_uvs(mesh, atlas.corner_uvs)
    np.testing.assert_allclose(per_loop[mesh.triangle_loops], atlas.corner_uvs, atol=1e-6)
    assert uv.overlap(atlas.corner_uvs, 256) == 0


def test_polygons_of_a_real_mesh_stay_whole(data):
    mesh = files.load(data / "meshes" / "spot_control_mesh.obj").mesh
    atlas = made(mesh)
    per_loop = uv.loop_uvs(mesh, atlas.corner_uvs)
    np.testing.assert_allclose(per_loop[mesh.triangle_loops], atlas.corner_uvs, atol=1e-6)


def test_a_cut_polygon_becomes_a_chart_of_its_own_at_the_scale_of_the_rest():
    positions = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]], np.float64)
    triangles = np.array([[0, 1, 2], [0, 2, 3], [1, 4, 5], [1, 5, 2]], np.int32)
    polygons = np.array([0, 0, 1, 1], np.int32)
    uvs = np.array(
        [
            [[0, 0], [3, 0], [3, 3]],
            [[9, 9], [12, 12], [9, 12]],
            [[3, 0], [6, 0], [6, 3]],
            [[3, 0], [6, 3], [3, 3]],
        ],
        np.float32,
    )
    chart = np.array([0, 1, 0, 0], np.int32)
    flat, charts = whole_polygons.keep_whole(positions, triangles, polygons, uvs, chart)
    assert charts[0] == charts[1] != charts[2] == charts[3] == 0
    np.testing.assert_allclose(flat[2:], uvs[2:])
    np.testing.assert_allclose(flat[0, 2], flat[1, 1])
    assert np.linalg.norm(flat[0, 1] - flat[0, 0]) == pytest.approx(3)


def test_a_map_that_cuts_nothing_comes_back_as_it_is():
    mesh = bumpy_quads(3)
    uvs = (mesh.positions[mesh.triangles][..., :2] / 7).astype(np.float32)
    chart = np.zeros(len(mesh.triangles), np.int32)
    same, charts = whole_polygons.keep_whole(
        mesh.positions, mesh.triangles, mesh.triangle_polygons, uvs, chart
    )
    assert np.array_equal(same, uvs)
    assert np.array_equal(charts, chart)
