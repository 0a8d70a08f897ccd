"""The depths of a frame (`depth_file_path` of transforms.json) as numbers, in units of the data set.

A 16-bit PNG holds thousandths of a unit, 0 where nothing is known, as nerfstudio has it. An OpenEXR file
holds units, infinite where nothing is. Both are along the viewing axis.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..cameras.lens import Lens
from ..media import exr
from .base import Frame

PNG_UNIT = np.float32(1e-3)
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, MemoryError)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_HINT = "Give a 16-bit grey PNG in thousandths of a unit or an OpenEXR file, or take depth_file_path out."


def load(frame: Frame) -> NDArray[np.float32] | None:
    """[H, W], row 0 at the top; None if the frame has none. Raises UserError `dataset.picture` for what is
    missing, damaged, too large, of another kind or shape, or behind the camera; `image.bad` for an OpenEXR
    file that cannot be read.
    """
    if frame.depth is None:
        return None
    name = f"The depth of {frame.name!r}"
    found = _read(frame.depth, name)
    for what in (shape_fault(found.shape, frame.lens), fault(found, frame.lens)):
        if what:
            raise UserError(
                "dataset.picture", f"{name} {what}.", hint="Make it again, or take depth_file_path out."
            )
    return found


def shape_fault(shape: Sequence[int], lens: Lens) -> str:
    """What is wrong with depths [H, W] for a picture through the lens; empty if nothing is. They may be
    coarser or finer than the picture.
    """
    rows, columns = shape
    width, height = lens.width, lens.height
    if abs(columns * height - rows * width) <= max(rows, columns, width, height):  # one pixel of rounding
        return ""
    return f"has {columns} x {rows} pixels, which is not the shape of a {width} x {height} picture"


def fault(depths: NDArray[np.float32], lens: Lens) -> str:
    """What is wrong with the numbers; empty if nothing is."""
    if np.isnan(depths).any():
        return "holds what is no number"
    if (depths == -np.inf).any() or (lens.model != "fisheye" and (depths < 0).any()):
        return "holds what lies behind the camera"
    return ""


def _read(path: Path, name: str) -> NDArray[np.float32]:
    if not path.is_file():
        raise UserError(
            "dataset.picture",
            f"{name} is missing.",
            hint=f"Put the file at {str(path)!r}, or take depth_file_path out.",
        )
    if path.suffix.lower() == ".exr":
        return exr.load(path)
    try:
        with Image.open(path, formats=("PNG",)) as image:
            if image.width * image.height > exr.MAX_PIXELS:
                raise _bad(name, "has too many pixels")
            if not image.mode.startswith("I"):
                raise _bad(name, "is no grey picture of 16 bits")
            return np.asarray(image).astype(np.float32) * PNG_UNIT
    except _BOMB as error:
        raise _bad(name, "has too many pixels") from error
    except UnidentifiedImageError as error:
        raise _bad(name, "is neither a PNG nor an OpenEXR file") from error
    except _DAMAGED as error:
        raise _bad(name, "is damaged or cut short") from error


def _bad(name: str, what: str) -> UserError:
    return UserError("dataset.picture", f"{name} {what}.", hint=_HINT)
