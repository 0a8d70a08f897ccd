"""Where a set of cameras looks."""

import numpy as np
from numpy.typing import NDArray

PARALLEL = 1e-4  # spread of the viewing axes (squared sine) below which they meet nowhere in particular


def nearest_to_axes(places: NDArray[np.float64], forward: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The point [3] nearest to all viewing axes (least squares), or None where the axes are parallel.

    places, forward: [N, 3], positions and unit directions of view.
    """
    across = np.eye(3) - forward[:, :, None] * forward[:, None, :]  # [N, 3, 3], without what is along
    if np.linalg.eigvalsh(across.mean(0))[0] < PARALLEL:
        return None
    middle = places.mean(0)  # solved relative to the middle, so that a far-off scene loses no digits
    offset = np.linalg.solve(across.sum(0), np.einsum("nij,nj->i", across, places - middle))
    return np.asarray(middle + offset)
