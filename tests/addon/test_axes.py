"""Axes, pixel rows and colours between Blender and the wire."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from blender_addon import axes


@given(st.integers(1, 7), st.integers(1, 7), st.integers(0, 2**32 - 1))
def test_pixels_survive_the_way_there_and_back(width: int, height: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    pixels = axes.pixels_from_top_rows(picture)
    assert pixels.dtype == np.float32
    assert np.array_equal(axes.top_rows_from_pixels(pixels, width, height), picture)


def test_the_first_pixel_of_blender_is_the_lower_left_one() -> None:
    pixels = np.zeros(2 * 3 * 4, np.float32)
    pixels[:4] = 1.0
    assert (axes.top_rows_from_pixels(pixels, 2, 3)[2, 0] == 255).all()


def test_coding_a_linear_colour_keeps_black_and_white_and_meets_the_standard() -> None:
    assert np.allclose(axes.srgb_from_linear((0.0, 1.0, 0.5, 0.3)), (0.0, 1.0, 0.735356983), atol=1e-9)
    below, above = axes.srgb_from_linear((0.00313, 0.00314, 0))[:2]
    assert 0 < above - below < 1e-3


def test_fronts_are_horizontal_unit_vectors() -> None:
    for front in axes.FRONTS.values():
        assert np.isclose(np.linalg.norm(front), 1)
        assert np.dot(front, axes.UP) == 0


def test_a_matrix_keeps_its_rows() -> None:
    rows = axes.matrix_rows(np.arange(16.0).reshape(4, 4))
    assert rows[1] == (4.0, 5.0, 6.0, 7.0)
    assert all(type(value) is float for row in rows for value in row)
