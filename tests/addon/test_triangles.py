"""Polygons cut into triangles; that the cut is Blender's own is tested inside Blender."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as some
from numpy.typing import NDArray

from blender_addon import steps
from blender_addon.collect import triangles


def fans(starts: NDArray[np.int32]) -> NDArray[np.int32]:
    """A cut of the polygons with many corners, in the place of Blender's."""
    found = []
    for first, end in itertools.pairwise(starts):
        if end - first > triangles.FEW:
            found += [(first, first + k, first + k + 1) for k in range(1, end - first - 1)]
    return np.array(found, np.int32).reshape(-1, 3)


@given(some.lists(some.integers(3, 7), min_size=1, max_size=30), some.integers(0, 2**32 - 1))
def test_every_polygon_becomes_two_triangles_less_than_it_has_corners(sizes: list[int], seed: int) -> None:
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    corners, chance = int(starts[-1]), np.random.default_rng(seed)
    positions = chance.normal(size=(corners, 3)).astype(np.float32)
    corner_vertices = chance.permutation(corners).astype(np.int32)
    uvs = chance.random((corners, 2)).astype(np.float32)
    cut = steps.at_once(triangles.cut(positions, corner_vertices, starts, fans(starts), uvs))
    assert np.array_equal(np.bincount(cut.polygons), np.array(sizes) - 2)
    for polygon, (first, end) in enumerate(itertools.pairwise(starts)):
        loops = cut.loops[cut.polygons == polygon]
        assert set(loops.ravel()) == set(range(first, end))
        assert (np.diff(loops, axis=1) > 0).all()  # the winding is the polygon's
    assert np.array_equal(cut.vertices, corner_vertices[cut.loops])
    assert np.array_equal(cut.uvs, uvs[cut.loops])


def test_a_quad_with_a_dent_is_cut_through_the_dent() -> None:
    dented = np.array([[0, 0, 0], [2, 0, 0], [0.5, 0.5, 0], [0, 2, 0]], np.float32)
    for turn in range(4):
        points = np.roll(dented, turn, axis=0)
        starts = np.array([0, 4], np.int32)
        none = np.empty((0, 3), np.int32)
        cut = steps.at_once(triangles.cut(points, np.arange(4, dtype=np.int32), starts, none, None))
        a, b, c = points[cut.vertices].transpose(1, 0, 2)
        assert (np.cross(b - a, c - a)[:, 2] > 0).all()


def test_no_more_faces_than_the_limit_are_cut_in_one_step() -> None:
    count = 2 * steps.FACES + 5
    starts = np.arange(0, 4 * (count + 1), 4, dtype=np.int32)
    corner_vertices = np.tile(np.arange(4, dtype=np.int32), count)
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float32)
    none = np.empty((0, 3), np.int32)
    yielded = list(triangles.cut(square, corner_vertices, starts, none, None))
    triangle = 3 * 4  # bytes of its vertices
    assert [size // triangle // 2 for size in yielded] == [steps.FACES, steps.FACES, 5]
