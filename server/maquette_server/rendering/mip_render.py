"""Pictures of a mip-NeRF: rays cut where they enter and leave its box, in tiles, through two passes.

The paper cuts all rays at one near and one far depth round the scene (2 and 6, arXiv:2103.13415, sec. 4). The
box of a bounded domain is narrower than that for every ray, so the same intervals are shorter, and a camera
may stand anywhere, also within it. A field of a capture that faces one way has the box of normalised device
coordinates instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..fields import mip
from ..fields.domain import Domain
from . import cone_render, marching
from .ndc import Ndc
from .rays import Rays
from .seen import OPAQUE, Seen

TILE = 2048  # rays at once


@dataclass(frozen=True)
class MipScene:
    """A mip-NeRF with all that is needed to look at it."""

    field: mip.MipField
    coarse: mip.DensityField | None  # of the first pass; None takes the field itself
    sampling: cone_render.Settings
    domain: Domain  # bounded, but for
    ndc: Ndc | None = None  # the coordinates of a field that reads these

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.field.to_density.weight.device

    @torch.no_grad()
    def densities(self, points: Tensor, spread: float) -> Tensor:
        """See `seen.Field`."""
        if self.ndc is not None:
            return self._mapped_densities(self.ndc, points, spread)
        means = points[:, None]
        return self.field.density(means, torch.full_like(means, spread**2))[:, 0]

    def _mapped_densities(self, ndc: Ndc, points: Tensor, spread: float) -> Tensor:
        """Densities of normalised device coordinates per unit of the frame, by the volumes' ratio."""
        depths = ndc.depths(points)
        shown = depths > ndc.near
        mapped = ndc.points(torch.where(shown[:, None], points, points.new_tensor(ndc.place)))
        shown &= (mapped[:, :2].abs() < mapped.new_tensor(ndc.reach)).all(-1)
        depths = depths[shown]
        across = torch.stack([1 / (slope * depths) for slope in ndc.slopes], -1)
        grown = torch.cat([across, (2 * ndc.near / depths**2)[:, None]], -1)
        found = self.field.density(mapped[shown][:, None], (spread * grown).square()[:, None])[:, 0]
        densities = torch.zeros_like(shown, dtype=points.dtype)
        densities[shown] = found * grown.prod(-1).pow(1 / 3)
        return densities

    def draft(self) -> "MipScene":
        """See `seen.Field`: a pixel is one cone anyway."""
        return self

    @torch.no_grad()
    def see(self, rays: Rays) -> Seen:
        """R rays in the field's frame."""
        inside, met = within(rays, self.domain, self.ndc)
        found = cone_render.picture(
            self.field, inside, self.sampling, coarse=self.coarse, background=rays.origins.new_zeros(3)
        )
        seen = Seen(
            rays.origins.new_zeros(len(rays), 3),
            torch.zeros_like(rays.near),
            torch.full_like(rays.near, torch.inf),
        )
        seen.colours[met] = found.colours
        seen.opacities[met] = found.opacity
        distance = found.distance if self.ndc is None else self.ndc.along(rays[met], found.distance)
        seen.depths[met] = torch.where(found.opacity > OPAQUE, distance, torch.inf)
        return seen

    def tiles(self, rays: Rays) -> Iterator[Seen]:
        """`see` in pieces of TILE rays, in order."""
        for part in rays.chunks(TILE):
            yield self.see(part)


def within(rays: Rays, domain: Domain, ndc: Ndc | None = None) -> tuple[Rays, Tensor]:
    """The rays that meet a bounded domain, cut to what lies in it, and which of all [R] they are; with `ndc`
    those that look its way, in its coordinates.
    """
    if ndc is not None:
        return ndc.rays(rays, domain.scale)
    near, far = marching.span(rays)
    met = near < far
    return replace(rays, near=near, far=far)[met], met
