"""Facts about naming colours."""

import numpy as np
import pytest
from maquette_server.metrics import colour_names


@pytest.mark.parametrize("name", sorted(colour_names.NAMES))
def test_every_reference_has_its_own_name(name):
    assert colour_names.nearest(np.array(colour_names.NAMES[name])) == name


@pytest.mark.parametrize(
    ("srgb", "expected"),
    [((1, 1, 1), (100, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (53.24, 80.09, 67.20))],
)
def test_known_colours_have_their_published_coordinates(srgb, expected):
    np.testing.assert_allclose(colour_names.lab(np.array(srgb, float)), expected, atol=0.05)


@pytest.mark.parametrize("name", ["red", "green", "blue", "yellow", "purple"])
def test_a_shaded_colour_keeps_its_name(name):
    assert colour_names.nearest(0.75 * np.array(colour_names.NAMES[name])) == name


def test_the_share_counts_pixels():
    pixels = np.array([colour_names.NAMES["red"]] * 3 + [colour_names.NAMES["green"]])
    assert colour_names.share(pixels, "red") == 0.75
