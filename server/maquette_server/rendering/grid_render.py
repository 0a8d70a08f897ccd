"""Pictures of a grid field: rays in tiles, samples placed, looked up, composited."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..fields import grid, spherical_harmonics
from ..fields.domain import Domain
from . import marching, packed
from .rays import Rays
from .seen import OPAQUE, Seen

TILE = 4096  # rays at once
_UNSEEN = 1e-4  # of a ray's light: samples that add less have no colour


class Sampler(Protocol):
    """What knows where along rays something is."""

    @property
    def domain(self) -> Domain:
        """Of the field that it serves."""

    def samples(self, rays: Rays) -> marching.Samples:
        """The samples of rays (in the field's frame), the same each time."""

    def solid(self, unit: Tensor) -> Tensor:
        """Whether rays get samples at points [P, 3] of the unit cube, bool [P]."""


@dataclass(frozen=True)
class GridScene:
    """A grid field with all that is needed to look at it."""

    field: grid.GridField
    sampler: Sampler

    @property
    def domain(self) -> Domain:
        """Where it lies."""
        return self.sampler.domain

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.field.grid.table.device

    @torch.no_grad()
    def densities(self, points: Tensor, spread: float) -> Tensor:
        """See `seen.Field`; 0 where rays skip the field."""
        unit = self.domain.unit(points).clamp(0, 1)
        kept = self.sampler.solid(unit)
        found = points.new_zeros(len(points))
        if kept.any():
            spreads = spread * self.domain.shrinking(points[kept])
            found[kept] = grid.density(self.field.code(unit[kept], spreads))
        return found

    @torch.no_grad()
    def see(self, rays: Rays) -> Seen:
        """R rays in the field's frame."""
        samples = self.sampler.samples(rays)
        count = len(rays)
        nothing = rays.origins.new_zeros(count, 3)
        code = self.field.code(samples.points, samples.spreads)
        densities = grid.density(code)
        black = code.new_zeros(len(samples), 3)
        _, opacities, weights = packed.composite(densities, black, samples.lengths, samples.offsets, nothing)
        shown = (weights > _UNSEEN).nonzero()[:, 0]  # most samples lie behind something or in front of it
        directions = torch.nn.functional.normalize(rays.directions, dim=-1)
        basis = spherical_harmonics.basis(directions)[samples.rays[shown]]
        colours = weights[shown, None] * self.field.colours(code[shown], basis)
        seen = nothing.index_add(0, samples.rays[shown], colours)
        depths = packed.along(samples.places, weights, samples.rays, count) / opacities.clamp(min=1e-6)
        return Seen(seen, opacities, torch.where(opacities > OPAQUE, depths, torch.inf))

    def tiles(self, rays: Rays) -> Iterator[Seen]:
        """`see` in pieces of TILE rays, in order."""
        for part in rays.chunks(TILE):
            yield self.see(part)
