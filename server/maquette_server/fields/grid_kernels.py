"""The hash grid's lookup and its gradient on a CPU, compiled (numba): same rows, same weights as `hash_grid`.

torch reaches a table row by row through index tensors as large as eight times the points; here a point's rows
are read as they are computed. The gradient is added level by level, one thread a level: every row belongs to
one level, so no two threads add to the same row and the sums do not depend on how many threads there are.
"""

import numpy as np
from numba import prange

from .compiling import inlined, kernel

_SECOND = np.uint32(2654435761)  # primes of equation 4; the first is 1
_THIRD = np.uint32(805459861)
_HALF = np.float32(0.5)
_ONE = np.float32(1.0)


@inlined
def rows(ix, iy, iz, side, size, dense, start):  # type: ignore[no-untyped-def]
    """The eight rows about a cell: bit d of a corner's number: whether it is the upper one along axis d."""
    if dense:
        step = np.uint32(side)
        x0, x1 = ix, ix + np.uint32(1)
        y0 = iy * step
        y1 = y0 + step
        apart = step * step
        if apart > size:  # a tiled level that is too fine
            apart = np.uint32(0)
        z0 = iz * apart
        z1 = z0 + apart
        r0, r1, r2, r3 = x0 + y0 + z0, x1 + y0 + z0, x0 + y1 + z0, x1 + y1 + z0
        r4, r5, r6, r7 = x0 + y0 + z1, x1 + y0 + z1, x0 + y1 + z1, x1 + y1 + z1
        if r7 >= size:  # a corner beyond the far border wraps around
            r0, r1, r2, r3 = r0 % size, r1 % size, r2 % size, r3 % size
            r4, r5, r6, r7 = r4 % size, r5 % size, r6 % size, r7 % size
    else:
        mask = np.uint32(size - 1)
        x0, x1 = ix, ix + np.uint32(1)
        y0 = iy * _SECOND
        y1 = y0 + _SECOND
        z0 = iz * _THIRD
        z1 = z0 + _THIRD
        r0, r1, r2, r3 = (
            (x0 ^ y0 ^ z0) & mask,
            (x1 ^ y0 ^ z0) & mask,
            (x0 ^ y1 ^ z0) & mask,
            (x1 ^ y1 ^ z0) & mask,
        )
        r4, r5, r6, r7 = (
            (x0 ^ y0 ^ z1) & mask,
            (x1 ^ y0 ^ z1) & mask,
            (x0 ^ y1 ^ z1) & mask,
            (x1 ^ y1 ^ z1) & mask,
        )
    return start + r0, start + r1, start + r2, start + r3, start + r4, start + r5, start + r6, start + r7


@inlined
def interpolate(px, py, pz, table, scale, side, start, size, dense, kept, out, at):  # type: ignore[no-untyped-def]
    """Writes what a level has at a point of the unit cube, times `kept`, to out [at : at + F]."""
    x, y, z = px * scale + _HALF, py * scale + _HALF, pz * scale + _HALF
    ix, iy, iz = np.uint32(x), np.uint32(y), np.uint32(z)
    fx, fy, fz = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
    gx, gy, gz = _ONE - fx, _ONE - fy, _ONE - fz
    r0, r1, r2, r3, r4, r5, r6, r7 = rows(ix, iy, iz, side, size, dense, start)
    w0, w1, w2, w3 = gx * gy, fx * gy, gx * fy, fx * fy
    for f in range(table.shape[1]):
        low = w0 * table[r0, f] + w1 * table[r1, f] + w2 * table[r2, f] + w3 * table[r3, f]
        high = w0 * table[r4, f] + w1 * table[r5, f] + w2 * table[r6, f] + w3 * table[r7, f]
        out[at + f] = kept * (gz * low + fz * high)


@kernel
def encode(points, table, scales, sides, starts, sizes, dense, out):  # type: ignore[no-untyped-def]
    """out [P, L F] of points [P, 3] float32 in 0..1 and the table [rows, F] float32.

    scales f4, sides i8, starts i8, sizes u4 and dense bool: [L], as `hash_grid.Level` has them.
    """
    features = table.shape[1]
    for p in prange(points.shape[0]):
        x, y, z = points[p, 0], points[p, 1], points[p, 2]
        for i in range(scales.shape[0]):
            interpolate(
                x, y, z, table, scales[i], sides[i], starts[i], sizes[i], dense[i], _ONE, out[p], i * features
            )


@kernel
def add_gradient(points, gradient, scales, sides, starts, sizes, dense, order, total):  # type: ignore[no-untyped-def]
    """Adds to `total` [rows, F] what `gradient` [P, L F], of `encode`'s result, means for the table.

    order: i8 [L], the levels in the order in which threads take them.
    """
    features = total.shape[1]
    for number in prange(scales.shape[0]):
        level = order[number]
        scale, side, size = scales[level], sides[level], sizes[level]
        is_dense, start = dense[level], starts[level]
        for p in range(points.shape[0]):
            x = points[p, 0] * scale + _HALF
            y = points[p, 1] * scale + _HALF
            z = points[p, 2] * scale + _HALF
            ix, iy, iz = np.uint32(x), np.uint32(y), np.uint32(z)
            fx, fy, fz = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
            gx, gy, gz = _ONE - fx, _ONE - fy, _ONE - fz
            r0, r1, r2, r3, r4, r5, r6, r7 = rows(ix, iy, iz, side, size, is_dense, start)
            w0, w1, w2, w3 = gx * gy, fx * gy, gx * fy, fx * fy
            for f in range(features):
                low = gradient[p, level * features + f] * gz
                high = gradient[p, level * features + f] * fz
                total[r0, f] += low * w0
                total[r1, f] += low * w1
                total[r2, f] += low * w2
                total[r3, f] += low * w3
                total[r4, f] += high * w0
                total[r5, f] += high * w1
                total[r6, f] += high * w2
                total[r7, f] += high * w3
