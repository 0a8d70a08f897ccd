"""Surfaces without the roughness of a field that was told from few pictures what it is like."""

import numpy as np
import trimesh
from numpy.typing import NDArray
from scipy import ndimage

_ROUNDS = 15
_SHRINK, _GROW = 0.5, 0.53  # of a round: together they keep what is larger than a few edges


def blurred(volume: NDArray[np.float32], cells: float) -> NDArray[np.float32]:
    """A volume [N, N, N] blurred by a Gaussian of so many cells; 0 leaves it as it is."""
    if not cells:
        return volume
    found: NDArray[np.float32] = ndimage.gaussian_filter(volume, cells, mode="nearest")
    return found


def evened(positions: NDArray[np.float64], triangles: NDArray[np.integer]) -> NDArray[np.float64]:
    """Vertices [V, 3] of a mesh, moved so that it is smooth and hardly smaller (Taubin, "A signal processing
    approach to fair surface design", 1995).
    """
    mesh = trimesh.Trimesh(positions, triangles, process=False)
    trimesh.smoothing.filter_taubin(mesh, lamb=_SHRINK, nu=_GROW, iterations=_ROUNDS)
    return np.asarray(mesh.vertices, np.float64)
