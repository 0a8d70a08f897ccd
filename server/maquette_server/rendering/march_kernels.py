"""`marching` on a CPU, compiled (numba): first how many samples each ray has, then the samples.

Rays jump over blocks of cells of which none is occupied.
"""

import math

import numpy as np
from numba import prange

from ..fields import density_kernels
from ..fields.compiling import inlined, kernel

_ONE = np.float32(1.0)
_TWO = np.float32(2.0)
_HALF = np.float32(0.5)
_ZERO = np.float32(0.0)
_BLOCK = 4  # cells of a block along an axis


@kernel
def blocks(occupied):  # type: ignore[no-untyped-def]
    """bool [B, B, B]: which blocks of cells [G, G, G] have an occupied one."""
    cells = occupied.shape[0]
    side = (cells + _BLOCK - 1) // _BLOCK
    found = np.zeros((side, side, side), np.bool_)
    for number in prange(side):
        first = np.int64(number) * _BLOCK
        for i in range(first, min(first + _BLOCK, cells)):
            for j in range(cells):
                for k in range(cells):
                    if occupied[i, j, k]:
                        found[first // _BLOCK, j // _BLOCK, k // _BLOCK] = True
    return found


@inlined
def _cell(value, side):  # type: ignore[no-untyped-def]
    return min(max(int(value * side), 0), side - 1)


@inlined
def _leaves(block, origin, direction, side):  # type: ignore[no-untyped-def]
    """t at which a ray leaves a block along an axis."""
    if direction == _ZERO:
        return np.float32(np.inf)
    if direction > _ZERO:
        block += 1
    return (np.float32(block * _BLOCK) / np.float32(side) * _TWO - _ONE - origin) / direction


@inlined
def point(origins, directions, r, t):  # type: ignore[no-untyped-def]
    """The point of ray r at t, in the unit cube."""
    return (
        np.float32(origins[r, 0] + t * directions[r, 0]) * _HALF + _HALF,
        np.float32(origins[r, 1] + t * directions[r, 1]) * _HALF + _HALF,
        np.float32(origins[r, 2] + t * directions[r, 2]) * _HALF + _HALF,
    )


@inlined
def apart(directions, r, step):  # type: ignore[no-untyped-def]
    """The distance of lattice points in t."""
    dx, dy, dz = directions[r, 0], directions[r, 1], directions[r, 2]
    return np.float32(step / math.sqrt(dx * dx + dy * dy + dz * dz))


@inlined
def empty(x, y, z, t, origins, directions, r, occupied, full, between):  # type: ignore[no-untyped-def]
    """How many lattice points, this one included, may be passed over: 0 where the cell is occupied."""
    side = occupied.shape[0]
    i, j, k = _cell(x, side), _cell(y, side), _cell(z, side)
    if occupied[i, j, k]:
        return 0
    i, j, k = i // _BLOCK, j // _BLOCK, k // _BLOCK
    if full[i, j, k]:
        return 1
    left = min(
        _leaves(i, origins[r, 0], directions[r, 0], side),
        _leaves(j, origins[r, 1], directions[r, 1], side),
        _leaves(k, origins[r, 2], directions[r, 2], side),
    )
    return max(1, int(min((left - t) / between, np.float32(4096.0))))


@kernel
def count(  # type: ignore[no-untyped-def]
    origins, directions, near, far, shifts, occupied, full, step, most, counts
):
    """counts [R] int64: how many lattice points of each ray lie in occupied cells, of the first `most`."""
    for r in prange(origins.shape[0]):
        found = 0
        if near[r] < far[r]:
            between = apart(directions, r, step)
            number = near[r] / between + shifts[r]
            last = far[r] / between
            taken = 0
            while number < last and taken < most:
                t = number * between
                x, y, z = point(origins, directions, r, t)
                passed = empty(x, y, z, t, origins, directions, r, occupied, full, between)
                if passed == 0:
                    found += 1
                    passed = 1
                number += np.float32(passed)
                taken += passed
        counts[r] = found


@kernel
def count_lit(  # type: ignore[no-untyped-def]
    origins, directions, radii, near, far, shifts, occupied, full, step, most, field, spent, counts
):
    """`count`, but a ray ends with the sample behind which less than `spent` of its light is left.

    field: `GridField.arrays`.
    """
    inputs, width = field[7].shape
    for r in prange(origins.shape[0]):
        found = 0
        if near[r] < far[r]:
            feature = np.empty(inputs, np.float32)
            hidden = np.empty(width, np.float32)
            between = apart(directions, r, step)
            number = near[r] / between + shifts[r]
            last = far[r] / between
            taken = 0
            thickness, most_thick = _ZERO, -np.float32(math.log(spent))
            while number < last and taken < most and thickness < most_thick:
                t = number * between
                x, y, z = point(origins, directions, r, t)
                passed = empty(x, y, z, t, origins, directions, r, occupied, full, between)
                if passed == 0:
                    x, y, z = within(x), within(y), within(z)
                    spread = _HALF * radii[r] * t * _HALF
                    thickness += step * density_kernels.density(x, y, z, spread, field, feature, hidden)
                    found += 1
                    passed = 1
                number += np.float32(passed)
                taken += passed
        counts[r] = found


@inlined
def within(value):  # type: ignore[no-untyped-def]
    return min(max(value, _ZERO), _ONE)


@kernel
def fill(  # type: ignore[no-untyped-def]
    origins, directions, radii, near, far, shifts, occupied, full, step, most,
    offsets, points, spreads, places, lengths, rays,
):  # fmt: skip
    """The same walk as `count`, writing what it finds from `offsets` [R + 1] on."""
    for r in prange(origins.shape[0]):
        here, end = offsets[r], offsets[r + 1]
        if here < end:
            between = apart(directions, r, step)
            number = near[r] / between + shifts[r]
            taken = 0
            while here < end and taken < most:
                t = number * between
                x, y, z = point(origins, directions, r, t)
                passed = empty(x, y, z, t, origins, directions, r, occupied, full, between)
                if passed == 0:
                    points[here, 0], points[here, 1], points[here, 2] = within(x), within(y), within(z)
                    spreads[here] = _HALF * radii[r] * t * _HALF
                    places[here] = t
                    lengths[here] = step
                    rays[here] = r
                    here += 1
                    passed = 1
                number += np.float32(passed)
                taken += passed
            # Were the two walks ever rounded differently at a cell's border, what is missing weighs nothing.
            while here < end:
                points[here, 0] = points[here, 1] = points[here, 2] = _HALF
                spreads[here] = places[here] = lengths[here] = _ZERO
                rays[here] = r
                here += 1
