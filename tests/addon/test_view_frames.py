"""Sizes of live pictures, and the part of them that is a camera's."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from blender_addon import camera_models, view_frames

pinholes = some.builds(
    camera_models.Pinhole,
    some.integers(16, 4096),
    some.integers(16, 4096),
    some.floats(200, 5000),
    some.floats(200, 5000),
    some.floats(0, 4000),
    some.floats(0, 4000),
)


@given(pinholes, some.sampled_from(view_frames.SIZES))
def test_the_cameras_part_shows_what_the_camera_sees(pinhole: camera_models.Pinhole, long: int) -> None:
    frame = view_frames.frame_of(pinhole, long)
    assert max(frame.part_width, frame.part_height) <= long
    assert max(frame.width, frame.height) <= 1448  # what one answer may hold
    assert frame.left + frame.part_width <= frame.width
    assert frame.top + frame.part_height <= frame.height
    focal = 0.5 * frame.height / math.tan(0.5 * frame.fov_y)
    # the edges of the part, as tangents from the axis, are those of the picture, but for whole pixels
    left = (frame.left - 0.5 * frame.width) / focal
    right = left + frame.part_width / focal
    top = (frame.top - 0.5 * frame.height) / focal
    bottom = top + frame.part_height / focal
    pixel = 1.51 / focal
    assert left == pytest.approx(-pinhole.cx / pinhole.fl_x, abs=pixel)
    assert right == pytest.approx((pinhole.w - pinhole.cx) / pinhole.fl_x, abs=2 * pixel)
    assert top == pytest.approx(-pinhole.cy / pinhole.fl_y, abs=pixel)
    assert bottom == pytest.approx((pinhole.h - pinhole.cy) / pinhole.fl_y, abs=2 * pixel)


def test_a_centred_camera_needs_no_wider_picture() -> None:
    frame = view_frames.frame_of(camera_models.Pinhole(640, 480, 700, 700, 320, 240), 256)
    assert (frame.width, frame.height, frame.left, frame.top) == (256, 192, 0, 0)
    assert frame.fov_y == pytest.approx(2 * math.atan(240 / 700))
    picture = np.zeros((192, 256, 4), np.uint8)
    assert frame.part_of(picture).shape == picture.shape


def test_a_small_camera_is_shown_as_large_as_others() -> None:
    frame = view_frames.frame_of(camera_models.Pinhole(48, 48, 60, 60, 24, 24), 512)
    assert (frame.width, frame.height) == (512, 512)
    assert frame.fov_y == pytest.approx(2 * math.atan(24 / 60))


@pytest.mark.parametrize(
    ("drawn", "rate", "size"),
    [
        (0, 0.0, 128),  # the first
        (0, 1e-6, 256),  # moving, on a quick server: 0.07 s
        (0, 1e-3, 64),  # moving, on one that takes 4 s even for that
        (64, 1e-5, 128),
        (256, 1e-5, 512),  # 2.6 s, while nothing moves
        (256, 1e-4, 0),  # 26 s, for which nobody waits
        (512, 1e-9, 0),
    ],
)
def test_pictures_grow_while_nothing_moves(drawn: int, rate: float, size: int) -> None:
    assert view_frames.next_size(drawn, rate) == size
