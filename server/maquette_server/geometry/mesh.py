"""A triangle mesh as the server sees it: world coordinates of the input, float64, nothing rotated or scaled.

V vertices, T triangles, L loops (corners of the sender's polygons). `up` and `front` are unit vectors in the
same axes.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Y_UP = (0.0, 1.0, 0.0)
Z_FRONT = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Mesh:
    """A surface; optional parts are None when the input did not have them."""

    name: str
    positions: NDArray[np.float64]  # [V, 3]
    triangles: NDArray[np.int32]  # [T, 3]
    corner_uvs: NDArray[np.float32] | None = None  # [T, 3, 2], v up
    corner_weights: NDArray[np.float32] | None = None  # [T, 3], 0 keep .. 1 paint
    triangle_polygons: NDArray[np.int32] | None = None  # [T]
    triangle_loops: NDArray[np.int32] | None = None  # [T, 3]
    loop_count: int = 0
    up: tuple[float, float, float] = Y_UP
    front: tuple[float, float, float] = Z_FRONT
    base_colour: tuple[float, float, float] | None = None  # sRGB
    notes: tuple[str, ...] = field(default=())
    """what was noticed on the way in (degenerate faces, many parts, ...), one sentence each"""
