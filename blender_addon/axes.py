"""Between Blender's conventions and the wire's: axes, pixel rows, colours. Pure numpy.

Nothing is rotated: positions and matrices travel in Blender's own axes, with `UP` and a front beside them.
Blender's pixels begin at the bottom row, the wire's at the top. Blender's colours are linear, the wire's
sRGB-coded in 0..1.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = tuple[float, float, float]
Row = tuple[float, float, float, float]

UP: Vector = (0.0, 0.0, 1.0)
FRONTS: dict[str, Vector] = {
    "-Y": (0.0, -1.0, 0.0),
    "Y": (0.0, 1.0, 0.0),
    "-X": (-1.0, 0.0, 0.0),
    "X": (1.0, 0.0, 0.0),
}
"""Where the front of the object looks, in world axes, by the name in the menu."""


def matrix_rows(matrix: Any) -> tuple[Row, Row, Row, Row]:
    """A 4x4 matrix (Blender's or numpy's) as row-major nested tuples of floats."""
    array = np.array(matrix, dtype=np.float64).reshape(4, 4)
    first, second, third, fourth = (tuple(float(value) for value in row) for row in array)
    return first, second, third, fourth  # type: ignore[return-value]


def top_rows_from_pixels(
    pixels: NDArray[np.float32], width: int, height: int, begin: int = 0, end: int | None = None
) -> NDArray[np.uint8]:
    """Blender's flat float pixels [H * W * 4], bottom row first, as u8 [H, W, 4], top row first, rounded;
    of these the rows from `begin` to before `end`.
    """
    rows = pixels.reshape(height, width, 4)[::-1][begin:end]
    return np.clip(rows * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)


def pixels_from_top_rows(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """u8 [H, W, 4], top row first, as Blender's flat float pixels, bottom row first."""
    return (picture[::-1].astype(np.float32) / np.float32(255.0)).ravel()


def srgb_from_linear(linear: Any) -> Vector:
    """The first three of a linear colour, sRGB-coded and clipped to 0..1 (IEC 61966-2-1)."""
    values = np.clip(np.array(tuple(linear)[:3], dtype=np.float64), 0.0, 1.0)
    coded = np.where(values <= 0.0031308, 12.92 * values, 1.055 * values ** (1 / 2.4) - 0.055)
    return float(coded[0]), float(coded[1]), float(coded[2])
