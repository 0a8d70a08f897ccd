"""Pictures of a grid field: rays in tiles, samples placed, looked up, composited."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..fields import grid, spherical_harmonics
from ..fields.domain import Domain
from . import marching, occupied, packed, splitting
from .rays import Rays, distances
from .seen import OPAQUE, Seen

TILE = 4096  # rays at once
_DRAFT = 2  # rays of a pixel along a side, in passing
_SLACK = 0.25  # by how many times a ray may be wider than those learnt from
_UNSEEN = 3e-4  # of a ray's light: samples that add less have no colour


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
    finest: float = math.inf
    """Footprint (radius times `rays.distances`) of the rays that it has learnt from; wider pixels are several
    rays each.
    """
    most: int = 8  # rays of a pixel along a side

    @property
    def domain(self) -> Domain:
        """Where it lies."""
        return self.sampler.domain

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.field.grid.table.device

    def draft(self) -> "GridScene":
        """See `seen.Field`."""
        return replace(self, most=_DRAFT)

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
        number = self._number(rays)
        if number == 1:
            return self._see(rays)
        radii = torch.minimum(rays.radii / number, self.finest / distances(rays.origins))
        parts = self._see(splitting.split(rays, radii, number))
        opacities = splitting.together(parts.opacities, number**2)
        nearest = parts.depths.view(-1, number**2).amin(1)
        depths = torch.where(opacities > OPAQUE, nearest, torch.inf)
        return Seen(splitting.together(parts.colours, number**2), opacities, depths)

    def _number(self, rays: Rays) -> int:
        """How many rays along a side a pixel is seen by."""
        if not len(rays) or math.isinf(self.finest):
            return 1
        wider = float((rays.radii * distances(rays.origins)).median()) / self.finest
        return min(self.most, max(1, math.ceil(wider - _SLACK)))

    def _see(self, rays: Rays) -> Seen:
        directions = torch.nn.functional.normalize(rays.directions, dim=-1)
        basis = spherical_harmonics.basis(directions)
        if self.device.type == "cpu":
            colours, opacities, depths = self._compiled(rays, basis)
        else:
            colours, opacities, depths = self.composited(self.sampler.samples(rays), basis)
        depths = depths / opacities.clamp(min=1e-6)
        return Seen(colours, opacities, torch.where(opacities > OPAQUE, depths, torch.inf))

    def composited(self, samples: marching.Samples, basis: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Colours [R, 3], opacities [R] and sums of weight times t [R] of samples, for any device.

        basis: [R, 16], `spherical_harmonics.basis` of the rays' directions.
        """
        count = len(basis)
        nothing = basis.new_zeros(count, 3)
        code = self.field.code(samples.points, samples.spreads)
        densities = grid.density(code)
        black = code.new_zeros(len(samples), 3)
        _, opacities, weights = packed.composite(densities, black, samples.lengths, samples.offsets, nothing)
        shown = (weights > _UNSEEN).nonzero()[:, 0]  # most samples lie behind something or in front of it
        colours = weights[shown, None] * self.field.colours(code[shown], basis[samples.rays[shown]])
        seen = nothing.index_add(0, samples.rays[shown], colours)
        return seen, opacities, packed.along(samples.places, weights, samples.rays, count)

    def _compiled(self, rays: Rays, basis: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        from . import look_kernels, march_kernels  # numba takes half a second to import

        field, settings = self.field, self.field.settings
        first, between, last = field.colour.weights
        if settings.appearances:
            basis = torch.cat([basis, field.appearance.mean(0).expand(len(basis), -1)], 1)
        from_ray = basis @ first[:, settings.code :].T
        leave = field.density.weights[-1][1:]
        transposed = (leave.T, first[:, : settings.code].T, between.T)
        layers = tuple(_array(each) for each in (from_ray, *transposed, last))
        found = basis.new_empty(len(basis), 3), basis.new_empty(len(basis)), basis.new_empty(len(basis))
        out = (field.arrays, layers, *(each.numpy() for each in found))
        if isinstance(self.sampler, occupied.OccupiedSampler):
            cells = self.sampler.cells.numpy()
            walk = (cells, march_kernels.blocks(cells), np.float32(self.sampler.step), marching.MOST)
            given = (rays.origins, rays.directions, rays.radii, *marching.span(rays))
            look_kernels.walk(*(_array(each) for each in given), *walk, *out)
        else:
            samples = self.sampler.samples(rays)
            given = (samples.points, samples.spreads, samples.places, samples.lengths, samples.offsets)
            look_kernels.look(*(_array(each) for each in given), *out)
        return found

    def tiles(self, rays: Rays) -> Iterator[Seen]:
        """`see` in pieces of TILE rays, in order."""
        for part in rays.chunks(TILE):
            yield self.see(part)


def _array(values: Tensor) -> NDArray[Any]:
    found: NDArray[Any] = values.contiguous().numpy()
    return found
