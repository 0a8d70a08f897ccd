"""Blender's cameras as pinholes in pixels, and back. Pure numpy.

A *pinhole* has the origin of its pixels at the top left corner of the picture, y down: a point X, Y, Z of a
camera that looks along +Z with y down falls on u = fl_x X/Z + cx, v = fl_y Y/Z + cy. Blender spreads the same
over a camera (focal length, sensor, fit, shift) and a scene (resolution, pixel aspect): a *lens*. Its
`view` is the width in pixels that the sensor covers; shifts are shares of it.

A Blender camera looks along -Z with y up, as OpenGL has it, so its matrix without scale is the pose of a data
set as it stands.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .wire import errors

Floats = NDArray[np.float64]

SENSOR = 36.0  # mm along the longer side, Blender's own default
LEAST = 1.0  # mm, below which Blender takes neither a focal length nor a sensor
MOST_ASPECT = 200.0  # Blender's own limit for the shape of a pixel
LARGEST = 1e30  # numbers beyond this overflow when they are multiplied
ROUNDING = 1e-6  # what single precision leaves of a number of about 1, with room
MENDED = 1e-3  # a rotation in a file that is off by no more is replaced by the nearest one


@dataclass(frozen=True)
class Pinhole:
    """Intrinsics in pixels."""

    w: int
    h: int
    fl_x: float
    fl_y: float
    cx: float
    cy: float

    def is_near(self, other: "Pinhole") -> bool:
        """Whether single precision may be all the difference."""
        mine, theirs = (np.array([p.fl_x, p.fl_y, p.cx, p.cy]) for p in (self, other))
        allowed = ROUNDING * max(self.w, self.h, self.fl_x, self.fl_y)
        return (self.w, self.h) == (other.w, other.h) and bool((np.abs(mine - theirs) <= allowed).all())


@dataclass(frozen=True)
class Lens:
    """What Blender has for a pinhole. Lengths in mm."""

    lens: float
    sensor_fit: str
    """AUTO, HORIZONTAL or VERTICAL"""
    sensor_width: float
    sensor_height: float
    shift_x: float
    shift_y: float
    resolution_x: int
    resolution_y: int
    resolution_percentage: int = 100
    pixel_aspect_x: float = 1.0
    pixel_aspect_y: float = 1.0


def pinhole_from_lens(lens: Lens) -> Pinhole:
    """The intrinsics that Blender renders with."""
    width = lens.resolution_x * lens.resolution_percentage // 100
    height = lens.resolution_y * lens.resolution_percentage // 100
    tall = lens.pixel_aspect_y / lens.pixel_aspect_x  # the height of a pixel, in widths
    fit = lens.sensor_fit
    if fit == "AUTO":
        fit = "HORIZONTAL" if width >= height * tall else "VERTICAL"
    sensor = lens.sensor_height if lens.sensor_fit == "VERTICAL" else lens.sensor_width
    view = width if fit == "HORIZONTAL" else height * tall
    focal = lens.lens / sensor * view
    return Pinhole(
        width,
        height,
        focal,
        focal / tall,
        0.5 * width - lens.shift_x * view,
        0.5 * height + lens.shift_y * view / tall,
    )


def lens_from_pinhole(pinhole: Pinhole) -> Lens:
    """The settings that make Blender render with these intrinsics.

    The fit is stated, so that it stays with whatever resolution a scene has. Raises UserError `cameras.bad`.
    """
    tall = pinhole.fl_x / pinhole.fl_y
    if not 1 / MOST_ASPECT <= tall <= MOST_ASPECT:
        raise errors.UserError(
            "cameras.bad",
            f"The focal lengths {pinhole.fl_x:g} and {pinhole.fl_y:g} px are too different for Blender.",
            hint="Check fl_x and fl_y of the data set.",
        )
    horizontal = pinhole.w >= pinhole.h * tall
    view = pinhole.w if horizontal else pinhole.h * tall
    sensor = max(SENSOR, LEAST * view / pinhole.fl_x)
    return Lens(
        lens=pinhole.fl_x * sensor / view,
        sensor_fit="HORIZONTAL" if horizontal else "VERTICAL",
        sensor_width=max(LEAST, sensor * pinhole.w / view),
        sensor_height=max(LEAST, sensor * pinhole.h * tall / view),
        shift_x=(0.5 * pinhole.w - pinhole.cx) / view,
        shift_y=(pinhole.cy - 0.5 * pinhole.h) * tall / view,
        resolution_x=pinhole.w,
        resolution_y=pinhole.h,
        pixel_aspect_x=max(1.0, 1.0 / tall),
        pixel_aspect_y=max(1.0, tall),
    )


def pose(matrix: ArrayLike, name: str) -> Floats:
    """The pose [4, 4] of a camera with that matrix, its scale removed. Raises UserError `cameras.bad`."""
    result = np.array(matrix, np.float64).reshape(4, 4)
    lengths = np.linalg.norm(result[:3, :3], axis=0)
    if not (np.isfinite(result).all() and lengths.min() > 0):
        raise errors.UserError(
            "cameras.bad", f"'{name}' has no size or stands nowhere.", hint="Clear its scale (Alt+S)."
        )
    result[:3, :3] /= lengths
    off = float(np.abs(result[:3, :3].T @ result[:3, :3] - np.eye(3)).max())
    if off > MENDED or np.linalg.det(result[:3, :3]) < 0:
        raise errors.UserError(
            "cameras.bad",
            f"'{name}' is mirrored or bent by the scale of its parents.",
            hint="Scale them equally along all axes.",
        )
    return result


def rigid(matrix: Any, what: str) -> Floats:
    """The pose [4, 4] that a file states, [3, 4] or [4, 4]; the nearest rotation where it is off by 1e-3.

    `what` begins the sentence. Raises UserError `dataset.bad`.
    """
    try:
        given = np.array(matrix, np.float64)
    except (TypeError, ValueError, OverflowError):
        given = np.empty(0)
    if given.shape not in ((3, 4), (4, 4)) or not (np.abs(given) < LARGEST).all():
        raise _bad(f"{what} has a pose that is not 4 x 4 finite numbers.")
    if given.shape == (4, 4) and np.abs(given[3] - (0, 0, 0, 1)).max() > ROUNDING:
        raise _bad(f"{what} has a pose whose last row is not 0 0 0 1.")
    rotation = given[:3, :3]
    off = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    if off > MENDED:
        raise _bad(f"{what} has a pose whose axes are not at right angles and of length 1.")
    if np.linalg.det(rotation) < 0:
        raise _bad(f"{what} has a mirrored pose.")
    result = np.eye(4)
    result[:3] = given[:3]
    if off > ROUNDING:
        left, _, right = np.linalg.svd(rotation)
        result[:3, :3] = left @ right
    return result


def is_same_pose(one: Floats, other: Floats) -> bool:
    """Whether single precision may be all the difference between two poses [4, 4]."""
    size = max(1.0, float(np.abs(one[:3, 3]).max()))
    turned = np.abs(one[:3, :3] - other[:3, :3]).max() <= 4 * ROUNDING
    return bool(turned and np.abs(one[:3, 3] - other[:3, 3]).max() <= ROUNDING * size)


def upright(up: ArrayLike) -> Floats:
    """The shortest rotation [3, 3] that takes a direction to +z; about x where that is any."""
    start = np.array(up, np.float64) / np.linalg.norm(up)
    cosine = float(start[2])
    if cosine < -1 + 1e-9:
        flip = np.diag([1.0, -1.0, -1.0])  # 1 + cosine has no digits left
        return np.asarray(upright(flip @ start) @ flip)
    x, y, _ = np.cross(start, (0.0, 0.0, 1.0))
    cross = np.array([[0.0, 0.0, y], [0.0, 0.0, -x], [-y, x, 0.0]])
    return np.eye(3) + cross + cross @ cross / (1 + cosine)


def fitting_distance(radius: float, pinhole: Pinhole, fill: float) -> float:
    """How far from the middle of a sphere it fills that share of the shorter side of a centred picture."""
    tangent = min(pinhole.w / pinhole.fl_x, pinhole.h / pinhole.fl_y) / 2
    return radius / math.sin(math.atan(fill * tangent))


def _bad(sentence: str) -> errors.UserError:
    return errors.UserError("dataset.bad", sentence, hint="Export the camera poses again.")
