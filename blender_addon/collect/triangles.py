"""Polygons cut into triangles as Blender cuts them, in steps.

P polygons, L loops (polygon corners), T = L - 2 P triangles, in the order of the polygons. Blender's own list
comes one number at a time and costs 0.3 s a million faces, so only its cut of polygons with five corners and
more is read; a quad is cut from its first to its third corner, or from the second to the fourth where the
first two triangles would lie over each other (`is_quad_flip_v3_first_third_fast` in Blender).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import steps

FEW = 4  # corners up to which the cut is ours
ONE_BY_ONE = 8  # times as long one triangle takes when it is read by itself


@dataclass(frozen=True)
class Triangles:
    """The cut, and what is looked up by it."""

    vertices: NDArray[np.int32]  # [T, 3]
    loops: NDArray[np.int32]  # [T, 3]
    polygons: NDArray[np.int32]  # [T]
    uvs: NDArray[np.float32] | None  # [T, 3, 2]


def many_cornered(starts: NDArray[np.int32]) -> NDArray[np.int64]:
    """The triangles [N] whose cut must be Blender's. starts: [P + 1], the last one is L."""
    sizes = np.diff(starts)
    which = np.flatnonzero(sizes > FEW)
    return _rows(starts[which] - 2 * which, sizes[which] - 2)


def blenders_cut(mesh: Any, which: NDArray[np.int64]) -> NDArray[np.int32]:
    """The loops of those triangles of a `bpy.types.Mesh`, i4 [N, 3]: one by one, or all at once when that is
    quicker.
    """
    if len(which) * ONE_BY_ONE < len(mesh.loop_triangles):
        few = [tuple(mesh.loop_triangles[int(number)].loops) for number in which]
        return np.array(few, np.int32).reshape(-1, 3)
    loops = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("loops", loops)
    return loops.reshape(-1, 3)[which]  # type: ignore[no-any-return]


def cut(
    positions: NDArray[np.float32],
    corner_vertices: NDArray[np.int32],
    starts: NDArray[np.int32],
    blenders: NDArray[np.int32],
    loop_uvs: NDArray[np.float32] | None,
) -> steps.Steps[Triangles]:
    """positions: [V, 3], corner_vertices: [L], starts: [P + 1], loop_uvs: [L, 2].

    blenders: [N, 3], the loops of the triangles `many_cornered`.
    """
    count = int(starts[-1]) - 2 * (len(starts) - 1)
    vertices, loops = np.empty((count, 3), np.int32), np.empty((count, 3), np.int32)
    polygons = np.empty(count, np.int32)
    uvs = None if loop_uvs is None else np.empty((count, 3, 2), np.float32)
    taken = 0
    for begin, end in steps.ranges(len(starts) - 1):
        numbers = np.arange(begin, end, dtype=np.int32)
        first, sizes = starts[begin:end], np.diff(starts[begin : end + 1])
        rows = first - 2 * numbers  # the first triangle of each polygon
        part = slice(int(rows[0]), int(starts[end]) - 2 * end)
        polygons[part] = np.repeat(numbers, sizes - 2)
        three, four, more = sizes == 3, sizes == 4, sizes > FEW
        loops[rows[three]] = first[three, None] + np.arange(3, dtype=np.int32)
        corners = first[four, None] + np.arange(4, dtype=np.int32)
        flipped = _flipped(positions[corner_vertices[corners]])[:, None]
        loops[rows[four]] = np.where(flipped, corners[:, [0, 1, 3]], corners[:, [0, 1, 2]])
        loops[rows[four] + 1] = np.where(flipped, corners[:, [1, 2, 3]], corners[:, [0, 2, 3]])
        others = _rows(rows[more], sizes[more] - 2)
        loops[others] = blenders[taken : taken + len(others)]
        taken += len(others)
        vertices[part] = corner_vertices[loops[part]]
        if uvs is not None and loop_uvs is not None:
            uvs[part] = loop_uvs[loops[part]]
        yield vertices[part].nbytes
    return Triangles(vertices, loops, polygons, uvs)


def _flipped(quads: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which quads [Q, 4, 3] are cut from their second to their fourth corner."""
    sides = quads[:, 1:].astype(np.float64) - quads[:, :1]
    one = np.cross(sides[:, 0], sides[:, 1])
    other = np.cross(sides[:, 2], sides[:, 1])
    return np.einsum("ij,ij->i", one, other) > 0


def _rows(first: NDArray[np.integer], counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """first[0], first[0] + 1, ... as many as counts[0], then the same from first[1], ..."""
    within = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(first, counts) + within  # type: ignore[no-any-return]
