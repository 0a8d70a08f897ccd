"""`marching` on a CPU, compiled (numba): first how many samples each ray has, then the samples."""

import math

import numpy as np
from numba import njit, prange

_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_ZERO = np.float32(0.0)


@njit(inline="always")
def _cell(value, side):  # type: ignore[no-untyped-def]
    return min(max(int(value * side), 0), side - 1)


@njit(inline="always")
def _point(origins, directions, r, t):  # type: ignore[no-untyped-def]
    """The point of ray r at t, in the unit cube."""
    return (
        np.float32(origins[r, 0] + t * directions[r, 0]) * _HALF + _HALF,
        np.float32(origins[r, 1] + t * directions[r, 1]) * _HALF + _HALF,
        np.float32(origins[r, 2] + t * directions[r, 2]) * _HALF + _HALF,
    )


@njit(parallel=True, fastmath={"contract", "reassoc", "arcp"}, cache=True, nogil=True)
def count(  # type: ignore[no-untyped-def]
    origins, directions, radii, near, far, shifts, occupied, step, most, counts
):
    """counts [R] int64: how many lattice points of each ray lie in occupied cells, `most` at most."""
    side = occupied.shape[0]
    for r in prange(origins.shape[0]):
        found = 0
        if near[r] < far[r]:
            dx, dy, dz = directions[r, 0], directions[r, 1], directions[r, 2]
            apart = step / math.sqrt(dx * dx + dy * dy + dz * dz)
            number = near[r] / apart + shifts[r]
            last = far[r] / apart
            taken = 0
            while number < last and taken < most:
                x, y, z = _point(origins, directions, r, number * apart)
                if occupied[_cell(x, side), _cell(y, side), _cell(z, side)]:
                    found += 1
                number += _ONE
                taken += 1
        counts[r] = found


@njit(parallel=True, fastmath={"contract", "reassoc", "arcp"}, cache=True, nogil=True)
def fill(  # type: ignore[no-untyped-def]
    origins, directions, radii, near, far, shifts, occupied, step, most,
    offsets, points, spreads, places, lengths, rays,
):  # fmt: skip
    """The same walk as `count`, writing what it finds from `offsets` [R + 1] on."""
    side = occupied.shape[0]
    for r in prange(origins.shape[0]):
        here, end = offsets[r], offsets[r + 1]
        if here < end:
            dx, dy, dz = directions[r, 0], directions[r, 1], directions[r, 2]
            apart = step / math.sqrt(dx * dx + dy * dy + dz * dz)
            number = near[r] / apart + shifts[r]
            taken = 0
            while here < end and taken < most:
                t = number * apart
                x, y, z = _point(origins, directions, r, t)
                if occupied[_cell(x, side), _cell(y, side), _cell(z, side)]:
                    points[here, 0] = min(max(x, _ZERO), _ONE)
                    points[here, 1] = min(max(y, _ZERO), _ONE)
                    points[here, 2] = min(max(z, _ZERO), _ONE)
                    spreads[here] = _HALF * radii[r] * t * _HALF
                    places[here] = t
                    lengths[here] = step
                    rays[here] = r
                    here += 1
                number += _ONE
                taken += 1
            # Were the two walks ever rounded differently at a cell's border, what is missing weighs nothing.
            while here < end:
                points[here, 0] = points[here, 1] = points[here, 2] = _HALF
                spreads[here] = places[here] = lengths[here] = _ZERO
                rays[here] = r
                here += 1
