"""One pass of `touched_adam` over a table on a CPU, compiled (numba)."""

import math
from typing import Any

import numpy as np
from numba import prange

from ..fields.compiling import kernel


def constants(*values: float) -> tuple[Any, ...]:
    """As float32, so that the loop stays in it."""
    return tuple(np.float32(value) for value in values)


@kernel
def step(table, gradient, first, second, rate, low, high, root):  # type: ignore[no-untyped-def]
    """All [N] float32. root: one over the root of the second moment's correction."""
    for i in prange(table.shape[0]):
        g = gradient[i]
        if g != np.float32(0):
            mean = low * first[i] + (np.float32(1) - low) * g
            square = high * second[i] + (np.float32(1) - high) * g * g
            first[i] = mean
            second[i] = square
            table[i] -= rate * mean / (math.sqrt(square) * root + np.float32(1e-15))
