"""`packed.composite` and its gradient on a CPU, compiled (numba), one ray after the other."""

import math

import numpy as np
from numba import prange

from ..fields.compiling import kernel

_ONE = np.float32(1.0)


@kernel
def composite(densities, colours, lengths, offsets, background, found, opacities, weights):  # type: ignore[no-untyped-def]
    """Writes found [R, C], opacities [R] and weights [P]."""
    channels = colours.shape[1]
    for r in prange(offsets.shape[0] - 1):
        remaining = _ONE
        found[r] = np.float32(0)
        for s in range(offsets[r], offsets[r + 1]):
            kept = math.exp(-densities[s] * lengths[s])
            weight = remaining * (_ONE - kept)
            weights[s] = weight
            for c in range(channels):
                found[r, c] += weight * colours[s, c]
            remaining *= kept
        opacities[r] = _ONE - remaining
        for c in range(channels):
            found[r, c] += remaining * background[r, c]


@kernel
def differentiate(  # type: ignore[no-untyped-def]
    densities, colours, lengths, offsets, found, opacities, weights, gradient, for_opacities,
    for_densities, for_colours,
):  # fmt: skip
    """d colour / d sigma_i = length_i (T_{i+1} c_i - what is seen behind sample i), background included.

    The opacity is a colour that is 1 in every sample, before nothing. gradient: [R, C], for_opacities: [R].
    """
    channels = colours.shape[1]
    for r in prange(offsets.shape[0] - 1):
        behind = for_opacities[r] * opacities[r]
        for c in range(channels):
            behind += gradient[r, c] * found[r, c]
        remaining = _ONE
        for s in range(offsets[r], offsets[r + 1]):
            weight = weights[s]
            here = for_opacities[r]
            for c in range(channels):
                here += gradient[r, c] * colours[s, c]
                for_colours[s, c] = weight * gradient[r, c]
            behind -= weight * here
            remaining *= math.exp(-densities[s] * lengths[s])
            for_densities[s] = lengths[s] * (remaining * here - behind)
