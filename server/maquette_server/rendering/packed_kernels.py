"""`packed.composite` and its gradient on a CPU, compiled (numba), one ray after the other."""

import math

import numpy as np
from numba import prange

from ..fields.compiling import kernel

_ONE = np.float32(1.0)


@kernel
def composite(densities, colours, lengths, offsets, background, found, opacities, weights):  # type: ignore[no-untyped-def]
    """Writes found [R, 3], opacities [R] and weights [P]."""
    for r in prange(offsets.shape[0] - 1):
        remaining = _ONE
        red = green = blue = np.float32(0)
        for s in range(offsets[r], offsets[r + 1]):
            kept = math.exp(-densities[s] * lengths[s])
            weight = remaining * (_ONE - kept)
            weights[s] = weight
            red += weight * colours[s, 0]
            green += weight * colours[s, 1]
            blue += weight * colours[s, 2]
            remaining *= kept
        opacities[r] = _ONE - remaining
        found[r, 0] = red + remaining * background[r, 0]
        found[r, 1] = green + remaining * background[r, 1]
        found[r, 2] = blue + remaining * background[r, 2]


@kernel
def differentiate(  # type: ignore[no-untyped-def]
    densities, colours, lengths, offsets, found, weights, gradient, for_densities, for_colours
):
    """d colour / d sigma_i = length_i (T_{i+1} c_i - what is seen behind sample i), background included."""
    for r in prange(offsets.shape[0] - 1):
        g0, g1, g2 = gradient[r, 0], gradient[r, 1], gradient[r, 2]
        behind = g0 * found[r, 0] + g1 * found[r, 1] + g2 * found[r, 2]
        remaining = _ONE
        for s in range(offsets[r], offsets[r + 1]):
            weight = weights[s]
            here = g0 * colours[s, 0] + g1 * colours[s, 1] + g2 * colours[s, 2]
            for_colours[s, 0] = weight * g0
            for_colours[s, 1] = weight * g1
            for_colours[s, 2] = weight * g2
            behind -= weight * here
            remaining *= math.exp(-densities[s] * lengths[s])
            for_densities[s] = lengths[s] * (remaining * here - behind)
