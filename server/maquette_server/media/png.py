"""Pictures as bytes: PNG out, PNG and JPEG in, 8 bits a channel, sRGB, row 0 at the top."""

import io

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 8192 * 8192
_FORMATS = ("PNG", "JPEG")


def write(picture: NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG file. picture: u8 [H, W, 3 or 4] (straight alpha) or [H, W] grey. Equal pictures,
    equal bytes.
    """
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,), (4,)):
        raise ValueError(
            f"a picture is u8 [H, W], [H, W, 3] or [H, W, 4], not {picture.dtype} {picture.shape}"
        )
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "PNG", compress_level=6)
    return file.getvalue()


def read(data: bytes, *, code: str = "texture.bad", name: str = "The picture") -> NDArray[np.uint8]:
    """A PNG or JPEG file as u8 [H, W, 3], or [H, W, 4] (straight alpha) when it has transparency.

    Palettes and grey become colour, 16 bits are rounded to 8. A JPEG's orientation tag is not followed, since
    textures are indexed as stored. Raises UserError `code` for what is no picture, is damaged, or is larger
    than MAX_PIXELS.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(code, name)
            return _colour(image)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(code, name) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise UserError(
            code, f"{name} cannot be read as a PNG or JPEG file.", hint="Save it again as PNG."
        ) from error


def _colour(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I") or image.mode == "F":
        # 16-bit grey: Pillow would clip it at 255.
        values = np.asarray(image).astype(np.float64) / 257.0
        grey = (values + 0.5).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, -1)
    transparent = image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info
    return np.array(image.convert("RGBA" if transparent else "RGB"))


def _too_large(code: str, name: str) -> UserError:
    return UserError(
        code,
        f"{name} has more than {MAX_PIXELS // 1_000_000} million pixels.",
        hint="Reduce it to 8192 x 8192 or less.",
    )
