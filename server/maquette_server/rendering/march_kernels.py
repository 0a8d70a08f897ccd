"""`marching` on a CPU, compiled (numba): first how many samples each ray has, then the samples."""

import math

import numpy as np
from numba import njit, prange

_ONE = np.float32(1.0)
_HALF = np.float32(0.5)
_QUARTER = np.float32(0.25)


@njit(inline="always")
def _place(number, shortest, turn):  # type: ignore[no-untyped-def]
    if number <= turn:
        return number * shortest
    return shortest * turn * math.exp((number - turn) / turn)


@njit(inline="always")
def _number(place, shortest, turn):  # type: ignore[no-untyped-def]
    number = place / shortest
    if number <= turn:
        return number
    return turn + math.log(number / turn) * turn


@njit(inline="always")
def _unit(x, y, z, unbounded):  # type: ignore[no-untyped-def]
    """The point in the unit cube, and by what short lengths shrink there."""
    if not unbounded:
        return x * _HALF + _HALF, y * _HALF + _HALF, z * _HALF + _HALF, _HALF
    largest = max(abs(x), abs(y), abs(z), _ONE)
    across = (np.float32(2.0) - _ONE / largest) / largest
    quarter = across * _QUARTER
    shrinking = np.float32(_QUARTER)
    if largest > _ONE:
        shrinking = np.float32((across * across / (largest * largest)) ** (1 / 3)) * _QUARTER
    return x * quarter + _HALF, y * quarter + _HALF, z * quarter + _HALF, shrinking


@njit(inline="always")
def _cell(value, side):  # type: ignore[no-untyped-def]
    return min(max(int(value * side), 0), side - 1)


@njit(parallel=True, fastmath={"contract", "reassoc", "arcp"}, cache=True, nogil=True)
def count(  # type: ignore[no-untyped-def]
    origins, directions, radii, near, far, shifts, occupied, unbounded, shortest, turn, most, counts
):
    """counts [R] int64: how many lattice points of each ray lie in occupied cells, `most` at most."""
    side = occupied.shape[0]
    for r in prange(origins.shape[0]):
        dx, dy, dz = directions[r, 0], directions[r, 1], directions[r, 2]
        speed = math.sqrt(dx * dx + dy * dy + dz * dz)
        found = 0
        if near[r] < far[r]:
            number = _number(near[r] * speed, shortest, turn) + shifts[r]
            last = _number(far[r] * speed, shortest, turn)
            taken = 0
            while number < last and taken < most:
                t = _place(number, shortest, turn) / speed
                x, y, z, _ = _unit(
                    np.float32(origins[r, 0] + t * dx),
                    np.float32(origins[r, 1] + t * dy),
                    np.float32(origins[r, 2] + t * dz),
                    unbounded,
                )
                if occupied[_cell(x, side), _cell(y, side), _cell(z, side)]:
                    found += 1
                number += _ONE
                taken += 1
        counts[r] = found


@njit(parallel=True, fastmath={"contract", "reassoc", "arcp"}, cache=True, nogil=True)
def fill(  # type: ignore[no-untyped-def]
    origins,
    directions,
    radii,
    near,
    far,
    shifts,
    occupied,
    unbounded,
    shortest,
    turn,
    most,
    offsets,
    points,
    spreads,
    places,
    lengths,
    rays,
):
    """The same walk as `count`, writing what it finds from `offsets` [R + 1] on."""
    side = occupied.shape[0]
    for r in prange(origins.shape[0]):
        here, end = offsets[r], offsets[r + 1]
        dx, dy, dz = directions[r, 0], directions[r, 1], directions[r, 2]
        speed = math.sqrt(dx * dx + dy * dy + dz * dz)
        if here < end:
            number = _number(near[r] * speed, shortest, turn) + shifts[r]
            taken = 0
            while here < end and taken < most:
                t = _place(number, shortest, turn) / speed
                x, y, z, shrinking = _unit(
                    np.float32(origins[r, 0] + t * dx),
                    np.float32(origins[r, 1] + t * dy),
                    np.float32(origins[r, 2] + t * dz),
                    unbounded,
                )
                if occupied[_cell(x, side), _cell(y, side), _cell(z, side)]:
                    points[here, 0] = min(max(x, np.float32(0)), _ONE)
                    points[here, 1] = min(max(y, np.float32(0)), _ONE)
                    points[here, 2] = min(max(z, np.float32(0)), _ONE)
                    spreads[here] = _HALF * radii[r] * t * shrinking
                    places[here] = t
                    before = max(number - 0.5, 0.0)
                    lengths[here] = _place(number + 0.5, shortest, turn) - _place(before, shortest, turn)
                    rays[here] = r
                    here += 1
                number += _ONE
                taken += 1
            # Were the two walks ever rounded differently at a cell's border, what is missing weighs nothing.
            while here < end:
                points[here, 0] = points[here, 1] = points[here, 2] = _HALF
                spreads[here] = places[here] = lengths[here] = np.float32(0)
                rays[here] = r
                here += 1
