"""What rays see of a grid field on a CPU, compiled (numba): lookup, both networks and compositing, one ray
after the other; for a bounded field the samples are found on the way.

A ray ends where nothing is left of its light, and samples that add next to nothing share a colour: most cost
a lookup and a small network, or nothing. torch computes all of everything for all.
"""

import math

import numpy as np
from numba import prange

from ..fields import density_kernels
from ..fields.compiling import inlined, kernel
from . import march_kernels

_HALF = np.float32(0.5)
_ONE = np.float32(1.0)
_ZERO = np.float32(0.0)
_SPENT = np.float32(1e-3)  # of a ray's light: where less is left, the ray ends
_FAINT = np.float32(1 / 256)  # of a ray's light: what adds up to less has the colour of what comes next


@inlined
def _spread(number, count):  # type: ignore[no-untyped-def]
    """A permutation of 0..count - 1 that takes every 16th in turn: threads get runs of numbers, and pictures
    have much in one place and nothing in another.
    """
    short = count // 16
    if number >= short * 16:
        return number
    return number // short + 16 * (number % short)


@inlined
def _colour(r, hidden, layers, code, second):  # type: ignore[no-untyped-def]
    """Red, green and blue of a point, from the density's hidden layer [W], which is lost.

    layers: what the colour's first layer makes of each ray's direction and appearance [R, W]; the density's
    last layer [W, C], the colour's first [C, W] and second [W, W], transposed; its last [3, W].  code [C] and
    second [W]: scratch.
    """
    from_ray, leave, entry, between, out = layers
    width = between.shape[0]
    code[:] = _ZERO
    density_kernels.add_product(hidden, leave, code)
    hidden[:] = from_ray[r]
    density_kernels.add_product(code, entry, hidden)
    for j in range(width):
        hidden[j] = max(hidden[j], _ZERO)
    second[:] = _ZERO
    density_kernels.add_product(hidden, between, second)
    raw0 = raw1 = raw2 = _ZERO
    for j in range(width):
        value = max(second[j], _ZERO)
        raw0 += out[0, j] * value
        raw1 += out[1, j] * value
        raw2 += out[2, j] * value
    return (
        _ONE / (_ONE + np.float32(math.exp(-raw0))),
        _ONE / (_ONE + np.float32(math.exp(-raw1))),
        _ONE / (_ONE + np.float32(math.exp(-raw2))),
    )


@inlined
def _shine(light, density, length, place, r, hidden, layers, code, second):  # type: ignore[no-untyped-def]
    """What a sample adds to a ray. hidden: the density's, which may be lost.

    light: what is left of the ray's light; the weight that waits for a colour; the sum of weight times place;
    red, green and blue, and the newest colour.
    """
    passed = np.float32(math.exp(-density * length))
    weight = light[0] * (_ONE - passed)
    light[0] *= passed
    light[1] += weight
    light[2] += weight * place
    if light[1] > _FAINT:
        light[6], light[7], light[8] = _colour(r, hidden, layers, code, second)
        for c in range(3):
            light[3 + c] += light[1] * light[6 + c]
        light[1] = _ZERO


@inlined
def _end(light, r, colours, opacities, depths):  # type: ignore[no-untyped-def]
    for c in range(3):
        colours[r, c] = light[3 + c] + light[1] * light[6 + c]
    opacities[r] = _ONE - light[0]
    depths[r] = light[2]


@kernel
def look(  # type: ignore[no-untyped-def]
    points, spreads, places, lengths, offsets, field, layers, colours, opacities, depths
):
    """Writes colours [R, 3], opacities [R] and depths [R], the sums of weight times place.

    points [P, 3], spreads, places, lengths [P], offsets [R + 1]: as in `marching.Samples`.  field:
    `GridField.arrays`.  layers: see `_colour`.  All float32.
    """
    inputs, width = field[7].shape
    codes = layers[1].shape[1]
    count = offsets.shape[0] - 1
    for number in prange(count):
        r = _spread(np.int64(number), count)
        feature, code = np.empty(inputs, np.float32), np.empty(codes, np.float32)
        hidden, second = np.empty(width, np.float32), np.empty(width, np.float32)
        light = np.zeros(9, np.float32)
        light[0] = _ONE
        for s in range(offsets[r], offsets[r + 1]):
            x, y, z = points[s, 0], points[s, 1], points[s, 2]
            density = density_kernels.density(x, y, z, spreads[s], field, feature, hidden)
            _shine(light, density, lengths[s], places[s], r, hidden, layers, code, second)
            if light[0] < _SPENT:
                break
        _end(light, r, colours, opacities, depths)


@kernel
def walk(  # type: ignore[no-untyped-def]
    origins, directions, radii, near, far, occupied, full, step, most,
    field, layers, colours, opacities, depths,
):  # fmt: skip
    """`look` at the samples that `march_kernels.fill` would give with shifts of half a step."""
    inputs, width = field[7].shape
    codes = layers[1].shape[1]
    count = origins.shape[0]
    for number in prange(count):
        r = _spread(np.int64(number), count)
        light = np.zeros(9, np.float32)
        light[0] = _ONE
        if near[r] < far[r]:
            feature, code = np.empty(inputs, np.float32), np.empty(codes, np.float32)
            hidden, second = np.empty(width, np.float32), np.empty(width, np.float32)
            between = march_kernels.apart(directions, r, step)
            place = near[r] / between + _HALF
            last = far[r] / between
            taken = 0
            while place < last and taken < most and light[0] >= _SPENT:
                t = place * between
                x, y, z = march_kernels.point(origins, directions, r, t)
                passed = march_kernels.empty(x, y, z, t, origins, directions, r, occupied, full, between)
                if passed == 0:
                    passed = 1
                    x, y, z = march_kernels.within(x), march_kernels.within(y), march_kernels.within(z)
                    spread = _HALF * radii[r] * t * _HALF
                    density = density_kernels.density(x, y, z, spread, field, feature, hidden)
                    _shine(light, density, step, t, r, hidden, layers, code, second)
                place += np.float32(passed)
                taken += passed
        _end(light, r, colours, opacities, depths)
