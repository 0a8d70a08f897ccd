"""What rays see of a grid field on a CPU, compiled (numba): lookup, both networks and compositing, one ray
after the other.

A ray ends where nothing is left of its light, and a sample that adds next to nothing has no colour: most
samples cost a lookup and a small network, or nothing. torch computes all of everything for all.
"""

import math

import numpy as np
from numba import njit, prange

from ..fields.grid_kernels import _rows

_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_SPENT = np.float32(1e-3)  # of a ray's light: where less is left, the ray ends
_UNSEEN = np.float32(3e-4)  # of a ray's light: what adds less has no colour
_MOST_LOG_DENSITY = np.float32(12.0)  # as in `fields.grid`
_ERF_STEPS = np.float32(
    256.0
)  # of a table of the error function, over 1; linear between: off by 4e-6 at most
_ERF = np.array([math.erf(step / 256) for step in range(4 * 256 + 2)], np.float32)
_ERF_LAST = np.float32(4 * 256)
_ROOT_8 = np.float32(math.sqrt(8))


@njit(inline="always")
def _spread(number, count):  # type: ignore[no-untyped-def]
    """A permutation of 0..count - 1 that takes every 16th in turn: threads get runs of numbers, and pictures
    have much in one place and nothing in another.
    """
    short = count // 16
    if number >= short * 16:
        return number
    return number // short + 16 * (number % short)


@njit(inline="always")
def _density(  # type: ignore[no-untyped-def]
    point, spread, table, scales, sides, starts, sizes, dense, smooth,
    density_in, density_out, feature, hidden,
):  # fmt: skip
    """The density at a point [3]; leaves the hidden layer in `hidden` [W]. feature: [L F], scratch."""
    features = table.shape[1]
    inputs, width = density_in.shape
    narrow = _ONE / (_ROOT_8 * max(spread, np.float32(1e-9)))
    for level in range(scales.shape[0]):
        scale = scales[level]
        x = point[0] * scale + _HALF
        y = point[1] * scale + _HALF
        z = point[2] * scale + _HALF
        ix, iy, iz = np.uint32(x), np.uint32(y), np.uint32(z)
        fx, fy, fz = x - np.float32(ix), y - np.float32(iy), z - np.float32(iz)
        gx, gy, gz = _ONE - fx, _ONE - fy, _ONE - fz
        r0, r1, r2, r3, r4, r5, r6, r7 = _rows(
            ix, iy, iz, sides[level], sizes[level], dense[level], starts[level]
        )
        w0, w1, w2, w3 = gx * gy, fx * gy, gx * fy, fx * fy
        kept = _ONE
        if smooth:
            share = narrow / scale * _ERF_STEPS
            if share < _ERF_LAST:  # beyond it the error function is 1
                step = np.uint32(share)
                kept = _ERF[step] + (share - np.float32(step)) * (_ERF[step + 1] - _ERF[step])
        for f in range(features):
            low = w0 * table[r0, f] + w1 * table[r1, f] + w2 * table[r2, f] + w3 * table[r3, f]
            high = w0 * table[r4, f] + w1 * table[r5, f] + w2 * table[r6, f] + w3 * table[r7, f]
            feature[level * features + f] = kept * (gz * low + fz * high)
    hidden[:] = _ZERO
    for i in range(inputs):
        value = feature[i]
        for j in range(width):
            hidden[j] += value * density_in[i, j]
    total = _ZERO
    for j in range(width):
        hidden[j] = max(hidden[j], _ZERO)
        total += density_out[0, j] * hidden[j]
    return np.float32(math.exp(min(total, _MOST_LOG_DENSITY)))


@njit(parallel=True, fastmath={"contract", "reassoc", "arcp"}, cache=True, nogil=True)
def look(  # type: ignore[no-untyped-def]
    points,
    spreads,
    places,
    lengths,
    offsets,
    table,
    scales,
    sides,
    starts,
    sizes,
    dense,
    smooth,
    density_in,
    density_out,
    from_ray,
    colour_in,
    colour_between,
    colour_out,
    colours,
    opacities,
    depths,
):
    """Writes colours [R, 3], opacities [R] and depths [R], the sums of weight times place.

    points [P, 3], spreads, places, lengths [P], offsets [R + 1]: as in `marching.Samples`.  table, scales to
    dense: as in `grid_kernels.encode`.  smooth: whether levels fade with the footprint.
    density_in [L F, W] and density_out [1 + C, W]: the density's network, the first layer transposed.
    from_ray [R, W]: what the colour's first layer makes of direction and appearance.  colour_in [C, W],
    colour_between [W, W]: its first layers, transposed; colour_out [3, W].  All float32.
    """
    inputs, width = density_in.shape
    codes = density_out.shape[0]
    count = offsets.shape[0] - 1
    for number in prange(count):
        r = _spread(np.int64(number), count)
        feature = np.empty(inputs, np.float32)
        hidden = np.empty(width, np.float32)
        second = np.empty(width, np.float32)
        code = np.empty(codes, np.float32)
        remaining = _ONE
        red = green = blue = depth = _ZERO
        for s in range(offsets[r], offsets[r + 1]):
            density = _density(
                points[s], spreads[s], table, scales, sides, starts, sizes, dense, smooth,
                density_in, density_out, feature, hidden,
            )  # fmt: skip
            passed = np.float32(math.exp(-density * lengths[s]))
            weight = remaining * (_ONE - passed)
            depth += weight * places[s]
            if weight > _UNSEEN:
                for c in range(1, codes):
                    total = _ZERO
                    for j in range(width):
                        total += density_out[c, j] * hidden[j]
                    code[c] = total
                for j in range(width):
                    hidden[j] = from_ray[r, j]
                for c in range(1, codes):
                    value = code[c]
                    for j in range(width):
                        hidden[j] += value * colour_in[c - 1, j]
                second[:] = _ZERO
                for i in range(width):
                    value = max(hidden[i], _ZERO)
                    for j in range(width):
                        second[j] += value * colour_between[i, j]
                raw0 = raw1 = raw2 = _ZERO
                for j in range(width):
                    value = max(second[j], _ZERO)
                    raw0 += colour_out[0, j] * value
                    raw1 += colour_out[1, j] * value
                    raw2 += colour_out[2, j] * value
                red += weight / (_ONE + np.float32(math.exp(-raw0)))
                green += weight / (_ONE + np.float32(math.exp(-raw1)))
                blue += weight / (_ONE + np.float32(math.exp(-raw2)))
            remaining *= passed
            if remaining < _SPENT:
                break
        colours[r, 0], colours[r, 1], colours[r, 2] = red, green, blue
        opacities[r] = _ONE - remaining
        depths[r] = depth
