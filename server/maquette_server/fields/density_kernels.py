"""A grid field's density on a CPU, compiled (numba): lookup and network, one point after the other.

torch is faster where all of many points are needed with their gradient; this where few of them are, or where
what one point says decides about the next.
"""

import math

import numpy as np
from numba import prange

from .compiling import inlined, kernel
from .grid_kernels import interpolate

_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_MOST_LOG_DENSITY = np.float32(12.0)  # as in `grid`
_PARTS = np.float32(256.0)  # of a table of the error function, over 1; linear between: off by 4e-6 at most
_ERF = np.array([math.erf(step / 256) for step in range(4 * 256 + 2)], np.float32)
_ERF_LAST = np.float32(4 * 256)
_HALF = np.float32(0.5)
_TWO = np.float32(2.0)
_BLOB_FALL = np.float32(4 / (2 * 0.2**2))  # `grid.blob`, in the unit cube
_ROOT_8 = np.float32(math.sqrt(8))


@inlined
def add_product(values, matrix, total):  # type: ignore[no-untyped-def]
    """Adds values [I] times matrix [I, J] to total [J], four rows at a time: a third of the loads and stores
    that one at a time takes.
    """
    rows, width = matrix.shape
    for four in range(rows // 4):
        i = 4 * four
        v0, v1, v2, v3 = values[i], values[i + 1], values[i + 2], values[i + 3]
        for j in range(width):
            total[j] += (
                v0 * matrix[i, j] + v1 * matrix[i + 1, j] + v2 * matrix[i + 2, j] + v3 * matrix[i + 3, j]
            )
    for i in range(rows // 4 * 4, rows):
        value = values[i]
        for j in range(width):
            total[j] += value * matrix[i, j]


@inlined
def density(x, y, z, spread, field, feature, hidden):  # type: ignore[no-untyped-def]
    """The density at a point of the unit cube; leaves the hidden layer in `hidden` [W].

    field: `GridField.arrays`.  feature: [L F], scratch.
    """
    table, scales, sides, starts, sizes, dense, smooth, entry, leave, blob, reach = field
    features = table.shape[1]
    width = entry.shape[1]
    narrow = _ONE / (_ROOT_8 * max(spread, np.float32(1e-9)))
    for i in range(scales.shape[0]):
        kept = _ONE
        if smooth:
            share = narrow / scales[i] * _PARTS
            if share < _ERF_LAST:  # beyond it the error function is 1
                step = np.uint32(share)
                kept = _ERF[step] + (share - np.float32(step)) * (_ERF[step + 1] - _ERF[step])
        interpolate(
            x, y, z, table, scales[i], sides[i], starts[i], sizes[i], dense[i], kept, feature, i * features
        )
    hidden[:] = _ZERO
    add_product(feature, entry, hidden)
    total = _ZERO
    for j in range(width):
        hidden[j] = max(hidden[j], _ZERO)
        total += leave[0, j] * hidden[j]
    if blob != _ZERO:
        from_middle = (x - _HALF) * (x - _HALF) + (y - _HALF) * (y - _HALF) + (z - _HALF) * (z - _HALF)
        if reach > _ZERO:
            total += blob * (_ONE - _TWO * np.float32(math.sqrt(from_middle)) / reach)
        else:
            total += blob * np.float32(math.exp(-from_middle * _BLOB_FALL))
    return np.float32(math.exp(min(total, _MOST_LOG_DENSITY)))


@kernel
def densities(points, spread, field, found):  # type: ignore[no-untyped-def]
    """Writes found [P] of points [P, 3], all of one spread. field: `GridField.arrays`."""
    inputs, width = field[7].shape
    runs = (points.shape[0] + 1023) // 1024
    for number in prange(runs):
        first = np.int64(number) * 1024
        feature = np.empty(inputs, np.float32)
        hidden = np.empty(width, np.float32)
        for p in range(first, min(first + 1024, points.shape[0])):
            found[p] = density(points[p, 0], points[p, 1], points[p, 2], spread, field, feature, hidden)
