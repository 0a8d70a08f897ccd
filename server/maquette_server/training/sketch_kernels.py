"""`sketch_shape.SketchShape.loss` and its gradient on a CPU, compiled (numba), in one call."""

import math

import numpy as np
from numba import prange

from ..fields.compiling import kernel

_ZERO = np.float32(0)
_ONE = np.float32(1)
_TWO = np.float32(2)
_HALF = np.float32(0.5)
_NEXT = np.uint32(1)
_RUN = 1024  # points whose numbers stay in the fastest memory


@kernel
def terms(  # type: ignore[no-untyped-def]
    points, densities, signed, unit, held, softness, reach, likely, unlikely, found, slopes
):
    """Writes each point's term into found [P] and its derivative by the density into slopes [P].

    points: [P, 3], unit cube.  signed: [N, N, N], distances at middles of cells, in units of `unit`; farther
    out they go on as at the border.  held: strength, below 0 where locked, [N, N, N] or [1, 1, 1].
    likely, unlikely: the logarithms of c(1) and c(0).
    """
    side = signed.shape[0]
    cells, last, top = np.float32(side), np.float32(side - 1), np.uint32(side - 2)
    fall = _ONE / (_TWO * softness * softness) if softness > _ZERO else _ZERO
    for number in prange((points.shape[0] + _RUN - 1) // _RUN):
        first = np.int64(number) * _RUN
        end = min(first + _RUN, points.shape[0])
        for p in range(first, end):
            x = min(max(points[p, 0] * cells - _HALF, _ZERO), last)
            y = min(max(points[p, 1] * cells - _HALF, _ZERO), last)
            z = min(max(points[p, 2] * cells - _HALF, _ZERO), last)
            i, j, k = min(np.uint32(x), top), min(np.uint32(y), top), min(np.uint32(z), top)
            u, v, w = x - np.float32(i), y - np.float32(j), z - np.float32(k)
            low = (_ONE - w) * signed[i, j, k] + w * signed[i, j, k + _NEXT]
            right = (_ONE - w) * signed[i + _NEXT, j, k] + w * signed[i + _NEXT, j, k + _NEXT]
            up = (_ONE - w) * signed[i, j + _NEXT, k] + w * signed[i, j + _NEXT, k + _NEXT]
            both = (_ONE - w) * signed[i + _NEXT, j + _NEXT, k]
            both += w * signed[i + _NEXT, j + _NEXT, k + _NEXT]
            left = (_ONE - v) * low + v * up
            found[p] = unit * ((_ONE - u) * left + u * ((_ONE - v) * right + v * both))
            if held.shape[0] == 1:
                slopes[p] = held[0, 0, 0]
            else:
                slopes[p] = held[i + np.uint32(u > _HALF), j + np.uint32(v > _HALF), k + np.uint32(w > _HALF)]
        for p in range(first, end):  # apart, so that several points at once are computed
            far, strength = found[p], slopes[p]
            near = np.float32(math.exp(-far * far * fall)) if fall > _ZERO and strength > _ZERO else _ZERO
            weight = abs(strength) * (_ONE - near)
            free = np.float32(math.exp(-reach * densities[p]))
            given = likely if far < _ZERO else unlikely
            other = unlikely if far < _ZERO else likely
            found[p] = -weight * ((_ONE - free) * given + free * other)
            slopes[p] = weight * reach * free * (other - given)
