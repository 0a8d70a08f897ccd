"""Polygons of a file, and how they are cut into triangles.

P polygons, L loops (corners of polygons, in their order). `starts` [P + 1] delimits the loops of each
polygon. Quads are cut along the diagonal that keeps both halves on the same side, larger polygons by ear
clipping in the plane of their Newell normal: a fan is wrong for concave ones.
"""

from dataclasses import dataclass

import mapbox_earcut
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Polygons:
    """The polygons a file holds, as it holds them."""

    starts: NDArray[np.int64]  # [P + 1]
    vertices: NDArray[np.int32]  # [L], vertex of each loop
    vertex_lines: bytes | None = None
    """the file's vertex lines as given, when it was an OBJ"""


@dataclass(frozen=True)
class Cut:
    """Triangles [T], in the order of the polygons they come from."""

    loops: NDArray[np.int32]  # [T, 3]
    polygons: NDArray[np.int32]  # [T]


def cut(starts: NDArray[np.int64], corners: NDArray[np.float64]) -> Cut:
    """Triangles of polygons with at least three corners each. starts: [P + 1].  corners: [L, 3], position of
    each loop.

    Every loop is a corner of some triangle; a polygon of n corners gives n - 2 of them, more when it is
    degenerate.
    """
    size = np.diff(starts)
    parts: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []  # loops [., 3], polygon [.]
    threes = np.flatnonzero(size == 3)
    parts.append((starts[threes, None] + np.arange(3), threes))
    fours = np.flatnonzero(size == 4)
    if len(fours):
        parts.append((_cut_quads(starts[fours], corners), np.repeat(fours, 2)))
    large = np.flatnonzero(size > 4)
    if len(large):
        parts.append(_cut_large(starts, large, corners))
    loops = np.concatenate([part[0] for part in parts])
    polygons = np.concatenate([part[1] for part in parts])
    order = np.argsort(polygons, kind="stable")
    return Cut(loops[order].astype(np.int32), polygons[order].astype(np.int32))


def _cut_quads(first: NDArray[np.int64], corners: NDArray[np.float64]) -> NDArray[np.int64]:
    """[2 Q, 3] loops of quads whose first loops are [Q]."""
    p = corners[first[:, None] + np.arange(4)]  # [Q, 4, 3]
    one = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    two = np.cross(p[:, 2] - p[:, 0], p[:, 3] - p[:, 0])
    folded = (one * two).sum(1) < 0
    short = np.array([[0, 1, 2], [0, 2, 3]])
    other = np.array([[1, 2, 3], [1, 3, 0]])
    pattern = np.where(folded[:, None, None], other, short)
    return (first[:, None, None] + pattern).reshape(-1, 3)


def _cut_large(
    starts: NDArray[np.int64], which: NDArray[np.int64], corners: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Loops [., 3] and polygon [.] of the polygons `which`."""
    size = np.diff(starts)
    loops, owners = [], []
    for polygon in which.tolist():
        count = int(size[polygon])
        points = corners[starts[polygon] : starts[polygon] + count]
        flat = _flatten(points)
        triangles = mapbox_earcut.triangulate_float64(flat, np.array([count], np.uint32)).reshape(-1, 3)
        triangles = _complete(triangles.astype(np.int64), flat, count)
        loops.append(triangles + starts[polygon])
        owners.append(np.full(len(triangles), polygon, np.int64))
    return np.concatenate(loops), np.concatenate(owners)


def _flatten(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Corners [n, 3] in the plane of their Newell normal, anticlockwise, [n, 2]; of about unit size."""
    centred = points - points.mean(0)
    scale = float(np.abs(centred).max())
    centred = centred / scale if scale > 0 else centred
    normal = np.cross(centred, np.roll(centred, -1, 0)).sum(0)
    length = float(np.linalg.norm(normal))
    if length < 1e-12:
        return np.ascontiguousarray(centred[:, :2])
    normal = normal / length
    across = np.cross(np.eye(3)[int(np.argmin(np.abs(normal)))], normal)
    across = across / np.linalg.norm(across)
    return np.ascontiguousarray(np.stack([centred @ across, centred @ np.cross(normal, across)], 1))


def _complete(triangles: NDArray[np.int64], flat: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """The triangles turned anticlockwise, and one without area for each corner that ear clipping left out."""
    if len(triangles) == 0:
        rest = np.arange(1, count - 1)
        return np.stack([np.zeros_like(rest), rest, rest + 1], 1)
    p = flat[triangles]
    first, second = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    clockwise = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0] < 0
    triangles[clockwise] = triangles[clockwise][:, [0, 2, 1]]
    missing = np.setdiff1d(np.arange(count), triangles)
    slivers = np.stack([(missing - 1) % count, missing, (missing + 1) % count], 1)
    return np.concatenate([triangles, slivers])
