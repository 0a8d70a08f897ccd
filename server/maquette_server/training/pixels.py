"""Pixels of pictures to learn from: kept as bytes, drawn at random, made into rays when they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Drawn:
    """R pixels."""

    rays: Rays
    colours: Tensor  # [R, 3], premultiplied
    opacities: Tensor  # [R], 1 where the pictures have no alpha
    pictures: Tensor  # [R], their numbers
    weights: Tensor  # [R], what each counts for


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
        self._known, self._first, self._counts = _known(pictures, device)
        self._weights = torch.tensor([float(picture.weight) for picture in pictures], device=device)
        drawn = _drawn(self._counts)
        self._evenly = (self._weights > 0) * drawn
        self._chance = self._weights * drawn
        if not float(self._chance.sum()) > 0:
            raise ValueError("no picture has a pixel to learn from")
        self.device = torch.device(device)

    def __len__(self) -> int:
        return int(self._counts.sum())

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
        values = self._bytes[self._starts[picture] + pixel].float() / 255
        opacities = values[:, 3]
        return Drawn(
            self.cameras.rays(picture, pixel),
            values[:, :3] * opacities[:, None],
            opacities,
            picture,
            self._weights[picture] if evenly else torch.ones_like(opacities),
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


def _known(pictures: Sequence[Picture], device: torch.device | str) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of the known pixels of all pictures with a mask; where each picture's begin there, -1 without a
    mask; how many pixels of each are known.
    """
    first, counts = [], []
    held = 0
    for picture in pictures:
        known = picture.known
        first.append(-1 if known is None else held)
        counts.append(picture.pixels[..., 0].size if known is None else int(np.count_nonzero(known)))
        held += 0 if known is None else counts[-1]
    numbers = torch.empty(held, dtype=torch.int32, device=device)
    for picture, start, count in zip(pictures, first, counts, strict=True):
        if picture.known is not None:
            numbers[start : start + count] = torch.from_numpy(np.flatnonzero(picture.known))
    return numbers, torch.tensor(first, device=device), torch.tensor(counts, device=device)
