"""Rooms inside an object into which nobody looks, filled: what a field learnt there is noise, and its walls
would cost more faces and texels than all that one sees.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..baking import pauses
from ..cameras.pinhole import Pinhole
from ..scenes import runtime
from .viewpoints import Viewpoint

_CHUNK = 1 << 18  # points between two pauses
_CLOSED = 3.0  # what a filled cell holds; see `volume`


@dataclass(frozen=True)
class Sight:
    """How far a camera sees, in the field's frame."""

    camera: Pinhole
    depths: NDArray[np.float32]  # [H, W], along the viewing axis; infinite where there is nothing


def sights(scene: runtime.Scene, viewpoints: Sequence[Viewpoint]) -> pauses.Pausing[list[Sight]]:
    """What the viewpoints see; pauses after each tile."""
    domain = scene.field.domain
    found = []
    for viewpoint in viewpoints:
        frame = yield from scene.tiles(viewpoint.world)
        pose = viewpoint.world.world_from_camera.copy()
        pose[:3, 3] = domain.scale * (pose[:3, 3] - np.asarray(domain.centre))
        work, depths = viewpoint.work, frame.depths * domain.scale
        camera = Pinhole(
            pose, work.focal_x, work.focal_y, work.centre_x, work.centre_y, work.width, work.height
        )
        found.append(Sight(camera, ndimage.maximum_filter(depths, 3).astype(np.float32)))
    return found


def filled(volume: NDArray[np.float32], seen_by: Sequence[Sight]) -> pauses.Pausing[NDArray[np.float32]]:
    """The volume [N, N, N] of `volume.sampled`, its empty cells that no sight reaches made full; pauses."""
    side = volume.shape[0]
    cell = 2 / side
    unseen = np.flatnonzero(volume < 0)
    for sight in seen_by:
        rest = []
        for start in range(0, len(unseen), _CHUNK):
            part = unseen[start : start + _CHUNK]
            points = (np.stack(np.unravel_index(part, volume.shape), 1) + 0.5) * cell - 1
            rest.append(part[~_reached(sight, points, cell)])
            yield
        unseen = np.concatenate(rest) if rest else unseen
    result = volume.copy()
    result.reshape(-1)[unseen] = _CLOSED
    return result


def _reached(sight: Sight, points: NDArray[np.float64], slack: float) -> NDArray[np.bool_]:
    """[P], whether the camera sees as far as the points, or `slack` less."""
    pixels, depth = sight.camera.project(points)
    camera = sight.camera
    inside = (depth > 0) & (pixels >= 0).all(1) & (pixels < (camera.width, camera.height)).all(1)
    column, row = pixels[inside].astype(np.intp).T
    inside[inside] = depth[inside] <= sight.depths[row, column] + slack
    return inside
