"""Which noise level a step of score distillation looks at.

T is the model's number of training timesteps, `progress` runs from 0 to 1 over the optimisation.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Anneal = Literal["none", "linear", "dreamtime"]

# DreamTime's m1, m2, s1, s2 = 800, 500, 300, 100 of 1000 (arXiv:2306.12422v1), as shares of T.
_DREAMTIME_HIGH, _DREAMTIME_LOW, _DREAMTIME_HIGH_WIDTH, _DREAMTIME_LOW_WIDTH = 0.8, 0.5, 0.3, 0.1
_LINEAR_END = 0.5  # the upper bound falls to half of T


def timestep_bounds(
    low: float, high: float, anneal: Anneal, progress: float, train_timesteps: int
) -> tuple[int, int]:
    """First and last timestep (both included) to draw from. `low` and `high` are shares of T.

    `linear` lowers the upper bound from `high` to half of T (or to `high` if that is less).
    """
    if anneal == "linear":
        high = high - max(high - _LINEAR_END, 0.0) * progress
    first = min(round(low * train_timesteps), train_timesteps - 1)
    last = min(round(high * train_timesteps), train_timesteps - 1)
    return first, max(first, last)


def dreamtime_timesteps(low: float, high: float, steps: int, train_timesteps: int) -> NDArray[np.int64]:
    """Non-increasing timesteps [steps], one a step (arXiv:2306.12422v1, section 4).

    Time is spent on each level in proportion to W(t): 1 between 0.5 and 0.8 of T, Gaussian flanks on both
    sides.
    """
    share = np.arange(train_timesteps) / train_timesteps
    weight = np.ones(train_timesteps)
    above, below = share > _DREAMTIME_HIGH, share < _DREAMTIME_LOW
    weight[above] = np.exp(-((share[above] - _DREAMTIME_HIGH) ** 2) / (2 * _DREAMTIME_HIGH_WIDTH**2))
    weight[below] = np.exp(-((share[below] - _DREAMTIME_LOW) ** 2) / (2 * _DREAMTIME_LOW_WIDTH**2))
    first, last = timestep_bounds(low, high, "none", 0.0, train_timesteps)
    levels = np.arange(last, first - 1, -1)
    spent = np.cumsum(weight[levels]) / weight[levels].sum()
    return levels[np.searchsorted(spent, (np.arange(steps) + 0.5) / steps)]
