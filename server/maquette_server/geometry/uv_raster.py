"""Triangles drawn in UV space: which face a texel belongs to, and where on it.

S x S texels, row 0 at v = 1, T triangles with corner UVs [T, 3, 2] (v up). Textures repeat: a face that
leaves the unit square is drawn at each whole shift at which it meets it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_CANDIDATES = 2_000_000  # texels tested at once; bounds memory at about 200 MB
_TOUCH = 1e-9  # texels by which a centre on an edge may lie outside and still count
# Texels round a chart that belong to its nearest face, so that filtering at a border reads true values.
_RIM = 1.0


@dataclass(frozen=True)
class UvRaster:
    """Face and barycentric weights of corners 1 and 2 under each texel centre."""

    face: NDArray[np.int32]  # [S, S], -1 where there is none
    bary: NDArray[np.float32]  # [S, S, 2], within the face
    rim: NDArray[np.bool_]  # [S, S], True where the centre lies beside the face and not in it


@dataclass(frozen=True)
class _Chunk:
    """Texels and the faces that they may belong to, in the order of the faces."""

    face: NDArray[np.int64]  # [n]
    texel: NDArray[np.int64]  # [n], flat
    weights: NDArray[np.float64]  # [n, 3], barycentric
    inwards: NDArray[np.float64]  # [n], distance to the nearest edge in texels, negative outside


def rasterise(corner_uvs: NDArray[np.floating], side: int) -> UvRaster:
    """The atlas at `side` texels. Where faces overlap, the last one in their order is kept.

    A texel whose centre lies within one texel outside a chart belongs to the nearest face, at its nearest
    edge.
    """
    face = np.full(side * side, -1, np.int32)
    bary = np.zeros((side * side, 2), np.float32)
    depth = np.full(side * side, -np.inf)
    for chunk in _near(corner_uvs, side, _RIM):
        inside = chunk.inwards >= -_TOUCH
        # The nearest face of a rim texel, then those that hold it: later assignments win.
        order = np.lexsort((np.where(inside, np.arange(len(inside)), chunk.inwards), inside))
        texel, value = chunk.texel[order], np.where(inside, np.inf, chunk.inwards)[order]
        better = value >= depth[texel]
        chosen, texel, value = order[better], texel[better], value[better]
        clamped = chunk.weights[chosen].clip(0)
        clamped /= clamped.sum(1, keepdims=True)
        face[texel] = chunk.face[chosen]
        bary[texel] = clamped[:, 1:]
        depth[texel] = value
    rim = (face >= 0) & np.isfinite(depth)
    return UvRaster(face.reshape(side, side), bary.reshape(side, side, 2), rim.reshape(side, side))


def coverage(corner_uvs: NDArray[np.floating], side: int) -> NDArray[np.int32]:
    """[S, S]: how many faces have the texel's centre strictly inside them."""
    count = np.zeros(side * side, np.int32)
    for chunk in _near(corner_uvs, side, 0.0):
        np.add.at(count, chunk.texel[chunk.inwards > 1e-6], 1)
    return count.reshape(side, side)


def _near(corner_uvs: NDArray[np.floating], side: int, reach: float) -> Iterator[_Chunk]:
    """Every pair of a face and a texel whose centre lies in it or within `reach` texels of it."""
    uv = np.asarray(corner_uvs, np.float64)
    corners = np.stack([uv[..., 0] * side, (1.0 - uv[..., 1]) * side], -1)  # [T, 3, 2] in texels
    faces, corners = _shifted(corners, side, reach)
    low = np.clip(np.ceil(corners.min(1) - 0.5 - reach).astype(np.int64), 0, side)
    high = np.clip(np.floor(corners.max(1) - 0.5 + reach).astype(np.int64) + 1, 0, side)
    size = np.maximum(high - low, 0)  # [M, 2]
    first_edge = corners[:, 1] - corners[:, 0]
    second_edge = corners[:, 2] - corners[:, 0]
    area = first_edge[:, 0] * second_edge[:, 1] - first_edge[:, 1] * second_edge[:, 0]
    opposite = np.linalg.norm(
        np.roll(corners, -2, 1) - np.roll(corners, -1, 1), axis=2
    )  # [M, 3], edge lengths
    counts = size[:, 0] * size[:, 1] * (area != 0)
    ends = np.cumsum(counts)
    start = 0
    while start < len(faces):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _CANDIDATES, side="right")))
        chosen = counts[start:stop]
        which = np.repeat(np.arange(start, stop), chosen)
        within = np.arange(len(which)) - np.repeat(np.cumsum(chosen) - chosen, chosen)
        width = np.maximum(size[which, 0], 1)
        column = low[which, 0] + within % width
        row = low[which, 1] + within // width
        dx = column + 0.5 - corners[which, 0, 0]
        dy = row + 0.5 - corners[which, 0, 1]
        first = (dx * second_edge[which, 1] - dy * second_edge[which, 0]) / area[which]
        second = (dy * first_edge[which, 0] - dx * first_edge[which, 1]) / area[which]
        weights = np.stack([1 - first - second, first, second], 1)
        inwards = (weights * (np.abs(area)[:, None] / np.maximum(opposite, 1e-300))[which]).min(1)
        keep = inwards >= -max(reach, _TOUCH)
        yield _Chunk(faces[which[keep]], (row * side + column)[keep], weights[keep], inwards[keep])
        start = stop


def _shifted(
    corners: NDArray[np.float64], side: int, reach: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Faces with a copy for each whole shift at which they come within `reach` of the square, at most two an
    axis.
    """
    faces = np.arange(len(corners))
    for axis in (0, 1):
        lowest = np.floor(corners[:, :, axis].min(1) / side).astype(np.int64)
        moved = corners.copy()
        moved[:, :, axis] -= (lowest * side)[:, None]
        copies, numbers = [moved], [faces]
        over = moved[:, :, axis].max(1) > side - reach
        under = moved[:, :, axis].min(1) < reach
        for which, shift in ((over, -side), (under, side)):
            again = moved[which].copy()
            again[:, :, axis] += shift
            copies.append(again)
            numbers.append(faces[which])
        corners, faces = np.concatenate(copies), np.concatenate(numbers)
    return faces, corners
