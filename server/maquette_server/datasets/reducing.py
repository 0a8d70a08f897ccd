"""Pictures with fewer pixels, each the mean of whole old ones; `Lens.divided` has the lens.

Depths are picked instead: a mean across an edge lies where nothing is.
"""

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray


def reduced(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Mean of factor x factor pixels, premultiplied, rounded; what does not fill a whole pixel is cut off.

    Raises UserError `params.bad` when nothing is left.
    """
    if factor == 1:
        return picture
    height, width, channels = picture.shape
    rows, columns = height // factor, width // factor
    if not rows or not columns:
        raise UserError(
            "params.bad", f"A picture of {width} x {height} pixels cannot be divided by {factor}."
        )
    values = picture[: rows * factor, : columns * factor].astype(np.float32) / 255
    if channels == 4:
        values[..., :3] *= values[..., 3:]
    mean = values.reshape(rows, factor, columns, factor, channels).mean((1, 3))
    if channels == 4:
        mean[..., :3] /= np.maximum(mean[..., 3:], 1e-6)
    result: NDArray[np.uint8] = (mean.clip(0, 1) * 255 + 0.5).astype(np.uint8)
    return result


def nearest(depths: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Depths [H, W] at height x width pixels: each has that of the old pixel in which its centre lies."""
    rows, columns = depths.shape
    down = ((np.arange(height) + 0.5) * rows / height).astype(np.intp)
    across = ((np.arange(width) + 0.5) * columns / width).astype(np.intp)
    return depths[down[:, None], across[None, :]]
