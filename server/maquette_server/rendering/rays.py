"""Rays through pixels, and the colours that were seen along them.

R rays. A ray is `origin + t direction`. Whoever makes the rays says what t counts (`posed`, `ndc`): a
direction need not be unit, and `radii` belongs to it (mip-NeRF, arXiv:2103.13415, sec. 3.1: whoever scales
one must scale the other, `near` and `far`).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cameras.lens import Lens


@dataclass(frozen=True)
class Rays:
    """R rays with what a cone along each is like; all float32 or better, on one device.

    Raises ValueError when the shapes do not agree.
    """

    origins: Tensor  # [R, 3]
    directions: Tensor  # [R, 3], of any length but 0
    radii: Tensor  # [R], of the cone at t = 1: 2 / sqrt(12) times the distance of neighbouring pixels there
    near: Tensor  # [R], t where the ray begins
    far: Tensor  # [R]
    sides: Tensor | None = None  # [R, 2, 3], of the pixel at t = 1, to the right and up; None where not known

    def __post_init__(self) -> None:
        count = len(self.origins)
        shapes = {"origins": (count, 3), "directions": (count, 3), "sides": (count, 2, 3)}
        for name, value in self._tensors().items():
            expected = shapes.get(name, (count,))
            if value.shape != expected:
                raise ValueError(f"{name} of {count} rays must be {list(expected)}, not {list(value.shape)}")

    def __len__(self) -> int:
        return len(self.origins)

    def __getitem__(self, which: slice | Tensor) -> "Rays":
        """The rays of a slice, of indices or of a mask."""
        return Rays(**{name: value[which] for name, value in self._tensors().items()})

    def _tensors(self) -> dict[str, Tensor]:
        return {name: value for name, value in vars(self).items() if value is not None}

    @property
    def device(self) -> torch.device:
        """Where the rays are."""
        return self.origins.device

    def to(self, device: torch.device | str) -> "Rays":
        """The rays on a device."""
        return Rays(**{name: value.to(device) for name, value in self._tensors().items()})

    @classmethod
    def joined(cls, several: Sequence["Rays"]) -> "Rays":
        """Rays one after the other; all know the sides of their pixels, or none does."""
        parts = [one._tensors() for one in several]
        return cls(**{name: torch.cat([part[name] for part in parts]) for name in parts[0]})

    def chunks(self, size: int) -> Iterator["Rays"]:
        """The rays in their order, at most `size` at a time."""
        for part in slices(len(self), size):
            yield self[part]


@dataclass(frozen=True)
class Batch:
    """Rays with the colours to learn. Raises ValueError when the shapes do not agree."""

    rays: Rays
    colours: Tensor  # [R, 3]
    weights: Tensor  # [R], of a ray in the loss: the area of its pixel over that of the smallest

    def __post_init__(self) -> None:
        count = len(self.rays)
        if self.colours.shape != (count, 3) or self.weights.shape != (count,):
            raise ValueError(
                f"{count} rays need colours [{count}, 3] and weights [{count}], not"
                f" {list(self.colours.shape)} and {list(self.weights.shape)}"
            )

    def __len__(self) -> int:
        return len(self.rays)

    def __getitem__(self, which: slice | Tensor) -> "Batch":
        """The part of a slice, of indices or of a mask."""
        return Batch(self.rays[which], self.colours[which], self.weights[which])

    def to(self, device: torch.device | str) -> "Batch":
        """The batch on a device."""
        return Batch(self.rays.to(device), self.colours.to(device), self.weights.to(device))


def slices(count: int, size: int) -> Iterator[slice]:
    """Slices that cover `count` things in their order. Raises ValueError for a size below 1."""
    if size < 1:
        raise ValueError(f"chunks must hold at least one ray, not {size}")
    return (slice(start, min(start + size, count)) for start in range(0, count, size))


def distances(origins: Tensor) -> Tensor:
    """How far [N] what cameras at origins [N, 3] look at is from them, about, in a bounded field's frame: as
    far as its middle, but no nearer than half the way from there to a face of the box. A ray's radius times
    this is its footprint.
    """
    return origins.norm(dim=-1).clamp(min=0.5)


def pixel_radius(lens: Lens) -> float:
    """Radius at depth 1 of a cone whose disc has the variance of a pixel: dx 2 / sqrt(12) (sec. 3.1).

    Pixels that are not square count as squares of the same area.
    """
    return 2 / math.sqrt(12) / math.sqrt(lens.focal_x * lens.focal_y)
