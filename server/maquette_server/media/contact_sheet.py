"""Several pictures of one size side by side: what preview.png is."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LIGHT_GREY = (235, 235, 235)


def grid(
    pictures: Sequence[NDArray[np.uint8]], *, columns: int = 4, background: tuple[int, int, int] = LIGHT_GREY
) -> NDArray[np.uint8]:
    """u8 [rows H, columns W, 3]: the pictures row by row, over a plain colour.

    pictures: u8 [H, W, 3 or 4] each, straight alpha, all of one height and width. Unused places show the
    background.
    """
    if not pictures:
        raise ValueError("a contact sheet needs a picture")
    height, width = pictures[0].shape[:2]
    columns = min(columns, len(pictures))
    rows = -(-len(pictures) // columns)
    sheet = np.empty((rows * height, columns * width, 3), np.uint8)
    sheet[:] = background
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        place = sheet[row * height : (row + 1) * height, column * width : (column + 1) * width]
        place[:] = over(picture, background)
    return sheet


def over(picture: NDArray[np.uint8], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """A picture [H, W, 3 or 4] over a plain colour, [H, W, 3]."""
    if picture.shape[2] == 3:
        return picture
    share = picture[..., 3:].astype(np.float32) / 255
    mixed = picture[..., :3] * share + np.asarray(background, np.float32) * (1 - share)
    return (mixed + 0.5).astype(np.uint8)
