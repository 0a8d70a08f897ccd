"""The mean gradient of pictures that are known."""

import numpy as np
import pytest
from maquette_server.metrics import sharpness


def test_a_slope_has_its_own_gradient_wherever_it_points() -> None:
    y, x = np.mgrid[:8, :8] / 100
    colours = np.repeat((3 * x + 4 * y)[..., None], 3, 2)
    assert sharpness.mean_gradient(colours, np.ones((8, 8), bool)) == pytest.approx(0.05)


def test_the_edge_of_the_object_does_not_count() -> None:
    colours = np.zeros((8, 8, 3))
    seen = np.zeros((8, 8), bool)
    seen[2:6, 2:6] = True
    colours[seen] = 1
    assert sharpness.mean_gradient(colours, seen) == 0


def test_where_nothing_is_seen_there_is_none() -> None:
    assert sharpness.mean_gradient(np.ones((8, 8, 3)), np.zeros((8, 8), bool)) is None
