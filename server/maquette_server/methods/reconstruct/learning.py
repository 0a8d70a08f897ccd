"""What a field learns from: the pictures of a data set in memory, and their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ...cameras.lens import Lens
from ...datasets import doubts, reducing
from ...datasets import pictures as loading
from ...datasets.base import DataSet, Frame
from ...rendering.posed import Posed
from ...training import pixels
from .. import base, scene_input
from . import space as spaces

LOADING = base.Step(0, 0, "load")
MOST_BYTES = 16 << 30  # of pictures in memory, with all that is made of them to learn from
# bytes: of a pixel to draw, of one that a mask leaves, of one of a distorted lens
_PIXEL, _NUMBER, _DIRECTION = 4, 4, 12
Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Capture:
    """A data set with its training pictures in memory; frames have the lens of the picture as it is."""

    dataset: DataSet
    frames: tuple[Frame, ...]
    pictures: tuple[Picture, ...]
    known: tuple[NDArray[np.bool_] | None, ...]


def capture(dataset: DataSet, reduce: int) -> base.Part[Capture]:
    """Loads the training pictures. Raises UserError `dataset.*`."""
    training = dataset.of("train")
    if not training:
        raise UserError(
            "dataset.bad", "The data set has no picture to learn from.", hint="Put some into the train split."
        )
    frames, pictures, known = [], [], []
    tables: set[Lens] = set()
    held = 0
    for frame in training:
        yield LOADING
        picture = loading.load(frame)
        frame = scene_input.loaded(frame, (picture.shape[1], picture.shape[0]))
        picture = reducing.reduced(picture, reduce)
        mask = loading.load_mask(frame, reduce)
        frame = replace(frame, lens=frame.lens.divided(reduce))
        held += _held(picture, mask, frame.lens.distorted and frame.lens not in tables)
        tables.add(frame.lens)
        if held > MOST_BYTES:
            raise UserError(
                "dataset.bad",
                f"The pictures of the data set take more than {MOST_BYTES >> 30} GiB of memory.",
                hint="Reduce them with --reduce 2 or more.",
            )
        frames.append(frame)
        pictures.append(picture)
        known.append(mask)
    return Capture(dataset, tuple(frames), tuple(pictures), tuple(known))


def _held(picture: Picture, mask: NDArray[np.bool_] | None, table: bool) -> int:
    """Bytes of a picture in memory, its mask and its share of `Pixels` included.

    table: whether the rays of its lens are kept, and those of no picture before it.
    """
    area = picture.shape[0] * picture.shape[1]
    held = picture.nbytes + area * (_PIXEL + _DIRECTION * table)
    return held if mask is None else held + mask.nbytes + _NUMBER * int(mask.sum())


def doubts_of(captured: Capture) -> list[str]:
    """Sentences on why the scene will be poor."""
    each = zip(captured.pictures, captured.known, strict=True)
    return doubts.of(captured.frames, [doubts.edge(picture, known is not None) for picture, known in each])


def pixels_of(
    captured: Capture, space: spaces.Space, device: torch.device, *, by_area: bool = True
) -> pixels.Pixels:
    """The known pixels of the training pictures. by_area: those of halved pictures count four times as much
    for each time, as mip-NeRF has it.
    """
    found: Sequence[pixels.Picture] = [
        pixels.Picture(
            Posed(frame.world_from_camera, frame.lens),
            picture,
            known,
            frame.loss_weight / (1 if by_area else 4**frame.level),
        )
        for frame, picture, known in zip(captured.frames, captured.pictures, captured.known, strict=True)
    ]
    try:
        return pixels.Pixels(found, space.domain, space.near, space.far, device)
    except ValueError as error:
        raise UserError(
            "dataset.bad",
            "Nothing is left to learn from: the masks leave out every pixel.",
            hint="Mend them.",
        ) from error
