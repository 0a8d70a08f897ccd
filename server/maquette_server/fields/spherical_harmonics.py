"""Real spherical harmonics of unit directions up to degree 3: how colour may depend on where one looks from.

The 16 functions in the order and with the signs of tiny-cuda-nn's `SphericalHarmonics` of degree 4.
"""

import torch
from torch import Tensor

WIDTH = 16


def basis(directions: Tensor) -> Tensor:
    """[P, 16] of unit directions [P, 3]."""
    x, y, z = directions.unbind(-1)
    xx, yy, zz = x * x, y * y, z * z
    return torch.stack(
        [
            torch.full_like(x, 0.28209479),
            -0.48860251 * y,
            0.48860251 * z,
            -0.48860251 * x,
            1.09254843 * x * y,
            -1.09254843 * y * z,
            0.94617470 * zz - 0.31539157,
            -1.09254843 * x * z,
            0.54627422 * (xx - yy),
            0.59004359 * y * (yy - 3 * xx),
            2.89061144 * x * y * z,
            0.45704580 * y * (1 - 5 * zz),
            0.37317633 * z * (5 * zz - 3),
            0.45704580 * x * (1 - 5 * zz),
            1.44530572 * z * (xx - yy),
            0.59004359 * x * (3 * yy - xx),
        ],
        -1,
    )
