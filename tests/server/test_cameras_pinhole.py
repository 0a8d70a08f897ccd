"""Cameras: projection, look-at with the numbers of the released Latent-Paint code, and where views stand."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from maquette_server.cameras import sampling
from maquette_server.cameras.pinhole import Pinhole, look_at


def test_the_evaluation_camera_is_the_released_codes() -> None:
    view = sampling.place(60.0, 0.0, 1.8, size=64)
    camera = view.camera
    np.testing.assert_allclose(camera.position, (0, 0.9, 1.558846), atol=1e-6)
    np.testing.assert_allclose(camera.world_from_camera[:3, 0], (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(camera.world_from_camera[:3, 1], (0, 0.9230, -0.3849), atol=5e-5)
    assert np.linalg.det(camera.world_from_camera[:3, :3]) == pytest.approx(1)
    assert camera.focal_x / 32 == pytest.approx(1.732051, abs=1e-6)
    pixel, depth = camera.project(np.array([[0, 0.25, 0], [0.1, 0.25, 0], [0, 0.35, 0]]))
    np.testing.assert_allclose(pixel[0], (32, 32), atol=1e-9)
    assert pixel[1, 0] > 32  # +x of the world appears on the right
    assert pixel[2, 1] < 32  # +y at the top
    assert depth[0] == pytest.approx(1.689, abs=1e-3)
    assert view.word == 0


@hypothesis.given(st.floats(0, 180), st.floats(0, 360), st.floats(0.9, 3.0))
def test_every_view_is_a_proper_pose_that_looks_at_its_target(
    theta: float, phi: float, radius: float
) -> None:
    view = sampling.place(theta, phi, radius, size=33, around=sampling.LOOK_AT)
    axes = view.camera.world_from_camera[:3, :3]
    np.testing.assert_allclose(axes.T @ axes, np.eye(3), atol=1e-9)
    assert np.linalg.det(axes) == pytest.approx(1)
    pixel, depth = view.camera.project(np.array(sampling.LOOK_AT))
    np.testing.assert_allclose(pixel, (16.5, 16.5), atol=1e-6)
    assert depth == pytest.approx(radius)
    found = sampling.angles_of(view.camera.position)
    assert found[0] == pytest.approx(theta, abs=1e-4)


@pytest.mark.parametrize("theta", [0.0, 180.0])
@pytest.mark.parametrize("phi", [0.0, 77.0])
def test_the_poles_are_the_limit_of_views_near_them(theta: float, phi: float) -> None:
    near = sampling.place(
        abs(theta - 0.01), phi, 1.3, size=8, around=sampling.LOOK_AT
    ).camera.world_from_camera
    at = sampling.place(theta, phi, 1.3, size=8, around=sampling.LOOK_AT).camera.world_from_camera
    np.testing.assert_allclose(at, near, atol=1e-3)


def test_look_at_along_up_is_still_a_pose() -> None:
    for up in [*np.eye(3).tolist(), [1.0, 1.0, 1.0]]:
        direction = np.array(up)
        pose = look_at(direction * 2, np.zeros(3), direction)
        np.testing.assert_allclose(pose[:3, :3].T @ pose[:3, :3], np.eye(3), atol=1e-12)


def test_rays_go_where_points_are_projected() -> None:
    camera = Pinhole(
        sampling.place(50, 20, 1.4, size=8).camera.world_from_camera, 30.0, 40.0, 7.0, 11.0, 20, 15
    )
    points = camera.position + camera.ray_directions() * np.linspace(0.5, 3, 15 * 20).reshape(15, 20, 1)
    pixel, depth = camera.project(points)
    np.testing.assert_allclose(pixel[..., 0], np.broadcast_to(np.arange(20) + 0.5, (15, 20)), atol=1e-9)
    np.testing.assert_allclose(
        pixel[..., 1], np.broadcast_to(np.arange(15)[:, None] + 0.5, (15, 20)), atol=1e-9
    )
    np.testing.assert_allclose(depth, np.linspace(0.5, 3, 300).reshape(15, 20))
    larger = camera.resized(40, 30)
    np.testing.assert_allclose(larger.project(points)[0], 2 * pixel, atol=1e-9)


def test_points_at_the_camera_do_not_warn() -> None:
    camera = Pinhole.from_fov(np.eye(4), 1.0, 8, 8)
    _, depth = camera.project(np.array([[0.0, 0, 0], [1, 0, 0], [0, 0, 1]]))
    np.testing.assert_array_equal(depth, [0, 0, -1])


@pytest.mark.parametrize(
    ("theta", "phi", "word"),
    [
        (60, 0, 0), (60, 34.9, 0), (60, 35, 1), (60, 144.9, 1), (60, 145, 2), (60, 214.9, 2), (60, 215, 3),
        (60, 324.9, 3), (60, 325, 0), (60, 360, 0), (30, 180, 4), (30.1, 180, 2), (150, 0, 5), (149.9, 0, 0),
    ],
)  # fmt: skip
def test_view_words_follow_the_released_codes_table(theta: float, phi: float, word: int) -> None:
    assert sampling.view_word(theta, phi) == word


def test_released_sampling_has_the_released_ranges_and_frequencies() -> None:
    views = sampling.paint_cameras(4000, np.random.default_rng(0), size=4)
    assert max(view.theta for view in views) <= 150
    assert 1.0 <= min(view.radius for view in views) <= max(view.radius for view in views) <= 1.5
    share = np.bincount([view.word for view in views], minlength=6) / len(views)
    np.testing.assert_allclose(share, (0.155, 0.244, 0.156, 0.244, 0.2, 0), atol=0.025)
    for view in views[:20]:
        assert np.linalg.norm(view.camera.position) == pytest.approx(view.radius)


def test_the_pool_is_spread_over_the_sphere_and_follows_its_seed() -> None:
    pool = sampling.stratified_pool(96, np.random.default_rng(3), size=4, theta=(10.0, 160.0))
    directions = np.array([view.camera.position - sampling.LOOK_AT for view in pool])
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    probes = np.random.default_rng(1).normal(size=(500, 3))
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    probes = probes[
        (probes[:, 1] < math.cos(math.radians(20))) & (probes[:, 1] > math.cos(math.radians(150)))
    ]
    nearest = np.degrees(np.arccos((probes @ directions.T).max(1).clip(-1, 1)))
    assert nearest.max() < 25  # 96 random views leave gaps of more than 30 degrees
    again = sampling.stratified_pool(96, np.random.default_rng(3), size=4, theta=(10.0, 160.0))
    np.testing.assert_array_equal(again[7].camera.world_from_camera, pool[7].camera.world_from_camera)
    quarter = np.histogram([view.phi for view in pool[:16]], bins=4, range=(0, 360))[0]
    assert quarter.min() >= 3


def test_bake_views_see_every_direction_squarely() -> None:
    views = sampling.bake_views(size=8)
    assert (views[0].theta, views[0].phi) == (85.0, 0.0)
    assert {view.theta for view in views} >= {0.0, 180.0}
    directions = np.array([view.camera.position - sampling.LOOK_AT for view in views]) / 1.4
    probes = np.random.default_rng(1).normal(size=(1000, 3))
    probes /= np.linalg.norm(probes, axis=1, keepdims=True)
    assert (probes @ directions.T).max(1).min() > math.cos(math.radians(40))


def test_eight_turn_views_go_round_once() -> None:
    views = sampling.turn_views(8, size=8)
    assert [view.phi for view in views] == [0, 45, 90, 135, 180, 225, 270, 315]
    assert [view.word for view in views] == [0, 1, 1, 1, 2, 3, 3, 3]
