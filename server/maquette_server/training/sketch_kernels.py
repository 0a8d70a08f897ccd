"""`sketch_shape.SketchShape.loss` and its gradient on a CPU (numba), in one pass over the points."""

import math

import numpy as np
from numba import prange

from ..fields.compiling import kernel

_ONE = np.float32(1)
_HALF = np.float32(0.5)


@kernel
def terms(points, densities, volume, softness, reach, likely, unlikely, found, slopes):  # type: ignore[no-untyped-def]
    """Writes each point's term into found [P] and its derivative by the density into slopes [P].

    points: [P, 3], unit cube.  volume: [N, N, N, 3], distance, strength and lock at the middles of cells;
    beyond the outermost middles it goes on as there.  likely, unlikely: the logarithms of c(1) and c(0).
    """
    side = volume.shape[0]
    last = np.float32(side - 1)
    for p in prange(points.shape[0]):
        x = min(max(points[p, 0] * side - _HALF, np.float32(0)), last)
        y = min(max(points[p, 1] * side - _HALF, np.float32(0)), last)
        z = min(max(points[p, 2] * side - _HALF, np.float32(0)), last)
        i, j, k = min(int(x), side - 2), min(int(y), side - 2), min(int(z), side - 2)
        along_x, along_y, along_z = x - np.float32(i), y - np.float32(j), z - np.float32(k)
        signed = strength = lock = np.float32(0)
        for corner in range(4):
            up, across = corner >> 1, corner & 1
            share = (along_x if up else _ONE - along_x) * (along_y if across else _ONE - along_y)
            near = volume[i + up, j + across, k]
            far = volume[i + up, j + across, k + 1]
            signed += share * (near[0] + along_z * (far[0] - near[0]))
            strength += share * (near[1] + along_z * (far[1] - near[1]))
            lock += share * (near[2] + along_z * (far[2] - near[2]))
        weight = strength
        if softness > 0 and lock <= _HALF:
            weight *= -math.expm1(-signed * signed / (np.float32(2) * softness * softness))
        free = math.exp(-reach * densities[p])
        given, other = (likely, unlikely) if signed < 0 else (unlikely, likely)
        found[p] = -weight * ((_ONE - free) * given + free * other)
        slopes[p] = weight * reach * free * (other - given)
