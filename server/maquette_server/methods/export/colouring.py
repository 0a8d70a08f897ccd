"""Renders of the field, put on its mesh by the baker of painting."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...baking import pauses, views
from ...geometry import seams
from ...meshing.viewpoints import Viewpoint
from ...rasterise.base import Rasteriser
from ...scenes import runtime
from .. import base

_SOLID = 0.5  # opacity from which a pixel's colour is taken to be the surface's
_FADE = (1.0, 4.0)  # pixels from a silhouette
_DEPTH_SIDE = 256  # pixels of the visibility test, at least
# A colour from a direction in which no camera stood is a guess of the field: it counts where none did.
_GUESS = 0.02


@dataclass(frozen=True)
class Surface:
    """The mesh in the work frame."""

    positions: NDArray[np.float32]  # [V, 3]
    triangles: NDArray[np.int32]  # [T, 3], those that have an area
    corner_uvs: NDArray[np.float32]  # [T, 3, 2]


def coloured(
    scene: runtime.Scene,
    around: Sequence[Viewpoint],
    own: Sequence[Viewpoint],
    baked: views.Accumulator,
    rasteriser: Rasteriser,
) -> base.Part[None]:
    """Adds all viewpoints to the accumulator; yields after each tile."""
    total = len(around) + len(own)
    for done, viewpoint in enumerate(around):
        work = _added(scene, viewpoint, baked, rasteriser)
        yield from base.telling(work, base.Step(done, total, "bake"))
    baked.colour *= _GUESS
    baked.weight *= _GUESS
    for done, viewpoint in enumerate(own, len(around)):
        work = _added(scene, viewpoint, baked, rasteriser)
        yield from base.telling(work, base.Step(done, total, "bake"))
    yield base.Step(total, total, "bake")


def cuts(surface: Surface) -> NDArray[np.float32]:
    """Where the UV map is cut, [E, 2, 3], for `Accumulator.finish`."""
    edges = seams.cut_edges(surface.triangles, surface.corner_uvs, surface.positions)
    found: NDArray[np.float32] = surface.positions[edges.vertices]
    return found


def _added(
    scene: runtime.Scene, viewpoint: Viewpoint, baked: views.Accumulator, rasteriser: Rasteriser
) -> pauses.Pausing[None]:
    frame = yield from scene.tiles(viewpoint.world)
    if not (frame.opacities > _SOLID).any():
        return
    camera = viewpoint.work
    share = max(1.0, _DEPTH_SIDE / max(camera.width, camera.height))
    fine = camera.resized(round(camera.width * share), round(camera.height * share))
    fade = (_FADE[0] * share, _FADE[1] * share)
    baked.add(_surface_colours(frame), camera, rasteriser.rasterise(fine), fade)


def _surface_colours(frame: runtime.Frame) -> NDArray[np.float32]:
    """[H, W, 3], where the field lets light through those of the nearest pixel in which it does not."""
    solid = frame.opacities > _SOLID
    straight = frame.colours / np.maximum(frame.opacities, _SOLID)[..., None]
    if not solid.all():
        row, column = ndimage.distance_transform_edt(~solid, return_distances=False, return_indices=True)
        straight = straight[row, column]
    return straight.clip(0, 1)


def finished(
    baked: views.Accumulator, surface: Surface, detail: float
) -> pauses.Pausing[tuple[NDArray[np.uint8], float]]:
    """The texture u8 [S, S, 3] and the share of its used texels that a view has seen; pauses.

    detail: width of the band along cuts in which colours are evened out, in the work frame.
    """
    texture, seen = yield from baked.finish(cuts(surface), detail)
    return runtime.to_u8(texture), float(seen.mean())
