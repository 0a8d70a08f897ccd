"""Smoothing of surfaces: roughness goes, size and thin parts stay."""

import numpy as np
import trimesh
from maquette_server.meshing import smoothing


def test_a_rough_ball_becomes_rounder_and_keeps_its_size() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4)
    rough = ball.vertices * (1 + 0.03 * np.random.default_rng(0).standard_normal((len(ball.vertices), 1)))
    even = smoothing.evened(rough, ball.faces)
    radii = np.linalg.norm(even, axis=1)
    assert radii.std() < 0.5 * np.linalg.norm(rough, axis=1).std()
    assert abs(radii.mean() - 1) < 0.01


def test_a_thin_bar_is_as_long_as_before() -> None:
    bar = trimesh.creation.box((2.0, 0.1, 0.1)).subdivide().subdivide().subdivide().subdivide()
    even = smoothing.evened(np.asarray(bar.vertices), bar.faces)
    assert np.ptp(even[:, 0]) > 1.9
    assert np.ptp(even[:, 1]) > 0.08


def test_a_blur_keeps_a_plane_where_it_is_and_none_changes_nothing() -> None:
    volume = np.clip(np.arange(-8, 8, dtype=np.float32) + 0.5, -3, 3)[:, None, None].repeat(5, 1).repeat(5, 2)
    blurred = smoothing.blurred(volume, 0.7)
    np.testing.assert_array_equal(np.sign(blurred), np.sign(volume))
    assert smoothing.blurred(volume, 0.0) is volume
