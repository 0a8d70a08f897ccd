"""Pinholes and Blender's lenses, poses, and camera sets, in plain Python."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as some
from maquette_wire import errors

from blender_addon import camera_models, camera_sets

pinholes = some.builds(
    camera_models.Pinhole,
    some.integers(4, 4096),
    some.integers(4, 4096),
    some.floats(50, 5000),
    some.floats(50, 5000),
    some.floats(-100, 4000),
    some.floats(-100, 4000),
)


@given(pinholes)
def test_a_lens_gives_back_its_pinhole(pinhole: camera_models.Pinhole) -> None:
    lens = camera_models.lens_from_pinhole(pinhole)
    assert camera_models.pinhole_from_lens(lens).is_near(pinhole)
    assert min(lens.lens, lens.sensor_width, lens.sensor_height) >= camera_models.LEAST - 1e-9
    assert min(lens.pixel_aspect_x, lens.pixel_aspect_y) >= 1
    assert max(lens.pixel_aspect_x, lens.pixel_aspect_y) <= camera_models.MOST_ASPECT


def test_a_pixel_that_blender_cannot_hold_is_refused() -> None:
    with pytest.raises(errors.UserError) as caught:
        camera_models.lens_from_pinhole(camera_models.Pinhole(8, 8, 1.0, 900.0, 4, 4))
    assert caught.value.code == "cameras.bad"


@example([0.0, 1e-6, -0.5])
@given(some.lists(some.floats(-1, 1), min_size=3, max_size=3).filter(lambda v: np.linalg.norm(v) > 1e-3))
def test_upright_is_a_rotation_that_takes_a_direction_to_z(up: list[float]) -> None:
    turn = camera_models.upright(up)
    assert np.allclose(turn @ (np.array(up) / np.linalg.norm(up)), (0, 0, 1), atol=1e-6)
    assert np.allclose(turn.T @ turn, np.eye(3), atol=1e-6)
    assert np.linalg.det(turn) > 0


def test_a_pose_has_no_scale_and_is_not_bent() -> None:
    turned = camera_models.upright((1, 2, 3))
    matrix = np.eye(4)
    matrix[:3, :3] = turned @ np.diag([2.0, 2.0, 2.0])
    assert np.allclose(camera_models.pose(matrix, "it")[:3, :3], turned)
    for wrong in (np.diag([1.0, 0, 1]), np.diag([1.0, 1, -1]), turned @ np.diag([1.0, 4, 1]) @ turned):
        matrix[:3, :3] = wrong
        with pytest.raises(errors.UserError):
            camera_models.pose(matrix, "it")


def test_a_rotation_in_a_file_is_mended_up_to_a_thousandth() -> None:
    matrix = np.eye(4)
    matrix[0, 1] = 1e-7
    assert np.array_equal(camera_models.rigid(matrix.tolist(), "it"), matrix)  # rounding stays as it is
    matrix[0, 1] = 5e-4
    mended = camera_models.rigid(matrix[:3].tolist(), "it")
    assert np.allclose(mended[:3, :3].T @ mended[:3, :3], np.eye(3), atol=1e-12)
    matrix[0, 1] = 0.1
    for wrong in (matrix.tolist(), [[1, 2], [3]], "x", None, np.full((4, 4), np.nan).tolist(), [[10**400]]):
        with pytest.raises(errors.UserError) as caught:
            camera_models.rigid(wrong, "it")
        assert caught.value.code == "dataset.bad"


@given(some.integers(1, 40), some.floats(-1.5, 1.5), some.floats(0.1, 50))
def test_cameras_of_a_set_stand_at_one_distance_and_look_at_the_middle(
    count: int, elevation: float, distance: float
) -> None:
    sets = (
        camera_sets.ring(count, elevation),
        camera_sets.dome(count),
        camera_sets.cap(count, (0, 0, 1), 0.5),
    )
    for directions in sets:
        poses = camera_sets.poses(directions, distance)
        assert np.allclose(np.linalg.norm(poses[:, :3, 3], axis=1), distance)
        assert np.allclose(poses[:, :3, 3], distance * poses[:, :3, 2])
        assert np.allclose(np.swapaxes(poses[:, :3, :3], 1, 2) @ poses[:, :3, :3], np.eye(3))
        assert (np.linalg.det(poses[:, :3, :3]) > 0).all()
        assert (poses[:, 2, 1] > -1e-9).all()  # none stands on its head


def test_a_ring_begins_at_the_front_and_a_dome_is_spread() -> None:
    ring = camera_sets.ring(4, 0.0)
    assert np.allclose(ring, [[0, -1, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0]])
    dome = camera_sets.dome(200)
    assert (dome[:, 2] > 0).all()
    nearest = np.sort(dome @ dome.T, axis=1)[:, -2]
    assert np.degrees(np.arccos(nearest)).min() > 6  # of 200 on a half sphere, 10 degrees would be ideal


def test_a_cap_begins_with_its_middle_and_keeps_within_its_opening() -> None:
    middle = np.array([0.6, 0.0, 0.8])
    cap = camera_sets.cap(30, middle, 0.5)
    assert np.allclose(cap[0], middle)
    assert (cap @ middle > math.cos(0.5) - 1e-9).all()


def test_a_sphere_at_the_fitting_distance_fills_its_share_of_the_picture() -> None:
    pinhole = camera_sets.pinhole(640, 480)
    distance = camera_models.fitting_distance(2.0, pinhole, 0.8)
    outline = math.tan(math.asin(2.0 / distance)) * pinhole.fl_y
    assert outline == pytest.approx(0.8 * 240)
