"""Poses of other programs as ours, and which matrices are poses at all."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from maquette_server.cameras import conventions
from maquette_server.cameras.pinhole import look_at
from maquette_wire.errors import UserError

from tests.server import captures


def pose(seed: int, scale: float = 1.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return look_at(
        scale * generator.normal(size=3), scale * generator.normal(size=3), generator.normal(size=3)
    )


def refusal(matrix: object) -> str:
    with pytest.raises(UserError) as caught:
        conventions.rigid(matrix, "'a.png'")  # type: ignore[arg-type]
    assert caught.value.code == "dataset.bad"
    assert caught.value.sentence.startswith("'a.png'")
    assert caught.value.hint
    return caught.value.sentence


def test_opencv_cameras_look_along_plus_z_with_y_down() -> None:
    ours = pose(1)
    theirs = conventions.opencv_from_opengl(ours)
    np.testing.assert_array_equal(theirs[:3, 2], -ours[:3, 2])
    np.testing.assert_array_equal(theirs[:3, 1], -ours[:3, 1])
    np.testing.assert_array_equal(theirs[:3, (0, 3)], ours[:3, (0, 3)])
    np.testing.assert_array_equal(conventions.opengl_from_opencv(theirs), ours)


def test_llff_columns_are_down_right_backwards() -> None:
    ours = pose(2)
    theirs = np.stack([-ours[:3, 1], ours[:3, 0], ours[:3, 2], ours[:3, 3]], -1)
    np.testing.assert_array_equal(conventions.opengl_from_llff(theirs), ours)
    assert conventions.opengl_from_llff(np.stack([theirs, theirs])).shape == (2, 4, 4)


def test_a_colmap_camera_at_a_known_place() -> None:
    # identity rotation: looks along world +z with world y down; camera-from-world moves the world by -place
    found = conventions.opengl_from_colmap(np.array([2.0, 0, 0, 0]), np.array([-1.0, -2.0, -3.0]))
    np.testing.assert_allclose(found[:3, 3], (1, 2, 3))
    np.testing.assert_allclose(-found[:3, 2], (0, 0, 1))
    np.testing.assert_allclose(found[:3, 1], (0, -1, 0))


@hypothesis.given(st.integers(0, 10**6))
def test_colmap_poses_come_back(seed: int) -> None:
    ours = pose(seed)
    quaternion, translation = conventions.colmap_from_opengl(ours)
    np.testing.assert_allclose(conventions.opengl_from_colmap(quaternion, translation), ours, atol=1e-12)
    assert quaternion[0] >= 0


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_turns_have_quaternions(axis: int) -> None:
    rotation = -np.eye(3)
    rotation[axis, axis] = 1.0
    quaternion = conventions.quaternion_from_rotation(rotation)
    np.testing.assert_allclose(conventions.rotation_from_quaternion(quaternion), rotation, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_a_sound_pose_is_left_as_it_stands(scale: float) -> None:
    for seed in range(20):
        ours = pose(seed, scale)
        np.testing.assert_array_equal(conventions.rigid(ours), ours)
        np.testing.assert_array_equal(conventions.rigid(ours[:3].tolist()), ours)
        coarse = ours.astype(np.float32)
        np.testing.assert_array_equal(conventions.rigid(coarse), coarse.astype(np.float64))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_a_small_error_is_mended_and_a_large_one_refused(scale: float) -> None:
    ours = pose(3, scale)
    skew = np.array([[0, 1.0, 0], [0, 0, 0], [0, 0, 0]])
    slightly = ours.copy()
    slightly[:3, :3] = ours[:3, :3] @ (np.eye(3) + 5e-4 * skew)
    mended = conventions.rigid(slightly)
    np.testing.assert_allclose(mended[:3, :3].T @ mended[:3, :3], np.eye(3), atol=1e-14)
    np.testing.assert_allclose(mended, slightly, atol=6e-4)
    np.testing.assert_array_equal(mended[:3, 3], ours[:3, 3])
    np.testing.assert_array_equal(conventions.rigid(mended), mended)  # mending ends
    slightly[:3, :3] = ours[:3, :3] @ (np.eye(3) + 2e-3 * skew)
    assert "right angles" in refusal(slightly)


def test_what_is_no_pose_is_refused_in_one_sentence() -> None:
    ours = pose(4)
    mirrored = ours * [1, -1, 1, 1]
    assert "mirrored" in refusal(mirrored)
    assert "length 1" in refusal(ours * [2, 2, 2, 1])
    for value in (np.nan, np.inf):
        broken = ours.copy()
        broken[0, 3] = value
        assert "not finite" in refusal(broken)
    assert "3 x 3" in refusal(ours[:3, :3])
    assert "4 x 4" in refusal([[1, 2], [3]])
    assert "4 x 4" in refusal(None)
    assert "4 x 4" in refusal("pose")
    assert "last row" in refusal(ours.T + np.eye(4) * 0)


def test_the_ring_of_the_tests_is_made_of_poses() -> None:
    for matrix in captures.ring(7, 1e4):
        np.testing.assert_array_equal(conventions.rigid(matrix), matrix)
