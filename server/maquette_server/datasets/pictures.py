"""The pictures of a frame as numbers: 8 bits a channel, sRGB, row 0 at the top, exactly the stored pixels.

An orientation tag (EXIF) is not followed where the stored pixels fit the camera: COLMAP and its like solve
poses and intrinsics for those, so one turned upright would no longer fit. Where only the upright picture
has the shape of its camera, its camera was solved for that one, and the tag is followed.
"""

from pathlib import Path

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from ..media.png import MAX_PIXELS
from .base import PICTURE_KINDS, Frame

# orientation tags that exchange the sides: quarter turns to the left, and whether left and right change then
_QUARTER_TURNS = {5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
_DAMAGED = (OSError, ValueError, SyntaxError, EOFError, MemoryError)
_BOMB = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def load(frame: Frame) -> NDArray[np.uint8]:
    """The picture of a frame, u8 [H, W, 3], or [H, W, 4] (straight alpha) when it has transparency.

    Grey and palettes become colour, 16 bits are rounded to 8. H x W is what the lens says, or a whole
    multiple or fraction of it in both directions (`frame.lens.resized(W, H)` is its lens then).
    Raises UserError `dataset.picture` for what is missing, damaged, too large or of another size.
    """
    picture = _read(frame.image, frame.name)
    found = (picture.shape[1], picture.shape[0])
    said = (frame.lens.width, frame.lens.height)
    if not _multiple(found, said):
        turned = _multiple(found[::-1], said)
        if turned and (upright := _upright(frame.image, picture)) is not None:
            return upright
        raise _bad(
            f"{frame.name!r} is {found[0]} x {found[1]} pixels, but its camera says {said[0]} x {said[1]}.",
            "The picture was turned after its camera was solved; turn it back."
            if turned
            else "Use the pictures that the cameras were solved for, or such reduced by a whole number.",
        )
    return picture


def load_mask(frame: Frame, factor: int = 1) -> NDArray[np.bool_] | None:
    """The mask of a frame, bool [H, W], False where pixels are ignored; None if the frame has none.

    What is darker than half the mask's brightest pixel is ignored, so 0/1 masks, 0/255 masks and masks with
    JPEG noise all work. A mask of another size than the lens but the same shape is resized, nearest pixel.
    factor: as of `reducing.reduced`, which mixes pixels: one is known where all those in it are.
    Raises UserError `dataset.picture`.
    """
    if frame.mask is None:
        return None
    name = f"The mask of {frame.name!r}"
    width, height = frame.lens.width, frame.lens.height
    values = _read(frame.mask, name)[..., :3].max(-1)
    rows, columns = values.shape
    if abs(columns * height - rows * width) > max(rows, columns, width, height):  # one pixel of rounding
        raise _bad(
            f"{name} is {columns} x {rows} pixels, which is not the shape of a {width} x {height} picture.",
            "Make the mask of the picture it belongs to.",
        )
    kept = values > values.max(initial=0) // 2
    down = ((np.arange(height) + 0.5) * rows / height).astype(np.intp)
    across = ((np.arange(width) + 0.5) * columns / width).astype(np.intp)
    kept = kept[down[:, None], across[None, :]]
    rows, columns = height // factor, width // factor
    blocks = kept[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    known: NDArray[np.bool_] = blocks.all((1, 3))
    return known


def _read(path: Path, name: str) -> NDArray[np.uint8]:
    title = name if "'" in name else repr(name)
    if not path.is_file():
        raise _bad(f"{title} is missing.", f"Put the file at {str(path)!r}, or leave the frame out.")
    try:
        with Image.open(path, formats=PICTURE_KINDS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise _too_large(title)
            low = _low_bytes(path, image)
            return _colour(image, low)
    except _BOMB as error:
        raise _too_large(title) from error
    except UnidentifiedImageError as error:
        raise _bad(
            f"{title} cannot be read: it is no PNG, JPEG or WebP file.", "Export the picture in one of these."
        ) from error
    except _DAMAGED as error:
        reason = "it is cut short" if "truncated" in str(error) else "it is damaged"
        raise _bad(f"{title} cannot be read: {reason}.", "Copy or export the picture again.") from error


def _colour(image: Image.Image, low: NDArray[np.uint8] | None) -> NDArray[np.uint8]:
    if image.mode.startswith("I") or image.mode == "F":  # 16-bit grey; Pillow would clip it at 255
        grey = _rounded(np.asarray(image).astype(np.float64))
        return np.repeat(grey[..., None], 3, -1)
    if low is not None:
        return _rounded(np.asarray(image).astype(np.float64) * 256 + low)
    transparent = "A" in image.getbands() or "transparency" in image.info
    return np.array(image.convert("RGBA" if transparent else "RGB"))


def _rounded(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """16 bits as 8: 65535 = 255 * 257."""
    return (values / 257.0 + 0.5).clip(0, 255).astype(np.uint8)


def _low_bytes(path: Path, image: Image.Image) -> NDArray[np.uint8] | None:
    """The lower bytes of a 16-bit colour PNG, of which Pillow keeps the upper ones; None for other pictures.

    Told that the file is little-endian, Pillow keeps the other byte of each pair. Grey with alpha has no such
    reading; there the upper byte is all there is, at most one level from the rounded value.
    """
    layout = image.tile[0].args if image.format == "PNG" and image.tile else ""
    if layout not in ("RGB;16B", "RGBA;16B") or "transparency" in image.info:
        return None
    with Image.open(path, formats=PICTURE_KINDS) as again:
        again.tile = [tile._replace(args=str(layout).replace("16B", "16L")) for tile in again.tile]
        return np.array(again)


def _upright(path: Path, picture: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The picture as its orientation tag shows it, if that exchanges its sides."""
    with Image.open(path, formats=PICTURE_KINDS) as image:
        turns = _QUARTER_TURNS.get(image.getexif().get(ExifTags.Base.Orientation, 1))
    if turns is None:
        return None
    quarters, mirrored = turns
    turned = np.rot90(picture, quarters)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned)


def _multiple(found: tuple[int, int], said: tuple[int, int]) -> bool:
    """Whether one of two sizes is the other times a whole number, the same both ways."""
    large, small = max(found, said), min(found, said)
    factor = large[0] // small[0]
    return large == (factor * small[0], factor * small[1])


def _too_large(title: str) -> UserError:
    return _bad(
        f"{title} has more than {MAX_PIXELS // 1_000_000} million pixels.",
        "Reduce it to 8192 x 8192 or less.",
    )


def _bad(sentence: str, hint: str) -> UserError:
    return UserError("dataset.picture", sentence, hint=hint)
