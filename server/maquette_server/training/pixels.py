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
        rows = [torch.from_numpy(_four(picture.pixels).reshape(-1, 4)).to(device) for picture in pictures]
        self._bytes = torch.cat(rows)
        starts = np.cumsum([0] + [len(each) for each in rows[:-1]])
        self._starts = torch.tensor(starts, device=device)
        self._known, counts = _known(pictures, device)
        self._first = torch.tensor(np.cumsum([0, *counts[:-1]]), device=device)
        self._counts = torch.tensor(counts, device=device)
        self._weights = torch.tensor([float(picture.weight) for picture in pictures], device=device)
        self._chance = self._weights * self._counts
        if not float(self._chance.sum()) > 0:
            raise ValueError("no picture has a pixel to learn from")
        self.device = torch.device(device)

    def __len__(self) -> int:
        return int(self._counts.sum())

    def draw(self, count: int, generator: torch.Generator, *, evenly: bool = False) -> Drawn:
        """`count` pixels at random, with replacement: each as often as its weight says, and then all count
        alike; or evenly, and then each counts for its weight, as mip-NeRF has it (arXiv:2103.13415, sec. 4).
        """
        chance = (self._weights > 0) * self._counts.float() if evenly else self._chance
        picture = torch.multinomial(chance, count, replacement=True, generator=generator)
        share = torch.rand(count, generator=generator, device=self.device, dtype=torch.float64)
        pixel = (share * self._counts[picture]).long()
        if self._known is not None:
            pixel = self._known[self._first[picture] + pixel]
        values = self._bytes[self._starts[picture] + pixel].float() / 255
        opacities = values[:, 3]
        return Drawn(
            self.cameras.rays(picture, pixel),
            values[:, :3] * opacities[:, None],
            opacities,
            picture,
            self._weights[picture] if evenly else torch.ones_like(opacities),
        )


def _four(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[2] == 4:
        return np.ascontiguousarray(pixels)
    return np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], -1)


def _known(pictures: Sequence[Picture], device: torch.device | str) -> tuple[Tensor | None, list[int]]:
    """Numbers of the known pixels, picture by picture (None when all are known), and how many each has."""
    if all(picture.known is None for picture in pictures):
        return None, [picture.pixels.shape[0] * picture.pixels.shape[1] for picture in pictures]
    found = []
    for picture in pictures:
        known = picture.known
        every = np.arange(picture.pixels.shape[0] * picture.pixels.shape[1])
        found.append(every if known is None else np.flatnonzero(known))
    return torch.tensor(np.concatenate(found), device=device), [len(each) for each in found]
