"""Sketches as volumes: inside, outside, and how far from the surface."""

import numpy as np
import pytest
from maquette_server.baking.pauses import drained
from maquette_server.geometry import sketch_volume
from maquette_server.geometry.sketch_volume import Part
from shapes import box


def solid(centre: tuple[float, float, float], half: float, **more: object) -> Part:
    return Part(*box(centre, half), **{"strength": 1.0, "lock": False, **more})  # type: ignore[arg-type]


def exact(part: Part, point: np.ndarray) -> float:
    """The winding number by the solid angles of the triangles (van Oosterom and Strackee 1983)."""
    a, b, c = np.moveaxis(part.positions[part.triangles] - point, 1, 0)
    la, lb, lc = (np.linalg.norm(each, axis=1) for each in (a, b, c))
    dot = np.einsum
    top = dot("tc,tc->t", a, np.cross(b, c))
    below = (
        la * lb * lc + dot("tc,tc->t", a, b) * lc + dot("tc,tc->t", b, c) * la + dot("tc,tc->t", c, a) * lb
    )
    return float(2 * np.arctan2(top, below).sum() / (4 * np.pi))


def test_winding_numbers_of_a_cube_are_one_inside_and_nought_outside() -> None:
    cube = solid((0, 0, 0), 0.5)
    points = np.array([[0.4, 0.4, 0.4], [0.6, 0, 0], [0, 0, 0]])
    assert sketch_volume.winding_numbers(cube, points) == pytest.approx([1, 0, 1], abs=1e-6)


def test_a_cube_without_a_face_winds_five_sixths_about_its_middle() -> None:
    positions, triangles = box((0, 0, 0), 0.5)
    opened = Part(positions, triangles[2:], 1.0, False)
    number = sketch_volume.winding_numbers(opened, np.zeros((1, 3)))
    assert number == pytest.approx([5 / 6], abs=1e-6)
    assert drained(sketch_volume.sampled([opened], 32)).filled > 0.05


def test_fast_winding_numbers_agree_with_solid_angles() -> None:
    rng = np.random.default_rng(0)
    positions, triangles = box((0.1, -0.2, 0.0), 0.4)
    part = Part(positions + 0.05 * rng.normal(size=positions.shape), triangles, 1.0, False)
    points = rng.uniform(-1, 1, (200, 3))
    expected = np.array([exact(part, point) for point in points])
    assert np.abs(sketch_volume.winding_numbers(part, points) - expected).max() < 1e-3


def test_faces_turned_inside_out_still_enclose() -> None:
    positions, triangles = box((0, 0, 0), 0.5)
    turned = Part(positions, triangles[:, ::-1].copy(), 1.0, False)
    assert sketch_volume.winding_numbers(turned, np.zeros((1, 3))) == pytest.approx([1])


def test_signed_distances_of_a_cube_are_its_own() -> None:
    volume = drained(sketch_volume.sampled([solid((0, 0, 0), 0.5)], 64))
    centres = (np.arange(64) + 0.5) / 32 - 1
    x, y, z = np.meshgrid(centres, centres, centres, indexing="ij")
    beyond = np.abs(np.stack([x, y, z], -1)) - 0.5
    expected = np.linalg.norm(np.maximum(beyond, 0), axis=-1) + np.minimum(beyond.max(-1), 0)
    off = np.abs(volume.signed - expected)
    near = np.abs(expected) < 2.5 / 32
    assert off[near].max() < 1e-5
    assert off.max() < 1 / 32
    assert volume.filled == pytest.approx(1 / 8, rel=0.02)


def test_overlapping_parts_are_their_union() -> None:
    parts = [solid((-0.2, 0, 0), 0.4), solid((0.2, 0, 0), 0.4)]
    together = drained(sketch_volume.sampled(parts, 64))
    whole = np.array([[0.0, 0.0, 0.0]])
    assert sum(sketch_volume.winding_numbers(part, whole)[0] for part in parts) == pytest.approx(2)
    inside = together.signed < 0
    assert inside.mean() == pytest.approx(1.2 * 0.8 * 0.8 / 8, rel=0.03)
    # the walls of one box within the other are no surface of the union
    assert together.signed[32, 32, 32] == pytest.approx(-0.4, abs=0.03)
    assert together.signed[38, 32, 32] == pytest.approx(-0.4, abs=0.03)


def test_a_plane_encloses_nothing() -> None:
    positions = np.array([[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]])
    plane = Part(positions, np.array([[0, 1, 2], [0, 2, 3]]), 1.0, False)
    assert drained(sketch_volume.sampled([plane], 32)).filled == 0


@pytest.mark.parametrize("height", [0.0, 0.3, 0.6])
def test_an_open_solid_is_one_wherever_it_stands(height: float) -> None:
    positions, triangles = box((0, height, 0), 0.1)
    facing = np.cross(*np.moveaxis(positions[triangles][:, 1:] - positions[triangles][:, :1], 1, 0))
    opened = Part(positions, triangles[facing[:, 1] <= 1e-9], 1.0, False)  # no lid
    assert len(opened.triangles) == 10
    middle = np.array([[0.0, height, 0.0]])
    assert sketch_volume.winding_numbers(opened, middle) == pytest.approx([5 / 6], abs=1e-6)


def test_a_piece_that_was_joined_inside_out_is_a_solid_too() -> None:
    one, other = box((-0.5, 0, 0), 0.2), box((0.5, 0, 0), 0.2)
    triangles = np.concatenate([one[1], other[1][:, ::-1] + len(one[0])])
    both = Part(np.concatenate([one[0], other[0]]), triangles, 1.0, False)
    middles = np.array([[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0]])
    assert sketch_volume.winding_numbers(both, middles) == pytest.approx([1, 1], abs=1e-3)


def test_a_part_that_falls_between_the_points_of_the_grid_is_named() -> None:
    positions, triangles = box((0, 0, 0), 0.5)
    plate = Part(positions * (1, 0.001, 1), triangles, 1.0, False)
    volume = drained(sketch_volume.sampled([solid((0, 0.6, 0), 0.2), plate], 32))
    assert volume.missed == (1,)
    assert sketch_volume.encloses(plate)


def test_signed_distances_can_be_asked_anywhere() -> None:
    volume = drained(sketch_volume.sampled([solid((0, 0, 0), 0.5)], 64))
    assert volume.at(np.array([[0.0, 0.45, 0.0], [0.0, 0.0, 0.6]])) == pytest.approx([-0.05, 0.1], abs=1e-3)
