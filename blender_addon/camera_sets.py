"""Directions and poses of cameras round a thing. Pure numpy, no chance in it.

A *direction* is a unit vector from the middle of the thing to a camera; N cameras. z is up.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import camera_models

Floats = NDArray[np.float64]

GOLDEN = math.pi * (3 - math.sqrt(5))  # the angle after which no direction comes back
FILL = 0.8  # share of the picture that the thing takes
LENS = 50.0  # mm, on a sensor of `camera_models.SENSOR` along the longer side
FRONT = -0.5 * math.pi  # azimuth of the first camera of a ring: where Blender's front view looks from


def ring(count: int, elevation: float) -> Floats:
    """Directions [N, 3] at one elevation (radians), counter-clockwise from the front."""
    azimuth = FRONT + 2 * math.pi * np.arange(count) / count
    flat, high = math.cos(elevation), math.sin(elevation)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.full(count, high)], -1)


def dome(count: int) -> Floats:
    """Directions [N, 3] that are spread evenly over the upper half of a sphere (a Fibonacci lattice)."""
    return _lattice((np.arange(count) + 0.5) / count)


def cap(count: int, middle: ArrayLike, opening: float) -> Floats:
    """Directions [N, 3] within an angle (radians) of that one, which is the first."""
    up = np.array(middle, np.float64)
    upwards = _lattice(1 - (1 - math.cos(opening)) * np.arange(count) / count)
    return upwards @ camera_models.upright(up)


def _lattice(heights: Floats) -> Floats:
    azimuth = FRONT + GOLDEN * np.arange(len(heights))
    flat = np.sqrt(np.maximum(0.0, 1 - heights**2))
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), heights], -1)


def poses(directions: Floats, distance: float) -> Floats:
    """Poses [N, 4, 4] of cameras that far from the origin, which they look at, upright."""
    result = np.tile(np.eye(4), (len(directions), 1, 1))
    for matrix, back in zip(result, directions, strict=True):
        across = np.cross((0.0, 0.0, 1.0), back)
        if np.linalg.norm(across) < 1e-6:  # straight from above or below: north is up, as in Blender's views
            across = np.array([1.0, 0.0, 0.0])
        across /= np.linalg.norm(across)
        matrix[:3, :3] = np.stack([across, np.cross(back, across), back], -1)
        matrix[:3, 3] = distance * back
    return result


def pinhole(width: int, height: int) -> camera_models.Pinhole:
    """The camera of a set, for pictures of that size."""
    focal = LENS / camera_models.SENSOR * max(width, height)
    return camera_models.Pinhole(width, height, focal, focal, 0.5 * width, 0.5 * height)
