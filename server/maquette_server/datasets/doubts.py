"""What speaks against learning a data set as one still scene: it can be done, but will be poor."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from . import scale
from .base import Floats, Frame

CODE = "dataset.doubtful"
_SIDE = 32  # cells of a picture along a side; the outer ones are its edge
_FEWEST = 4  # pictures that can be compared
_FEW = 5  # pictures that show next to nothing of a place
_ALIKE = 6.0  # levels of 255: the spread over the pictures that noise and flickering light have


def edge(picture: NDArray[np.uint8], masked: bool = False) -> Floats | None:
    """Mean colours round the edge of a picture u8 [H, W, 3 or 4], [124, 3]; None where parts of the picture
    are left out by transparency or a mask.
    """
    if masked or (picture.shape[2] == 4 and picture[..., 3].min() < 255):
        return None
    cells = Image.fromarray(np.ascontiguousarray(picture[..., :3])).resize(
        (_SIDE, _SIDE), Image.Resampling.BOX
    )
    values = np.asarray(cells, np.float64)
    return np.concatenate([values[0], values[-1], values[1:-1, 0], values[1:-1, -1]])


def of(frames: Sequence[Frame], edges: Sequence[Floats | None]) -> list[str]:
    """Sentences about the frames that are learnt from, whose `edge`s these are."""
    found = []
    if len(frames) < _FEW:
        found.append(f"Only {len(frames)} pictures are learnt from; a scene needs some dozens.")
    times = {frame.time for frame in frames}
    if len(times) > 1:
        found.append(
            f"The pictures have {len(times)} different times; learnt as one still scene, whatever moved comes"
            " out blurred."
        )
    seen = [each for each in edges if each is not None]
    if len(seen) >= max(_FEWEST, len(edges)) and not scale.one_way(frames):
        spread = np.stack(seen).std(0).max(-1)
        if float(np.median(spread)) < _ALIKE:
            found.append(
                "The edges of the pictures are the same from all sides, so their background does not stand"
                " where the cameras say; leave it out with masks or transparency."
            )
    return found
