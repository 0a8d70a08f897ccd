"""How sharp pictures of an object are."""

import numpy as np
from numpy.typing import NDArray


def mean_gradient(colours: NDArray[np.floating], seen: NDArray[np.bool_]) -> float | None:
    """The mean length of the gradient of brightness, a pixel, over pixels of the object whose right and lower
    neighbours are of it as well; None where there are none.

    colours: [H, W, 3], 0..1.  seen: [H, W], which pixels the object fills.
    """
    brightness = np.asarray(colours, np.float64).mean(-1)
    counted = seen[:-1, :-1] & seen[:-1, 1:] & seen[1:, :-1]
    if not counted.any():
        return None
    across = brightness[:-1, 1:] - brightness[:-1, :-1]
    down = brightness[1:, :-1] - brightness[:-1, :-1]
    return float(np.hypot(across, down)[counted].mean())
