"""Samples along rays in the occupied cells of a bounded field: see `marching`."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..fields.domain import Domain
from . import marching
from .rays import Rays


@dataclass(frozen=True)
class OccupiedSampler:
    """Places samples for one field."""

    cells: Tensor  # bool [G, G, G] over the unit cube
    domain: Domain
    step: float  # between samples, in the field's frame

    def samples(self, rays: Rays) -> marching.Samples:
        """The samples of rays (in the field's frame), the same each time."""
        shifts = torch.full_like(rays.near, 0.5)
        return marching.march(rays, shifts, self.cells, self.domain, self.step)

    def solid(self, unit: Tensor) -> Tensor:
        """Whether rays get samples at points [P, 3] of the unit cube, bool [P]."""
        side = self.cells.shape[0]
        cell = (unit * side).long().clamp(max=side - 1)
        return self.cells[cell[:, 0], cell[:, 1], cell[:, 2]]
