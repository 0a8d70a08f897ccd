"""A UV map that cuts no polygon: triangles of one polygon agree at the corners they share.

Blender and OBJ files keep UVs per polygon corner, while charts are found on triangles. A polygon that a chart
border crosses becomes a chart of its own, laid flat in its plane.
"""

import numpy as np
from numpy.typing import NDArray

_SAME = 1e-6  # of the extent of the UVs


def keep_whole(
    positions: NDArray[np.floating],
    triangles: NDArray[np.integer],
    polygons: NDArray[np.integer],
    uvs: NDArray[np.floating],
    chart: NDArray[np.integer],
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """UVs and charts in which no polygon is cut.

    positions: [V, 3].  triangles: [T, 3].  polygons: [T], the polygon each triangle was cut from.
    uvs: [T, 3, 2], all charts in one scale.  chart: [T].
    """
    cut = cut_polygons(triangles, polygons, uvs, chart)
    alone = np.flatnonzero(np.isin(polygons, cut))
    if not len(alone):
        return np.asarray(uvs, np.float32), np.asarray(chart, np.int32)
    corners = np.asarray(positions, np.float64)[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    number = np.searchsorted(cut, polygons[alone])
    plane = np.zeros((len(cut), 3))
    np.add.at(plane, number, normal[alone])
    across, up = _axes(plane)
    result = np.array(uvs, np.float32)
    scale = _density(normal, uvs)
    result[alone] = scale * np.stack(
        [np.einsum("tkc,tc->tk", corners[alone], axes[number]) for axes in (across, up)], -1
    )
    charts = np.array(chart, np.int32)
    charts[alone] = charts.max() + 1 + number
    return result, charts


def cut_polygons(
    triangles: NDArray[np.integer],
    polygons: NDArray[np.integer],
    uvs: NDArray[np.floating],
    chart: NDArray[np.integer],
) -> NDArray[np.int64]:
    """Sorted numbers of the polygons whose triangles lie in two charts or disagree at a corner."""
    key = polygons.astype(np.int64)[:, None] * (int(triangles.max(initial=0)) + 1) + triangles
    _, first, corner = np.unique(key, return_index=True, return_inverse=True)
    flat = np.asarray(uvs, np.float64).reshape(-1, 2)
    apart = np.abs(flat - flat[first[corner.reshape(-1)]]).max(1) > _SAME * (np.abs(flat).max() + 1e-30)
    _, start, number = np.unique(polygons, return_index=True, return_inverse=True)
    elsewhere = chart != chart[start[number]]
    return np.unique(polygons[apart.reshape(-1, 3).any(1) | elsewhere]).astype(np.int64)


def _axes(normal: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two unit vectors [N, 3] across each normal, right-handed with it."""
    unit = normal / np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
    least = np.eye(3)[np.abs(unit).argmin(1)]
    across = np.cross(least, unit)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-300)
    return across, np.cross(unit, across)


def _density(normal: NDArray[np.float64], uvs: NDArray[np.floating]) -> float:
    """UV length per length on the surface, over all triangles. normal: [T, 3] of twice the area's length."""
    first, second = uvs[:, 1] - uvs[:, 0], uvs[:, 2] - uvs[:, 0]
    flat = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum(dtype=np.float64)
    return float(np.sqrt(flat / np.linalg.norm(normal, axis=1).sum()))
