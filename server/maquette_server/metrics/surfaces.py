"""How far one surface is from another."""

from collections.abc import Callable

import igl
import numpy as np
import trimesh
from numpy.typing import NDArray

_SAMPLES = 20_000
Chosen = Callable[[NDArray[np.float64]], NDArray[np.bool_]]


def mean_distance(
    one: trimesh.Trimesh, other: trimesh.Trimesh, counted: Chosen | None = None
) -> float | None:
    """The mean distance to the triangles of `other` from points spread evenly over `one`; the same each time.

    counted: which of points [P, 3] count, all if it is not given. None where no point counts.
    """
    points = np.asarray(trimesh.sample.sample_surface(one, _SAMPLES, seed=0)[0], np.float64)
    if counted is not None:
        points = points[counted(points)]
    if not len(points):
        return None
    squares = igl.point_mesh_squared_distance(
        points, np.asarray(other.vertices, np.float64), np.asarray(other.faces, np.int64)
    )[0]
    return float(np.sqrt(squares).mean())
