"""What rays see of a field, whatever kind it is, and what every kind offers for looking at it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..fields.domain import Domain
from .rays import Rays

OPAQUE = 0.5  # opacity above which a ray has a depth: haze in the air has none


@dataclass(frozen=True)
class Seen:
    """What R rays see. The depth of a pixel that is split into several is the nearest of theirs."""

    colours: Tensor  # [R, 3], premultiplied: nothing lies behind
    opacities: Tensor  # [R]
    depths: Tensor  # [R], mean t of what is seen; infinite where opacities are OPAQUE or less


class Field(Protocol):
    """A field with all that is needed to look at it."""

    @property
    def domain(self) -> Domain:
        """Where it lies."""

    @property
    def device(self) -> torch.device:
        """Where the rays must be."""

    def densities(self, points: Tensor, spread: float) -> Tensor:
        """Densities [P], per unit of the field's frame, at points [P, 3] of it in the domain; no gradients.

        spread: standard deviation, in the frame, of the footprint with which the points are looked at.
        """

    def draft(self) -> "Field":
        """The same to be looked at in passing: a picture takes as long as it has pixels, and a small one may
        show aliasing.
        """

    def tiles(self, rays: Rays) -> Iterator[Seen]:
        """What R rays in the field's frame see, in pieces, in order; without gradients.

        Of a bounded field, rays see what lies in the domain and between their own near and far.
        """


def whole(tiles: list[Seen]) -> Seen:
    """Pieces put together."""
    return Seen(
        torch.cat([tile.colours for tile in tiles]),
        torch.cat([tile.opacities for tile in tiles]),
        torch.cat([tile.depths for tile in tiles]),
    )
