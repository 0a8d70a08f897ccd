"""Where a set of cameras looks, which way is up, and how far away things are. Only the poses are asked."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..cameras import focus
from .base import Frame

Floats = NDArray[np.float64]

LEVEL = 0.1  # mean camera up shorter than this says nothing
FORWARD = 0.5  # cosine to the mean viewing direction above which a camera faces forward


def poses(frames: Sequence[Frame]) -> Floats:
    """world_from_camera of all frames, [N, 4, 4]."""
    return np.stack([frame.world_from_camera for frame in frames])


def focus_point(frames: Sequence[Frame]) -> Floats | None:
    """The point [3] nearest to all viewing axes (least squares), or None where the axes are parallel."""
    matrices = poses(frames)
    return focus.nearest_to_axes(matrices[:, :3, 3], -matrices[:, :3, 2])


def up_of(frames: Sequence[Frame]) -> Floats:
    """The mean up direction of the cameras, [3], unit; world +z where they cancel out."""
    mean = poses(frames)[:, :3, 1].mean(0)
    length = float(np.linalg.norm(mean))
    return mean / length if length > LEVEL else np.array([0.0, 0.0, 1.0])


def spread(frames: Sequence[Frame]) -> float:
    """The diagonal of the box that holds all camera positions."""
    places = poses(frames)[:, :3, 3]
    return float(np.linalg.norm(places.max(0) - places.min(0)))


def distances(frames: Sequence[Frame], point: Floats) -> Floats:
    """How far each camera is from a point, [N]."""
    return np.linalg.norm(poses(frames)[:, :3, 3] - point, axis=-1)


def one_way(frames: Sequence[Frame]) -> bool:
    """Whether all cameras face forward: within 60 degrees of their mean viewing direction."""
    views = -poses(frames)[:, :3, 2]
    mean = views.mean(0)
    return bool((views @ mean > FORWARD * np.linalg.norm(mean)).all())
