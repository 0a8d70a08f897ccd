"""What is asked of the server for a live picture: how large, and with which field of view. No bpy.

A View has its principal point in the middle and square pixels. So a camera with a shift is drawn in a wider
picture, of which its own part is cut out.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from . import camera_models

Floats = NDArray[np.float64]

LONGEST = 512  # pixels of the long side
SIZES = (64, 128, 256, LONGEST)
FIRST = 128
QUICK = 0.25  # s that a picture may take while the camera moves
PATIENT = 5.0  # s that the last, largest one may take


@dataclass(frozen=True)
class Frame:
    """A View in pixels, and the part of it that is the camera's picture."""

    width: int
    height: int
    fov_y: float
    """radians, of the whole height"""
    left: int
    top: int
    part_width: int
    part_height: int

    def part_of(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The camera's part of a picture [H, W, 4] of the whole."""
        rows = slice(self.top, self.top + self.part_height)
        return picture[rows, self.left : self.left + self.part_width]


def next_size(drawn: int, rate: float) -> int:
    """Long side of the next picture, 0 when there is nothing to gain.

    drawn: long side of what is shown of the same sight, 0 when it is of another. rate: seconds that a pixel
    takes, 0 when it is not known.
    """
    if not drawn:
        return max((s for s in SIZES if s * s * rate <= QUICK), default=SIZES[0]) if rate else FIRST
    larger = [size for size in SIZES if size > drawn]
    return larger[0] if larger and larger[0] ** 2 * rate <= PATIENT else 0


def frame_of(pinhole: camera_models.Pinhole, long: int) -> Frame:
    """A View that has all of a camera's picture, of which the long side is `long` pixels, or less where the
    View would become too wide.
    """
    tall = pinhole.fl_x / pinhole.fl_y  # the height of a pixel, in widths
    size = np.array([pinhole.w, pinhole.h * tall])
    middle = np.array([pinhole.cx, pinhole.cy * tall])
    half = np.maximum(middle, size - middle)  # of the wider picture, round the principal point
    scale = min(long / float(max(size)), 2 * LONGEST / float(max(2 * half)))
    width, height = (max(1, round(float(value))) for value in 2 * half * scale)
    fov_y = 2 * math.atan(0.5 * height / (pinhole.fl_x * scale))
    wide, high = (_between(value, 1, most) for value, most in zip(size * scale, (width, height), strict=True))
    left, top = (
        _between(value, 0, most)
        for value, most in zip((half - middle) * scale, (width - wide, height - high), strict=True)
    )
    return Frame(width, height, fov_y, left, top, wide, high)


def _between(value: float, low: int, high: int) -> int:
    return min(max(round(float(value)), low), high)
