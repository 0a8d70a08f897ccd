"""The depths of a frame (`depth_file_path` of transforms.json) as numbers, in units of the data set.

A 16-bit PNG holds thousandths of a unit, 0 where nothing is known, as nerfstudio has it. An OpenEXR file
holds units, infinite where nothing is. Both are along the viewing axis.
"""

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..media import exr
from .base import Frame

PNG_UNIT = np.float32(1e-3)
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, MemoryError)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_HINT = "Give a 16-bit grey PNG in thousandths of a unit or an OpenEXR file, or take depth_file_path out."


def load(frame: Frame) -> NDArray[np.float32] | None:
    """[H, W], row 0 at the top; None if the frame has none. Raises UserError `dataset.picture` for what is
    missing, damaged, too large or of another kind, `image.bad` for such an OpenEXR file.
    """
    if frame.depth is None:
        return None
    name = f"The depth of {frame.name!r}"
    if not frame.depth.is_file():
        raise UserError(
            "dataset.picture",
            f"{name} is missing.",
            hint=f"Put the file at {str(frame.depth)!r}, or take depth_file_path out.",
        )
    if frame.depth.suffix.lower() == ".exr":
        return exr.load(frame.depth)
    try:
        with Image.open(frame.depth, formats=("PNG",)) as image:
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
