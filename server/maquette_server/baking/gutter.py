"""Texels outside the charts, filled from the charts' borders so that no filter ever reads an empty one."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

_WRAP = 32  # texels looked at across the edge of the texture, which repeats


def fill(texture: NDArray[np.floating], used: NDArray[np.bool_]) -> NDArray[np.floating]:
    """Every texel that is not `used` takes the value of the nearest used one; textures repeat.

    texture: [S, S, C].  used: [S, S].  A texture without used texels comes back as it is.
    """
    if used.all() or not used.any():
        return texture
    row, column = nearest(used)
    return texture[row, column]


def nearest(used: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Row and column [S, S] of the nearest used texel of each texel, across the edges as well."""
    side = used.shape[0]
    wrap = min(_WRAP, side)
    padded = np.pad(used, wrap, mode="wrap")
    indices = ndimage.distance_transform_edt(~padded, return_distances=False, return_indices=True)
    inner = indices[:, wrap : wrap + side, wrap : wrap + side]
    return (inner[0] - wrap) % side, (inner[1] - wrap) % side
