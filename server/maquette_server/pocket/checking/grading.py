"""How far a graded picture is from what its formula asks for.

Means over an 8 x 8 grid, so that fine detail, which the autoencoder softens, does not count; CIELAB, so that
differences count as they are seen. Pictures are [N, 3, S, S] in 0..1.
"""

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ...metrics import colour_names

_GRID = 8
_SAYS_NOTHING = 4.0  # CIELAB; a smaller change than this asks for nothing that could be seen
_MOST_LEFT = 0.5  # of the change asked for
_FURTHEST = 12.0  # CIELAB

DONE, SHORT, IDLE = "done", "not done", "nothing asked"


def distance(first: Tensor, second: Tensor) -> NDArray[np.float64]:
    """Mean CIELAB difference [N] of coarse pictures."""
    coarse = [
        functional.adaptive_avg_pool2d(each, _GRID).permute(0, 2, 3, 1).double().numpy()
        for each in (first, second)
    ]
    apart = colour_names.lab(coarse[0]) - colour_names.lab(coarse[1])
    return np.linalg.norm(apart, axis=-1).mean((1, 2))


def verdicts(before: Tensor, after: Tensor, wanted: Tensor) -> list[tuple[str, float, float]]:
    """Of each picture whether it went at least half of the way, what is left, and what was asked (CIELAB).

    `wanted` is the formula's picture. Nearer to it than half of the change, and within 12, is done.
    """
    left, asked = distance(after, wanted), distance(before, wanted)
    found = np.where((left <= _MOST_LEFT * asked) & (left <= _FURTHEST), DONE, SHORT)
    found = np.where(asked < _SAYS_NOTHING, IDLE, found)
    return [
        (str(f), round(float(rest), 2), round(float(all_), 2))
        for f, rest, all_ in zip(found, left, asked, strict=True)
    ]
