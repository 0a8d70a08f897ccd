"""Where the UV map is cut: mesh edges whose two faces have different UVs along them, and whether the texture
shows it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_INWARDS = 1.0  # texels from an edge at which colours are compared
_SMALLEST_STEP = 0.25 / 255  # what rounding to 8 bits leaves of equal colours
_SHARES = (0.25, 0.5, 0.75)  # places along an edge


@dataclass(frozen=True)
class Seams:
    """C cut edges. Both sides list the ends in the same order, so side a at share s touches side b at share
    s.
    """

    faces: NDArray[np.int32]  # [C, 2]
    uvs: NDArray[np.float32]  # [C, 2 sides, 2 ends, 2]
    vertices: NDArray[np.int32]  # [C, 2], ends of the edge on the first face


@dataclass(frozen=True)
class SharedEdges:
    """E edges that two faces share, as corners of both faces: ends in the same order on both sides."""

    faces: NDArray[np.int32]  # [E, 2]
    corners: NDArray[np.int8]  # [E, 2 sides, 2 ends], corner of the face


def cut_edges(
    triangles: NDArray[np.int32],
    corner_uvs: NDArray[np.floating],
    positions: NDArray[np.floating] | None = None,
    tolerance: float = 1e-6,
) -> Seams:
    """The cut edges of a mesh. triangles: [T, 3].  corner_uvs: [T, 3, 2].

    positions: [V, 3]; when given, vertices at exactly the same place count as one (as after a GLB's seam
    copies). tolerance: UV distance up to which both sides are the same.
    """
    edges = shared_edges(triangles if positions is None else welded(positions)[triangles])
    uvs = np.asarray(corner_uvs, np.float32)[edges.faces[:, :, None], edges.corners]  # [E, 2, 2, 2]
    apart = np.abs(uvs[:, 0] - uvs[:, 1]).max((1, 2)) > tolerance
    vertices = triangles[edges.faces[:, :1], edges.corners[:, 0]]
    return Seams(edges.faces[apart], uvs[apart], vertices[apart].astype(np.int32))


def shared_edges(triangles: NDArray[np.integer]) -> SharedEdges:
    """Edges used by exactly two faces with an extent each."""
    count = len(triangles)
    corner = np.array([[0, 1], [1, 2], [2, 0]], np.int8)
    ends = triangles[:, corner].reshape(-1, 2).astype(np.int64)  # [3 T, 2]
    swapped = ends[:, 0] > ends[:, 1]
    low, high = ends.min(1), ends.max(1)
    key = low * (int(triangles.max(initial=0)) + 1) + high
    key[low == high] = -1 - np.flatnonzero(low == high)
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    same = sorted_key[1:] == sorted_key[:-1]
    before = np.concatenate([[False], same])
    after = np.concatenate([same, [False]])
    # The first of a run of exactly two equal keys.
    starts = np.flatnonzero(after & ~before)
    starts = starts[~after[np.minimum(starts + 1, len(order) - 1)]] if len(starts) else starts
    pair = np.stack([order[starts], order[starts + 1]], 1) if len(starts) else np.zeros((0, 2), np.int64)
    corners = np.tile(corner, (count, 1))[pair]  # [E, 2, 2]
    flipped = swapped[pair]
    corners = np.where(flipped[..., None], corners[..., ::-1], corners)
    return SharedEdges((pair // 3).astype(np.int32), corners)


def welded(positions: NDArray[np.floating]) -> NDArray[np.int64]:
    """[V]: one index for all vertices at exactly the same place."""
    _, index = np.unique(np.asarray(positions, np.float64) + 0.0, axis=0, return_inverse=True)
    return np.asarray(index.reshape(-1), np.int64)


def step_ratio(
    positions: NDArray[np.floating],
    triangles: NDArray[np.int32],
    corner_uvs: NDArray[np.floating],
    texture: NDArray[np.uint8],
) -> float | None:
    """Mean colour step across UV cuts over the mean step across edges inside charts; None where there is
    nothing to compare: no edge is cut, or every one.

    Both are measured alike: one texel (or half the face) inwards on either side of an edge, weighted by the
    edge's length. positions: [V, 3].  triangles: [T, 3].  corner_uvs: [T, 3, 2], v up.  texture: [S, S, 3],
    row 0 at v = 1.
    """
    edges = shared_edges(welded(positions)[triangles])
    uvs = np.asarray(corner_uvs, np.float64)
    ends = uvs[edges.faces[:, :, None], edges.corners]  # [E, 2 sides, 2 ends, 2]
    third = uvs[edges.faces[..., None], 3 - edges.corners.sum(-1, keepdims=True)][:, :, 0]  # [E, 2, 2]
    cut = np.abs(ends[:, 0] - ends[:, 1]).max((1, 2)) > 1e-6
    if not cut.any() or cut.all():
        return None
    points = np.asarray(positions, np.float64)[triangles[edges.faces[:, :1], edges.corners[:, 0]]]
    length = np.linalg.norm(points[:, 1] - points[:, 0], axis=1)
    side = texture.shape[0]
    along = ends[:, :, 1] - ends[:, :, 0]
    reach = third - ends[:, :, 0]
    square = np.maximum((along**2).sum(-1, keepdims=True), 1e-30)
    upright = (
        reach - along * (reach * along).sum(-1, keepdims=True) / square
    )  # from the edge to the third corner
    height = np.linalg.norm(upright, axis=-1, keepdims=True)
    inwards = upright * np.minimum(_INWARDS / side / np.maximum(height, 1e-30), 0.5)
    step = np.zeros(len(ends))
    for share in _SHARES:
        colours = _sample(texture, ends[:, :, 0] + share * along + inwards)
        step += np.abs(colours[:, 0] - colours[:, 1]).mean(-1) / len(_SHARES)
    across = np.average(step[cut], weights=length[cut] + 1e-30)
    inside = np.average(step[~cut], weights=length[~cut] + 1e-30)
    return float((across + _SMALLEST_STEP) / (inside + _SMALLEST_STEP))


def _sample(texture: NDArray[np.uint8], uv: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bilinear colours 0..1 at UVs [..., 2] of a repeating texture."""
    side = texture.shape[0]
    x, y = uv[..., 0] * side - 0.5, (1 - uv[..., 1]) * side - 0.5
    left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    across, down = (x - left)[..., None], (y - top)[..., None]
    colours = texture[..., :3].astype(np.float64) / 255

    def at(column: NDArray[np.int64], row: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.asarray(colours[row % side, column % side])

    upper = at(left, top) * (1 - across) + at(left + 1, top) * across
    lower = at(left, top + 1) * (1 - across) + at(left + 1, top + 1) * across
    return np.asarray(upper * (1 - down) + lower * down)
