"""Depth as a picture to look at: near is warm, far is cold, nothing is the background.

The colours are turbo's (A. Mikhailov, Google, 2019), which keep neighbouring depths apart, by the polynomial
that R. Du published with them (Apache-2.0): at most 33 of 255 levels from the table, at the dark end, and
7 in the mean.
"""

import numpy as np
from numpy.typing import NDArray

WHITE = (255, 255, 255)
# Row n: the factors of x^n for red, green and blue, x in 0..1.
_TURBO = np.array(
    [
        [0.13572138, 0.09140261, 0.10667330],
        [4.61539260, 2.19418839, 12.64194608],
        [-42.66032258, 4.84296658, -60.58204836],
        [132.13108234, -14.18503333, 110.36276771],
        [-152.94239396, 4.27729857, -89.90310912],
        [59.28637943, 2.82956604, 27.34824973],
    ]
)


def turbo(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colours u8 [..., 3] of values [...]: 0 almost black, then blue, 0.5 green, 1 dark red, as beyond it."""
    x = np.clip(np.asarray(values, np.float64), 0.0, 1.0)[..., None]
    colour = np.zeros((*x.shape[:-1], 3))
    for row in _TURBO[::-1]:
        colour = colour * x + row
    return (np.clip(colour, 0.0, 1.0) * 255 + 0.5).astype(np.uint8)


def span(depth: NDArray[np.floating], *, low: float = 2.0, high: float = 98.0) -> tuple[float, float]:
    """Near and far by percentiles of what is there, so that one stray pixel does not flatten the picture.

    depth: [H, W]; infinite, negative or 0, and no number: nothing there. Without anything: 0 and 1.
    """
    there = depth[_there(depth)]
    if there.size == 0:
        return 0.0, 1.0
    near, far = np.percentile(there, [low, high]).tolist()
    return near, far


def colour(
    depth: NDArray[np.floating],
    *,
    near: float | None = None,
    far: float | None = None,
    background: tuple[int, int, int] = WHITE,
) -> NDArray[np.uint8]:
    """The picture u8 [H, W, 3] of depth [H, W] in scene units.

    near, far: the depths of the two ends of the colours, by default those of `span`; frames of one film
    should be given the same. Nearer and farther pixels have the end's colour; a flat depth has the middle's.
    """
    if depth.ndim != 2:
        raise ValueError(f"a depth picture is [H, W], not {depth.shape}")
    first, last = span(depth)
    near, far = first if near is None else near, last if far is None else far
    there = _there(depth)
    shown = np.where(there, depth, near).astype(np.float64)
    picture = turbo((far - shown) / (far - near) if far > near else np.full(depth.shape, 0.5))
    picture[~there] = background
    return picture


def _there(depth: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.isfinite(depth) & (depth > 0)
