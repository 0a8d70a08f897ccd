"""What a field learns from, and how long: the pictures of a data set in memory, their pixels, steps or
seconds.
"""

import time
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


class Budget:
    """How long to go on: steps, or seconds of optimisation (those before a pause included)."""

    def __init__(self, steps: int | None, seconds: float | None, spent: float = 0.0) -> None:
        self._steps, self._seconds, self.spent = steps, seconds, spent
        self._began: float | None = None

    def so_far(self) -> float:
        """Seconds that count until now."""
        return self.spent + (time.monotonic() - self._began if self._began is not None else 0.0)

    def begin(self) -> None:
        """Time counts from here."""
        self._began = time.monotonic()

    def hold(self) -> None:
        """Time does not count until `begin`."""
        self.spent, self._began = self.so_far(), None

    def share(self, step: int) -> float:
        """How much of it is over, 0..1."""
        if self._steps is not None:
            return min(1.0, step / self._steps)
        assert self._seconds is not None
        return min(1.0, self.so_far() / self._seconds)

    def total(self, step: int) -> int:
        """How many steps there will be in all, as far as one can say after `step` of them."""
        if self._steps is not None:
            return self._steps
        share = self.share(step)
        if share >= 1:
            return step
        return max(step + 1, round(step / share) if share > 0 else step + 1)


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
