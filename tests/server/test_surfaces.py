"""Distances of surfaces that are known."""

import numpy as np
import pytest
import trimesh
from maquette_server.metrics import surfaces


def test_a_surface_is_at_no_distance_from_itself() -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    assert surfaces.mean_distance(ball, ball) == pytest.approx(0, abs=1e-7)


def test_two_plates_are_as_far_apart_as_they_lie() -> None:
    plate = trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
    other = plate.copy()
    other.apply_translation((0, 0, 0.25))
    assert surfaces.mean_distance(plate, other) == pytest.approx(0.25)


def test_only_points_that_count_are_asked() -> None:
    near = trimesh.creation.box((1, 1, 1))
    far = trimesh.creation.box((1, 1, 1))
    far.apply_translation((0, 0, 3))
    both = trimesh.util.concatenate([near, far])
    assert surfaces.mean_distance(both, near, lambda points: points[:, 2] < 1) == pytest.approx(0, abs=1e-7)
    assert surfaces.mean_distance(both, near, lambda points: np.zeros(len(points), bool)) is None
