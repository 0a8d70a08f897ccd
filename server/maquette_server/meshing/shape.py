"""The surface of a field as triangles: cut out of its density, rid of crumbs, of few enough faces."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from scipy import sparse
from skimage import measure

from ..baking import pauses
from ..fields.domain import Domain
from ..rendering.seen import Field
from . import hollows, smoothing
from . import volume as volumes

COARSEST, USUAL = 16, 256  # cells along an axis
_CRUMB = 0.01  # of the largest part's area, under which a part is left out
_ROOM = 0.97  # of the wanted faces aimed at: their number does not grow quite with the square of the cells


@dataclass(frozen=True)
class Shape:
    """V vertices and T triangles that look outwards, in the field's frame."""

    positions: NDArray[np.float64]  # [V, 3]
    triangles: NDArray[np.int32]  # [T, 3]
    resolution: int  # cells along an axis
    occupied: float  # share of the cells whose centre is inside


def of(
    view: Field,
    name: str,
    spread: float,
    resolution: int,
    faces: int,
    sights: Sequence[hollows.Sight],
    density: float = volumes.DENSITY,
    blur: float = 0.0,
) -> pauses.Pausing[Shape]:
    """The surface on the finest grid, of `resolution` cells at most, on which it has at most so many faces.

    name: of the scene, for sentences.  sights: what is seen of it, to fill the rest; none fills nothing.
    density: of the surface.  blur: of the volume, in cells, see `smoothing.blurred`.
    Raises UserError `scene.bad` when there is no surface, `params.bad` when it always has more faces.
    """
    while True:
        found = yield from _cut(view, resolution, spread, sights, density, blur)
        if found is None:
            raise UserError(
                "scene.bad",
                f"The scene '{name}' has no surface: its field is too thin everywhere.",
                hint="Reconstruct it with more steps, and check its pictures with maquette dataset check.",
            )
        count = len(found.triangles)
        if count <= faces:
            return found
        if resolution == COARSEST:
            raise UserError(
                "params.bad",
                f"Even on the coarsest grid the surface of '{name}' has {count} faces.",
                hint="Allow more with --faces.",
            )
        resolution = max(COARSEST, min(resolution - 1, int(resolution * math.sqrt(_ROOM * faces / count))))


def in_world(positions: NDArray[np.float64], domain: Domain) -> NDArray[np.float64]:
    """Points [V, 3] of the field's frame in the scene's world."""
    return positions / domain.scale + np.asarray(domain.centre)


def _cut(
    view: Field,
    resolution: int,
    spread: float,
    sights: Sequence[hollows.Sight],
    density: float,
    blur: float,
) -> pauses.Pausing[Shape | None]:
    """The surface on a grid; None where there is none."""
    volume = yield from volumes.sampled(view, resolution, spread, density)
    occupied = float((volume > 0).mean())
    volume = smoothing.blurred(volume, blur)
    if sights and volume.max() > 0:
        volume = yield from hollows.filled(volume, sights)
    border = 0.0
    if not view.domain.unbounded:
        volume, border = volumes.closed(volume), 1.0
    if not volume.min() < 0 < volume.max():
        return None
    yield
    cells, triangles, _, _ = measure.marching_cubes(volume, 0.0, allow_degenerate=False)
    yield
    size = 2 / resolution
    positions = (cells.astype(np.float64) - border + 0.5) * size - 1
    # scikit-image turns triangles towards the larger values
    kept = _without_crumbs(positions, triangles[:, ::-1], bool(sights))
    if not len(kept):
        return None
    used, numbers = np.unique(kept, return_inverse=True)
    return Shape(positions[used], numbers.reshape(-1, 3).astype(np.int32), resolution, occupied)


def _without_crumbs(
    positions: NDArray[np.float64], triangles: NDArray[np.integer], solid: bool
) -> NDArray[np.integer]:
    """The triangles of the parts that count.

    solid: whether every part is the skin of something, so that one turned inwards is the wall of a hollow.
    """
    links = (triangles[:, [0, 1]].reshape(-1), triangles[:, [1, 2]].reshape(-1))
    shape = (len(positions), len(positions))
    count, label = sparse.csgraph.connected_components(
        sparse.coo_matrix((np.ones(len(links[0]), bool), links), shape), directed=False
    )
    part = label[triangles[:, 0]]
    first, second, third = (positions[triangles[:, corner]] for corner in range(3))
    cross = np.cross(second - first, third - first)
    area = np.bincount(part, np.linalg.norm(cross, axis=1), count)
    if solid:
        area[np.bincount(part, np.einsum("tc,tc->t", first, cross), count) < 0] = 0
    found: NDArray[np.integer] = triangles[(area > 0)[part] & (area >= _CRUMB * area.max(initial=0.0))[part]]
    return found
