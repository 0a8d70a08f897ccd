"""Pictures of running jobs and small pictures of files in the panel: icons that belong to no blend file, so
that they are never saved.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import axes

_shown: Any = None
"""Blender's collection of icons; made at the first picture"""


def show(name: str, picture: NDArray[np.uint8]) -> None:
    """Shows u8 [H, W, 4], row 0 top, under that name from now on."""
    shown = _collection()
    icon = shown[name] if name in shown else shown.new(name)
    height, width = picture.shape[:2]
    # An icon is square; what is not the picture's stays transparent.
    side = max(height, width)
    square = np.zeros((side, side, 4), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    icon.image_size = (side, side)
    icon.image_pixels_float.foreach_set(axes.pixels_from_top_rows(square))


def icon_of_file(path: Path) -> int:
    """Number of the icon of a picture file, 0 when there is none; Blender reads it in the background."""
    name = str(path)
    if not path.is_file():
        return 0
    if name not in _collection():
        _collection().load(name, name, "IMAGE")
    return icon_of(name)


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


def _collection() -> Any:
    import bpy.utils.previews

    global _shown
    if _shown is None:
        _shown = bpy.utils.previews.new()
    return _shown
