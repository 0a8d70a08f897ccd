"""Pictures of running jobs in the panel: icons that belong to no file, so that they are never saved."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import axes

_shown: Any = None
"""Blender's collection of icons; made at the first picture"""


def show(name: str, picture: NDArray[np.uint8]) -> None:
    """Shows u8 [H, W, 4], row 0 top, under that name from now on."""
    import bpy.utils.previews

    global _shown
    if _shown is None:
        _shown = bpy.utils.previews.new()
    icon = _shown[name] if name in _shown else _shown.new(name)
    height, width = picture.shape[:2]
    # An icon is square; what is not the picture's stays transparent.
    side = max(height, width)
    square = np.zeros((side, side, 4), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    icon.image_size = (side, side)
    icon.image_pixels_float.foreach_set(axes.pixels_from_top_rows(square))


def icon_of(name: str) -> int:
    """Number of the icon, 0 when there is none."""
    return int(_shown[name].icon_id) if _shown is not None and name in _shown else 0


def clear() -> None:
    """Forgets all of them."""
    import bpy.utils.previews

    global _shown
    if _shown is not None:
        bpy.utils.previews.remove(_shown)
        _shown = None
