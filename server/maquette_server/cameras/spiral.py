"""A closed path that shows a scene from where its cameras looked at it."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .focus import nearest_to_axes
from .paths import Stop, Vector, bad
from .pinhole import Pinhole, look_at
from .turntable import axes_of, orbit

_CONE = math.cos(math.radians(30))  # cameras within 30 degrees of their mean direction face forward
_GAP = math.radians(125)  # an arc without cameras that a path does not cross; three even ones leave 120
_OUTER = 90  # percentile of the cameras' offsets that a spiral reaches, as in LLFF's release


def spiral(
    cameras: Sequence[Pinhole], frames: int = 120, *, turns: int = 2, up: Vector | None = None
) -> list[Stop]:
    """A closed path that shows the scene from where its cameras looked at it.

    The *focus* is the point nearest to all optical axes. Cameras that mostly (nine in ten) look within 30
    degrees of their mean direction face forward: the path is LLFF's (arXiv:1905.00889, its release), `turns`
    rounds about their mean place that reach the 90th percentile of their offsets in x and y and once to and
    fro in depth, looking at the focus; if their axes are parallel, all frames look the mean way. Otherwise
    they look inward: the path keeps the median distance to the focus and looks at it. It goes round `turns`
    times, and once from the 10th to the 90th percentile of the elevations and back; or, where the cameras
    leave an arc of more than 125 degrees free, in `turns` ellipses over those percentiles of both angles.

    up: direction of the world, by default what is square to all the cameras' sides (as when nobody tilts his
    head), else the mean of their own. Size and middle are the first
    camera's, the focal length is the median one. Raises UserError `cameras.bad` for fewer than two cameras,
    cameras on one spot, and cameras that look away from each other.
    """
    if frames < 1 or turns < 1:
        raise ValueError(f"no spiral of {frames} frames and {turns} turns")
    if len(cameras) < 2:
        raise bad("A spiral", f"needs at least two cameras, not {len(cameras)}")
    poses = np.stack([camera.world_from_camera for camera in cameras])  # [N, 4, 4]
    places, forward = poses[:, :3, 3], -poses[:, :3, 2]
    if np.ptp(places, axis=0).max() <= 1e-9 * max(1e-300, np.abs(places).max()):
        raise bad("A spiral", "needs cameras in several places; these stand on one spot")
    upward = _upward(poses) if up is None else _unit(np.asarray(up, np.float64), poses[0, :3, 1])
    mean = _unit(forward.mean(0), forward[0])
    focus = nearest_to_axes(places, forward)
    along = np.arange(frames) / frames
    if np.percentile(forward @ mean, 100 - _OUTER) > _CONE:
        matrices = _before(places, mean, upward, focus, along, turns)
    else:
        if focus is None or np.median(np.sum((focus - places) * forward, 1)) <= 0:
            raise bad("A spiral", "needs cameras that look at one thing; these look away from each other")
        matrices = _around(places, focus, upward, along, turns)
    width, height = cameras[0].width, cameras[0].height
    focal = float(np.median([camera.focal_y * height / camera.height for camera in cameras]))
    lens = Pinhole(np.eye(4), focal, focal, width / 2, height / 2, width, height)
    return [(replace(lens, world_from_camera=matrix), None) for matrix in matrices]


def _unit(vector: NDArray[np.float64], instead: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-9 else instead / np.linalg.norm(instead)


def _upward(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The world's up by poses [N, 4, 4]; their mean up leans where all cameras look down from one side."""
    mean = _unit(poses[:, :3, 1].mean(0), poses[0, :3, 1])
    sides = poses[:, :3, 0]
    sizes, directions = np.linalg.eigh(sides.T @ sides / len(sides))  # ascending
    if sizes[1] < max(0.05, 4 * sizes[0]):
        return mean  # the sides lie on a line, or on no plane
    return directions[:, 0] if directions[:, 0] @ mean > 0 else -directions[:, 0]


def _before(
    places: NDArray[np.float64],
    mean: NDArray[np.float64],
    upward: NDArray[np.float64],
    focus: NDArray[np.float64] | None,
    along: NDArray[np.float64],
    turns: int,
) -> list[NDArray[np.float64]]:
    """Rounds in front of what all cameras face."""
    centre = places.mean(0)
    pose = look_at(centre, centre + mean, upward)
    reach = np.percentile(np.abs((places - centre) @ pose[:3, :3]), _OUTER, axis=0)
    distance = 0.0 if focus is None else float((focus - centre) @ mean)
    matrices = []
    for part in (2 * math.pi * along).tolist():
        offset = reach * (math.cos(turns * part), -math.sin(turns * part), -math.sin(part))
        eye = centre + pose[:3, :3] @ offset
        # A focus behind the cameras, or among them, is none to look at: the frames all look the mean way.
        aim = centre + distance * mean if distance > reach.max() else eye + mean
        matrices.append(look_at(eye, aim, upward))
    return matrices


def _around(
    places: NDArray[np.float64],
    focus: NDArray[np.float64],
    upward: NDArray[np.float64],
    along: NDArray[np.float64],
    turns: int,
) -> list[NDArray[np.float64]]:
    """Rounds about what all cameras look at, or ellipses where they look from one side only."""
    axes = axes_of(upward, places[0] - focus)
    local = (places - focus) @ axes.T
    distances = np.maximum(np.linalg.norm(local, axis=1), 1e-300)
    low, high = np.percentile(np.arcsin(np.clip(local[:, 2] / distances, -1, 1)), [100 - _OUTER, _OUTER])
    azimuths = np.sort(np.arctan2(local[:, 1], local[:, 0]) % (2 * math.pi))
    gaps = np.diff(azimuths, append=azimuths[0] + 2 * math.pi)
    widest = int(gaps.argmax())
    if gaps[widest] > _GAP:
        azimuths[: widest + 1] += 2 * math.pi  # counted from behind the gap
        right, left = np.percentile(azimuths, [100 - _OUTER, _OUTER])
        round_about = 2 * math.pi * turns * along
        turn = 0.5 * (left + right) + 0.5 * (left - right) * np.cos(round_about)
        rise = 0.5 * (low + high) + 0.5 * (high - low) * np.sin(round_about)
    else:
        turn = 2 * math.pi * turns * along
        rise = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(2 * math.pi * along)
    distance = float(np.median(distances))
    return [orbit(focus, distance, a, e, axes) for a, e in zip(turn.tolist(), rise.tolist(), strict=True)]
