"""Pixels of pictures to learn from: kept as bytes, drawn at random, made into rays when they are drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..fields.domain import Domain
from ..rendering.posed import CameraRays, Posed
from ..rendering.rays import Rays

_LARGEST = 16  # usual pictures that one counts for at most


@dataclass(frozen=True)
class Picture:
    """What one camera saw."""

    camera: Posed
    pixels: NDArray[np.uint8]  # [H, W, 3 or 4], sRGB, alpha straight
    known: NDArray[np.bool_] | None = None  # [H, W], False where the picture is to be ignored
    weight: float = 1.0  # of each of its pixels in the loss
    matt: NDArray[np.bool_] | None = None  # [H, W], True where a colour is meant to be seen from every side


@dataclass(frozen=True)
class Drawn:
    """R pixels."""

    rays: Rays
    colours: Tensor  # [R, 3], premultiplied
    opacities: Tensor  # [R], 1 where the pictures have no alpha
    pictures: Tensor  # [R], their numbers
    weights: Tensor  # [R], what each counts for
    known: Tensor | None = None  # bool [R]; None: all are
    matt: Tensor | None = None  # bool [R]; None: none is


class Pixels:
    """All known pixels of some pictures.

    Raises ValueError when a picture has another size than its lens, or none has a known pixel.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        domain: Domain,
        near: float,
        far: float,
        device: torch.device | str = "cpu",
    ) -> None:
        for picture in pictures:
            lens = picture.camera.lens
            if picture.pixels.shape[:2] != (lens.height, lens.width):
                raise ValueError(f"a picture of {picture.pixels.shape} does not fit {lens}")
        self.cameras = CameraRays([picture.camera for picture in pictures], domain, near, far, device)
        sizes = [picture.pixels.shape[0] * picture.pixels.shape[1] for picture in pictures]
        starts = np.cumsum([0, *sizes[:-1]])
        self._starts = torch.tensor(starts, device=device)
        self._bytes = torch.empty(sum(sizes), 4, dtype=torch.uint8, device=device)
        for start, size, picture in zip(starts, sizes, pictures, strict=True):
            self._bytes[start : start + size] = torch.from_numpy(_four(picture.pixels).reshape(-1, 4))
        self.device = torch.device(device)
        self._matt: Tensor | None = None
        for start, size, picture in zip(starts, sizes, pictures, strict=True):
            self._put_matt(start, size, picture)
        self._sizes = sizes
        self._numbers = [self._known_of(picture) for picture in pictures]
        self._weights = torch.tensor([float(picture.weight) for picture in pictures], device=device)
        self._count()
        if not float(self._chance.sum()) > 0:
            raise ValueError("no picture has a pixel to learn from")

    def __len__(self) -> int:
        return int(self._counts.sum())

    def replace(self, changes: Mapping[int, Picture]) -> None:
        """Other pixels, masks, weights and matt places for some pictures by number; cameras and sizes stay.

        Raises ValueError for another size.
        """
        for number, picture in changes.items():
            size, start = self._sizes[number], int(self._starts[number])
            if picture.pixels.shape[0] * picture.pixels.shape[1] != size:
                raise ValueError(f"a picture of {picture.pixels.shape} has not {size} pixels")
            rows = torch.from_numpy(_four(picture.pixels).reshape(-1, 4))
            self._bytes[start : start + size] = rows.to(self.device)
            self._put_matt(start, size, picture)
            self._numbers[number] = self._known_of(picture)
            self._weights[number] = picture.weight
        self._count()

    def weigh(self, weights: Mapping[int, float]) -> None:
        """Other weights for some pictures by number; before the next draw one must be above 0."""
        for number, weight in weights.items():
            self._weights[number] = weight
        self._count()

    def _put_matt(self, start: int, size: int, picture: Picture) -> None:
        if picture.matt is not None and self._matt is None:
            self._matt = torch.zeros(len(self._bytes), dtype=torch.bool, device=self.device)
        if self._matt is not None:
            matt = np.zeros(size, np.bool_) if picture.matt is None else picture.matt.reshape(-1)
            self._matt[start : start + size] = torch.from_numpy(matt).to(self.device)

    def _known_of(self, picture: Picture) -> Tensor | None:
        """Numbers of the known pixels; None: all are."""
        if picture.known is None:
            return None
        return torch.from_numpy(np.flatnonzero(picture.known).astype(np.int32)).to(self.device)

    def _count(self) -> None:
        """Which pixels are known, and how often each picture is drawn."""
        self._known, self._first, self._counts = _together(self._numbers, self._sizes, self.device)
        self._masked = self._first >= 0
        drawn = _drawn(self._counts)
        self._evenly = (self._weights > 0) * drawn
        self._chance = self._weights * drawn

    def draw(self, count: int, generator: torch.Generator, *, evenly: bool = False) -> Drawn:
        """`count` pixels at random, with replacement: each as often as its weight says, and then all count
        alike; or evenly, and then each counts for its weight, as mip-NeRF has it (arXiv:2103.13415, sec. 4).
        """
        chance = self._evenly if evenly else self._chance
        picture = torch.multinomial(chance, count, replacement=True, generator=generator)
        share = torch.rand(count, generator=generator, device=self.device, dtype=torch.float64)
        pixel = (share * self._counts[picture]).long()
        if len(self._known):
            first = self._first[picture]
            masked = first >= 0
            pixel[masked] = self._known[first[masked] + pixel[masked]].long()
        return self._taken(picture, pixel, evenly)

    def draw_patches(self, count: int, side: int, generator: torch.Generator) -> Drawn:
        """`count` squares of side x side pixels, each of one picture, row by row: R = count side^2.

        A picture is drawn as often as in `draw`; `known` says what its mask leaves out. One that is smaller
        than a square repeats its last row or column.
        """
        picture = torch.multinomial(self._chance, count, replacement=True, generator=generator)
        widths = self.cameras.widths[picture]
        heights = self.cameras.sizes[picture] // widths
        across, down = (
            (
                torch.rand(count, generator=generator, device=self.device) * (room - side + 1).clamp(min=1)
            ).long()
            for room in (widths, heights)
        )
        steps = torch.arange(side, device=self.device)
        columns = torch.minimum(across[:, None, None] + steps, widths[:, None, None] - 1)
        rows = torch.minimum(down[:, None, None] + steps[:, None], heights[:, None, None] - 1)
        pixel = (rows * widths[:, None, None] + columns).flatten()
        picture = picture.repeat_interleave(side * side)
        return replace(self._taken(picture, pixel, evenly=False), known=self._is_known(picture, pixel))

    def _is_known(self, picture: Tensor, pixel: Tensor) -> Tensor | None:
        """Whether masks leave pixels [R] of pictures [R] in; None where none of them has a mask."""
        if not bool(self._masked[picture].any()):
            return None
        found = torch.ones_like(pixel, dtype=torch.bool)
        for number in picture.unique().tolist():
            first, count = int(self._first[number]), int(self._counts[number])
            if first >= 0:
                here = picture == number
                found[here] = torch.isin(pixel[here].int(), self._known[first : first + count])
        return found

    def _taken(self, picture: Tensor, pixel: Tensor, evenly: bool) -> Drawn:
        """The pixels of numbers [R] in pictures [R]."""
        place = self._starts[picture] + pixel
        values = self._bytes[place].float() / 255
        opacities = values[:, 3]
        return Drawn(
            self.cameras.rays(picture, pixel),
            values[:, :3] * opacities[:, None],
            opacities,
            picture,
            self._weights[picture] if evenly else torch.ones_like(opacities),
            matt=None if self._matt is None else self._matt[place],
        )


def _drawn(counts: Tensor) -> Tensor:
    """How often pictures are drawn: as often as they have pixels, but one that is much larger than most no
    oftener than 16 of them, lest all learn from it alone.
    """
    some = counts[counts > 0].float()
    return counts.float().clamp(max=_LARGEST * float(some.median())) if len(some) else counts.float()


def _four(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[2] == 4:
        return np.ascontiguousarray(pixels)
    return np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], -1)


def _together(
    numbers: Sequence[Tensor | None], sizes: Sequence[int], device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of the known pixels of all pictures with a mask; where each picture's begin there, -1 without a
    mask; how many pixels of each are known.
    """
    first, counts, given = [], [], []
    held = 0
    for known, size in zip(numbers, sizes, strict=True):
        first.append(-1 if known is None else held)
        counts.append(size if known is None else len(known))
        if known is not None:
            given.append(known)
            held += len(known)
    found = torch.cat(given) if given else torch.empty(0, dtype=torch.int32, device=device)
    return found, torch.tensor(first, device=device), torch.tensor(counts, device=device)
