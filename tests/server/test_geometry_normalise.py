"""The work frame: any size, any place, any axes, and back."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from maquette_server.geometry import check, normalise
from maquette_wire.errors import UserError

from tests.server import shapes

POSITIONS = np.random.default_rng(0).normal(size=(50, 3)) * (1.0, 2.0, 0.5)


def test_vertex_mean_and_reach_are_those_of_the_released_code() -> None:
    work = normalise.work_from_input(POSITIONS, centre="vertices").apply(POSITIONS)
    np.testing.assert_allclose(work.mean(0), (0, 0.25, 0), atol=1e-12)
    assert np.linalg.norm(work - (0, 0.25, 0), axis=1).max() == pytest.approx(0.6, abs=1e-12)


def test_the_bounding_box_is_centred_by_default_and_stray_vertices_do_not_count() -> None:
    positions, triangles = shapes.cube()
    with_stray = np.concatenate([positions, [[1e6, 0, 0]]])
    work = normalise.work_from_input(with_stray, triangles=triangles).apply(positions)
    np.testing.assert_allclose(work.min(0) + work.max(0), (0, 0.5, 0), atol=1e-12)
    assert np.linalg.norm(work - (0, 0.25, 0), axis=1).max() == pytest.approx(0.6)


@hypothesis.given(
    st.floats(-5, 6),
    st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3),
    st.sampled_from(["box", "vertices"]),
)
def test_translation_and_scale_do_not_matter(exponent: float, shift: list[float], centre: str) -> None:
    scale = 10.0**exponent
    moved = POSITIONS * scale + np.asarray(shift) * scale
    similarity = normalise.work_from_input(moved, centre=centre)  # type: ignore[arg-type]
    expected = normalise.work_from_input(POSITIONS, centre=centre).apply(POSITIONS)  # type: ignore[arg-type]
    np.testing.assert_allclose(similarity.apply(moved), expected, atol=1e-8)
    np.testing.assert_allclose(similarity.undo(similarity.apply(moved)), moved, rtol=1e-12, atol=1e-9 * scale)
    assert similarity.work_positions(moved).dtype == np.float32


def test_blender_axes_become_y_up_z_front() -> None:
    rotation = normalise.rotation((0, 0, 1), (0, -1, 0))
    np.testing.assert_allclose(rotation @ (1, 2, 3), (1, 3, -2), atol=1e-15)


@hypothesis.given(st.lists(st.floats(-1, 1), min_size=6, max_size=6))
def test_rotations_are_proper_or_refused(values: list[float]) -> None:
    up, front = (values[0], values[1], values[2]), (values[3], values[4], values[5])
    try:
        rotation = normalise.rotation(up, front)
    except UserError:
        across = np.cross(up, front)
        assert np.linalg.norm(across) <= 2e-3 * np.linalg.norm(up) * np.linalg.norm(front) + 1e-300
        return
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-9)
    assert np.linalg.det(rotation) == pytest.approx(1)
    np.testing.assert_allclose(rotation @ up, (0, np.linalg.norm(up), 0), atol=1e-9)
    turned = rotation @ front
    assert turned[2] > 0
    assert turned[0] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("front", [(0, 1, 0), (0, -3, 0), (0, 0, 0), (np.nan, 0, 1)])
def test_a_front_along_up_is_refused(front: tuple[float, float, float]) -> None:
    with pytest.raises(UserError) as caught:
        normalise.rotation((0, 1, 0), front)
    assert caught.value.code == "params.bad"


def test_the_matrix_does_what_apply_does() -> None:
    similarity = normalise.work_from_input(POSITIONS, up=(0, 0, 1), front=(0, -1, 0))
    matrix = similarity.matrix
    np.testing.assert_allclose(
        POSITIONS @ matrix[:3, :3].T + matrix[:3, 3], similarity.apply(POSITIONS), atol=1e-12
    )


def test_a_mirroring_matrix_keeps_outside_outside() -> None:
    positions, triangles = shapes.cube()
    corner = np.arange(len(triangles) * 3).reshape(-1, 3)
    matrix = np.diag([-3.0, 1.0, 2.0, 1.0])
    world, turned, [data, nothing] = normalise.from_object(positions, triangles, matrix, corner, None)
    corners = world[turned]
    volume = np.einsum("tc,tc->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume == pytest.approx(48)
    assert nothing is None
    assert data is not None
    np.testing.assert_array_equal(triangles.reshape(-1)[data], turned)


def test_a_mesh_without_extent_is_refused() -> None:
    with pytest.raises(UserError) as caught:
        normalise.work_from_input(np.full((4, 3), 7.0))
    assert caught.value.code == "mesh.degenerate"


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e6])
def test_degenerate_faces_are_found_at_any_size(scale: float) -> None:
    positions, triangles = shapes.cube()
    triangles = np.concatenate([triangles, [[0, 0, 1], [0, 1, 0], [3, 3, 3]]]).astype(np.int32)
    mesh = shapes.mesh(positions * scale, triangles)
    np.testing.assert_array_equal(check.has_area(mesh.positions, mesh.triangles), [True] * 12 + [False] * 3)
    assert "3 of 15 faces" in check.notes(mesh)[0]


def test_notes_name_what_is_odd() -> None:
    positions, triangles = shapes.cube()
    assert check.notes(shapes.mesh(positions, triangles)) == []
    assert any("far from the origin" in note for note in check.notes(shapes.mesh(positions + 1e5, triangles)))
    assert any("tiny" in note for note in check.notes(shapes.mesh(positions * 1e-5, triangles)))
    assert any("huge" in note for note in check.notes(shapes.mesh(positions * 1e6, triangles)))
    fin = np.concatenate([positions, [[0, 0, 9.0]]])
    book = np.concatenate([triangles, [[0, 1, 8]]]).astype(np.int32)
    assert any("more than two faces" in note for note in check.notes(shapes.mesh(fin, book)))
    assert check.part_count(9, np.array([[0, 1, 2], [3, 4, 5], [5, 6, 7]], np.int32)) == 2
