"""Once round a point, and what all round tours share: cameras at angles about an axis, looking at it."""

import math

import numpy as np
from numpy.typing import NDArray

from .paths import Stop, Vector
from .pinhole import Pinhole


def turntable(
    target: Vector,
    radius: float,
    up: Vector,
    frames: int,
    elevation: float,
    fov: float,
    size: tuple[int, int],
    *,
    front: Vector | None = None,
) -> list[Stop]:
    """Once round `target` at distance `radius`, counter-clockwise seen from the tip of `up`; no frame twice.

    elevation: degrees above the plane through the target, -90..90. fov: vertical, degrees. size: width and
    height in pixels. front: where the first camera stands, seen from the target; what of it lies along `up`
    does not count. Without it, +z where up is +y and -y where up is +z. Raises ValueError for numbers out of
    their range.
    """
    if frames < 1 or not radius > 0 or not -90 <= elevation <= 90 or not 0 < fov < 180 or min(size) < 1:
        raise ValueError(
            f"no turntable of {frames} frames, radius {radius}, {elevation} and {fov} degrees, {size}"
        )
    axes = axes_of(np.asarray(up, np.float64), None if front is None else np.asarray(front, np.float64))
    centre = np.asarray(target, np.float64)
    turns = 2 * math.pi * np.arange(frames) / frames
    matrices = [orbit(centre, radius, turn, math.radians(elevation), axes) for turn in turns.tolist()]
    return [(Pinhole.from_fov(matrix, math.radians(fov), *size), None) for matrix in matrices]


def axes_of(up: NDArray[np.float64], front: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Rows: where azimuth 0 is, where azimuth 90 degrees is, up; [3, 3], orthonormal."""
    length = np.linalg.norm(up)
    if not 0 < length < math.inf:
        raise ValueError(f"up has no direction: {up}")
    up = up / length
    if front is not None:
        front = front - (front @ up) * up
    if front is None or np.linalg.norm(front) < 1e-9:
        # +z carried along by the smallest turn that takes +y to up; where up is -y there is no smallest one.
        y, z = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
        front = z - (z @ up) / (1 + y @ up) * (y + up) if 1 + y @ up > 1e-9 else z
    front = front / np.linalg.norm(front)
    return np.stack([front, np.cross(up, front), up])


def orbit(
    target: NDArray[np.float64], distance: float, azimuth: float, elevation: float, axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """world_from_camera [4, 4] at the given angles (radians), looking at the target; poles included."""
    level = math.cos(azimuth) * axes[0] + math.sin(azimuth) * axes[1]
    backward = math.cos(elevation) * level + math.sin(elevation) * axes[2]
    upward = math.cos(elevation) * axes[2] - math.sin(elevation) * level
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([np.cross(upward, backward), upward, backward], 1)
    matrix[:3, 3] = target + distance * backward
    return matrix
