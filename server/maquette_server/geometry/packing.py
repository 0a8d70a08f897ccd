"""Charts laid into a square texture by xatlas, with a true gutter.

xatlas takes a resolution as a hint only, so the scale is searched: pack at free size, compare with the room
there is, pack again. Charts are packed at most 1024 texels wide and scaled up from there; half a gutter stays
free along the border, because textures repeat.
"""

import math

import numpy as np
import xatlas
from numpy.typing import NDArray

_ROUNDS = 8
_GOOD = 0.97  # share of the side that is worth no further round
_LARGEST = 1024  # texels; packing time grows with the square


def pack(
    uvs: NDArray[np.floating], chart: NDArray[np.integer], side: int, gutter: int
) -> tuple[NDArray[np.float32], float]:
    """Charts moved and turned into the unit square.

    uvs: [T, 3, 2], each chart in any place, all in one scale.  chart: [T].  side, gutter: texels of the
    texture. Returns UVs [T, 3, 2] in 0..1 and the least distance between two charts in texels; it is below
    `gutter` only when there are too many charts for the texture.
    """
    packed_side = min(side, _LARGEST)
    padding = math.ceil(gutter * packed_side / side)
    room = packed_side - padding
    flat = np.asarray(uvs, np.float64)
    _, chart = np.unique(chart, return_inverse=True)
    low = np.full((int(chart.max()) + 1, 2), np.inf)
    np.minimum.at(low, chart, flat.min(1))
    flat = flat - low[chart][:, None]  # xatlas wants nothing negative, and float32 keeps its digits near 0
    first, second = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    area = 0.5 * float(np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]).sum())
    scale = math.sqrt(0.6 / area) * room
    best: tuple[float, NDArray[np.float64]] | None = None
    smallest: tuple[float, NDArray[np.float64]] | None = None
    for _ in range(_ROUNDS):
        placed, extent = _place(flat, chart, scale, padding)
        if extent <= room and (best is None or scale > best[0]):
            best = (scale, placed)
        if smallest is None or extent < smallest[0]:
            smallest = (extent, placed)
        if best is not None and (extent > room or extent >= _GOOD * room):
            break
        scale *= 0.99 * room / extent
    if best is not None:
        return ((best[1] + 0.5 * padding) / packed_side).astype(np.float32), padding * side / packed_side
    assert smallest is not None
    # Too many charts: the whole layout shrinks, and the gutter with it.
    extent, placed = smallest
    whole = extent + padding
    return ((placed + 0.5 * padding) / whole).astype(np.float32), padding * side / whole


def _place(
    uvs: NDArray[np.float64], chart: NDArray[np.integer], scale: float, padding: int
) -> tuple[NDArray[np.float64], float]:
    """One packing at a given scale: positions [T, 3, 2] in texels, from 0, and the longer side."""
    atlas = xatlas.Atlas()
    count = len(uvs)
    atlas.add_uv_mesh(
        np.ascontiguousarray(uvs.reshape(-1, 2), np.float32),
        np.arange(3 * count, dtype=np.uint32).reshape(-1, 3),
        np.ascontiguousarray(chart.reshape(-1, 1), np.uint32),
    )
    options = xatlas.PackOptions()
    options.padding = padding
    options.texels_per_unit = scale
    atlas.generate(xatlas.ChartOptions(), options)
    source, _, placed = atlas.get_mesh(0)
    flat = np.zeros((3 * count, 2))
    flat[source] = placed * (atlas.width, atlas.height)
    texels = (flat - flat.min(0)).reshape(-1, 3, 2)
    return texels, float(texels.max())
