"""Evens out what is left of a step where the UV map is cut.

A texel near a cut takes part of the mean colour of the space around it, the whole of it on the cut itself.
That mean is a continuous function of the position (a trilinear grid), so both sides of a cut arrive at the
same colour.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import spatial

from . import pauses
from .surface import SurfaceTexels

_POINTS = 500_000  # points on cuts at the most
_CHUNK = 1 << 19  # texels looked at between two pauses


def even_out(
    values: NDArray[np.float32], surface: SurfaceTexels, cuts: NDArray[np.floating], radius: float
) -> pauses.Pausing[NDArray[np.float32]]:
    """[N, C], the values of the texels after blending; pauses on the way.

    values: [N, C].  cuts: [E, 2, 3], end points of the cut edges, in the frame of the texels.  radius: width
    of the band on either side of a cut and size of the grid's cells, a few pixels of the pictures that were
    baked.
    """
    if not len(cuts) or radius <= 0:
        return values
    tree = spatial.cKDTree(_along(np.asarray(cuts, np.float64), radius))
    distance = np.empty(len(values))
    for start in range(0, len(values), _CHUNK):
        part = slice(start, start + _CHUNK)
        distance[part] = tree.query(surface.position[part], distance_upper_bound=2 * radius)[0]
        yield
    band = np.flatnonzero(distance < radius)
    if not len(band):
        return values
    # The means are taken over a band twice as wide, so that its own edge is full as well.
    wide = np.flatnonzero(np.isfinite(distance))
    smooth = yield from _grid_mean(surface.position[wide], values[wide], surface.position[band], radius)
    share = 1 - distance[band, None].astype(np.float32) / radius
    share = share * share * (3 - 2 * share)
    result = values.copy()
    result[band] += share * (smooth - result[band])
    return result


def _along(cuts: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Points on the edges, a third of `radius` apart or as near as the limit allows."""
    length = np.linalg.norm(cuts[:, 1] - cuts[:, 0], axis=1)
    spacing = max(radius / 3, length.sum() / _POINTS)
    count = np.ceil(length / spacing).astype(np.int64) + 1
    edge = np.repeat(np.arange(len(cuts)), count)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    share = (within / np.maximum(count[edge] - 1, 1))[:, None]
    return cuts[edge, 0] * (1 - share) + cuts[edge, 1] * share


def _grid_mean(
    positions: NDArray[np.float32], values: NDArray[np.float32], at: NDArray[np.float32], cell: float
) -> pauses.Pausing[NDArray[np.float32]]:
    """Values [n, C] at points `at` [n, 3]: scattered to the corners of grid cells and gathered, both
    trilinearly.
    """
    origin = np.minimum(positions.min(0), at.min(0)) - cell
    keys, shares = _corners(positions, origin, cell)
    yield
    cells, slot = np.unique(keys, return_inverse=True)
    yield
    slot = slot.reshape(keys.shape)
    weight = np.bincount(slot.ravel(), shares.ravel(), len(cells))
    sums = [
        np.bincount(slot.ravel(), (shares * values[:, c : c + 1]).ravel(), len(cells))
        for c in range(values.shape[1])
    ]
    mean = np.stack(sums, 1) / np.maximum(weight, 1e-12)[:, None]
    yield
    wanted, part = _corners(at, origin, cell)
    yield
    place = np.searchsorted(cells, wanted).clip(0, len(cells) - 1)
    part = part * (cells[place] == wanted) * weight[place]
    total = np.maximum(part.sum(1, keepdims=True), 1e-12)
    return (mean[place] * (part / total)[..., None]).sum(1).astype(np.float32)


def _corners(
    points: NDArray[np.float32], origin: NDArray[np.float32], cell: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Keys [n, 8] of the grid corners round each point and their trilinear weights [n, 8]."""
    scaled = (points.astype(np.float64) - origin) / cell
    base = np.floor(scaled).astype(np.int64)
    part = scaled - base
    keys, weights = [], []
    for corner in np.ndindex(2, 2, 2):
        index = base + corner
        keys.append((index[:, 0] << 42) + (index[:, 1] << 21) + index[:, 2])
        weights.append(np.where(corner, part, 1 - part).prod(1))
    return np.stack(keys, 1), np.stack(weights, 1)
