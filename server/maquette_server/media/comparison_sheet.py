"""Truth beside render beside error, one row a view: the picture that says where a field is wrong.

The error is the mean absolute difference of the three channels, 0..1, in turbo's colours from 0 (almost
black) to a stated scale (dark red, and all above).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from . import depth_picture
from .contact_sheet import over

SCALE = 0.2  # the error that is as red as it gets
_GAP = 8  # pixels between pictures and round them
_NARROWEST = 140  # pixels of a column, for the words above it
_LINE = 18  # pixels of a line of text
_INK = (40, 40, 40)
_PAPER = (255, 255, 255)
_ROWS = 200


def sheet(
    truths: Sequence[NDArray[np.uint8]],
    renders: Sequence[NDArray[np.uint8]],
    *,
    names: Sequence[str] = (),
    scale: float = SCALE,
    side: int = 400,
    background: tuple[int, int, int] = _PAPER,
) -> NDArray[np.uint8]:
    """The sheet, u8 [H, W, 3]: a heading with the scale of the error, then rows truth | render | error.

    truths, renders: u8 [H, W, 3 or 4] (straight alpha, laid over `background`), those of a row of one size.
    names: what stands before the PSNR under a row, by default its number. scale: the error, 0..1, at the end
    of the colours. side: longest side of a picture on the sheet; larger ones are made smaller, the PSNR and
    the error are those of the pictures as given. Raises ValueError for no rows, more than 200, or pictures
    that do not go together.
    """
    if not 1 <= len(truths) == len(renders) <= _ROWS or len(names) not in (0, len(truths)):
        raise ValueError(f"a sheet has 1 to {_ROWS} rows of two, not {len(truths)} and {len(renders)}")
    if not 0 < scale <= 1 or side < 1:
        raise ValueError(f"there is no sheet of scale {scale} and side {side}")
    rows: list[tuple[list[Image.Image], str]] = []
    for number, (truth, render) in enumerate(zip(truths, renders, strict=True)):
        if not truth.shape[:2] == render.shape[:2] or not truth.dtype == render.dtype == np.uint8:
            raise ValueError(
                f"row {number} has {truth.dtype} {truth.shape} and {render.dtype} {render.shape}"
            )
        one, other = over(truth, background), over(render, background)
        label = names[number] if names else str(number)
        shown = [_fitted(picture, side) for picture in (one, other, error_picture(one, other, scale))]
        rows.append((shown, f"{label}   {_decibel(one, other)}"))
    column = max(_NARROWEST, *(pictures[0].width for pictures, _ in rows))
    heights = [pictures[0].height + _LINE + _GAP for pictures, _ in rows]
    size = 3 * (column + _GAP) + _GAP, 2 * _LINE + 2 * _GAP + sum(heights)
    page = Image.new("RGB", size, _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default()
    lefts = [_GAP + number * (column + _GAP) for number in range(3)]
    for left, word in zip(lefts, ("truth", "render", f"error, 0 to {scale:g} of 1"), strict=True):
        draw.text((left, _GAP), word, fill=_INK, font=font)
    bar = depth_picture.turbo(np.broadcast_to(np.linspace(0, 1, column), (_LINE // 2, column)))
    page.paste(Image.fromarray(bar), (lefts[2], _GAP + _LINE))
    top = 2 * _LINE + _GAP
    for (pictures, words), height in zip(rows, heights, strict=True):
        for left, picture in zip(lefts, pictures, strict=True):
            page.paste(picture, (left, top))
        draw.text((lefts[0], top + pictures[0].height + 2), words, fill=_INK, font=font)
        top += height
    return np.array(page)


def error_picture(
    truth: NDArray[np.uint8], render: NDArray[np.uint8], scale: float = SCALE
) -> NDArray[np.uint8]:
    """Mean absolute difference of two pictures u8 [H, W, 3] in colours, u8 [H, W, 3]; 0..`scale` is shown."""
    difference = np.abs(truth.astype(np.float64) - render).mean(2) / 255
    return depth_picture.turbo(difference / scale)


def _decibel(truth: NDArray[np.uint8], render: NDArray[np.uint8]) -> str:
    mean = float(np.mean((truth.astype(np.float64) - render) ** 2)) / 255**2
    return f"{-10 * math.log10(mean):.2f} dB" if mean > 0 else "equal"


def _fitted(picture: NDArray[np.uint8], side: int) -> Image.Image:
    """Not larger than the side; averaged, never enlarged."""
    image = Image.fromarray(picture)
    share = side / max(image.size)
    if share >= 1:
        return image
    size = max(1, round(image.width * share)), max(1, round(image.height * share))
    return image.resize(size, Image.Resampling.BOX)
