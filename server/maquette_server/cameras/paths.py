"""Camera paths: what a render goes through, frame by frame.

A *stop* is a camera with the time it shows (any number, in the data set's own unit) or None where nothing
moves. Cameras stand in the coordinates of their input, which nothing here turns.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from .pinhole import Pinhole

Stop = tuple[Pinhole, float | None]
Vector = Sequence[float] | NDArray[np.float64]

MAX_STOPS = 100_000


@dataclass(frozen=True)
class CameraPath:
    """Stops and how fast they are shown."""

    stops: list[Stop]
    fps: float  # frames per second


def through(stops: Sequence[Stop], frames: int, *, loop: bool = False) -> list[Stop]:
    """A smooth path through the given stops, `frames` long: from first to last, or round to the first again.

    Each stretch between two stops takes equally long. Places follow the uniform Catmull-Rom spline, rotations
    the shorter great arc between neighbours (slerp), focal lengths and times change evenly (focal lengths by
    a factor). The picture size is the first camera's; others are brought to its height. Times are kept where
    all stops have one. Raises UserError `cameras.bad` without a stop or with more than MAX_STOPS frames.
    """
    if not stops or not 1 <= frames <= MAX_STOPS:
        raise bad("A path", f"needs a camera and 1 to {MAX_STOPS} frames, not {len(stops)} and {frames}")
    first = stops[0][0]
    cameras = [_in_height(camera, first.width, first.height) for camera, _ in stops]
    times = [time for _, time in stops if time is not None]
    if loop:
        cameras, times = [*cameras, cameras[0]], [*times, *times[:1]]
    knots = len(cameras)
    if knots == 1:
        return [(cameras[0], stops[0][1])] * frames
    where = np.linspace(0, knots - 1, frames, endpoint=not loop)
    poses = np.stack([camera.world_from_camera for camera in cameras])
    rotations = Slerp(np.arange(knots), Rotation.from_matrix(poses[:, :3, :3]))(where).as_matrix()
    places = _catmull_rom(poses[:, :3, 3], where, loop)
    lenses = np.array([[np.log(c.focal_x), np.log(c.focal_y), c.centre_x, c.centre_y] for c in cameras])
    lens = np.stack([np.interp(where, np.arange(knots), column) for column in lenses.T], 1)
    shown = np.interp(where, np.arange(knots), times).tolist() if len(times) == knots else [None] * frames
    result: list[Stop] = []
    for number, time in enumerate(shown):
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotations[number], places[number]
        focal_x, focal_y, centre_x, centre_y = lens[number].tolist()
        sizes = math.exp(focal_x), math.exp(focal_y), centre_x, centre_y, first.width, first.height
        result.append((Pinhole(matrix, *sizes), time))
    return result


def timed(stops: Sequence[Stop], start: float, end: float) -> list[Stop]:
    """The same cameras with times that run evenly from `start` to `end`."""
    times = np.linspace(start, end, len(stops)).tolist()
    return [(camera, time) for (camera, _), time in zip(stops, times, strict=True)]


def bad(name: str, why: str) -> UserError:
    """A refusal; `name` says which path or camera."""
    return UserError(
        "cameras.bad", f"{name} {why}.", hint="Give a nerfstudio camera path, or choose turntable or spiral."
    )


def _in_height(camera: Pinhole, width: int, height: int) -> Pinhole:
    """The same view in a picture of another size: scaled to its height, then cut or widened evenly."""
    scale = height / camera.height
    centre = 0.5 * width + scale * (camera.centre_x - 0.5 * camera.width)
    focal = scale * camera.focal_x, scale * camera.focal_y
    return Pinhole(camera.world_from_camera, *focal, centre, scale * camera.centre_y, width, height)


def _catmull_rom(points: NDArray[np.float64], where: NDArray[np.float64], loop: bool) -> NDArray[np.float64]:
    """Places [F, 3] on the uniform Catmull-Rom spline through points [K, 3] at knots 0..K-1.

    Beyond the ends stand the neighbours of the closed line, or the end mirrored: a line stays a line.
    """
    before = points[-2] if loop else 2 * points[0] - points[1]
    after = points[1] if loop else 2 * points[-1] - points[-2]
    padded = np.concatenate([before[None], points, after[None]])
    start = np.minimum(where.astype(np.int64), len(points) - 2)
    t = (where - start)[:, None]
    p0, p1, p2, p3 = (padded[start + step] for step in range(4))
    bend = (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return p1 + 0.5 * ((p2 - p0) * t + bend)
