"""Samples along rays where something may be: a lattice of steps, thinned by an occupancy grid (Mueller et
al., arXiv:2201.05989, appendix E.1).

Everything is in the frame of a bounded field (`fields.domain`). The lattice of a ray begins where the ray
enters the field and is shifted by a random part of a step while training, by half a step otherwise. P samples
come ray by ray ("packed"): those of ray r are `offsets[r]` to `offsets[r + 1]`.
"""

import math
import weakref
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..fields import grid
from ..fields.domain import Domain
from .rays import Rays

MOST = 1024  # samples of one ray
SPENT = 1e-3  # of a ray's light: where less is left, it may end


@dataclass(frozen=True)
class Samples:
    """P packed samples of R rays, all on one device."""

    points: Tensor  # [P, 3], unit cube
    spreads: Tensor  # [P], standard deviation of the pixel's footprint there, in the unit cube
    places: Tensor  # [P], t along the ray
    lengths: Tensor  # [P], of the interval that the sample stands for, in the field's frame
    rays: Tensor  # [P] int64
    offsets: Tensor  # [R + 1] int64

    def __len__(self) -> int:
        return len(self.points)


def march(
    rays: Rays,
    shifts: Tensor,
    occupied: Tensor,
    domain: Domain,
    step: float,
    lit: grid.GridField | None = None,
) -> Samples:
    """The samples of rays (in the field's frame) that lie in occupied cells.

    shifts: [R], parts of a step in 0..1.  occupied: bool [G, G, G] over the unit cube, axes x, y, z.
    step: length in the field's frame.  lit: the field whose light ends rays: see `lit_ones`.
    Raises ValueError for a field without bounds.
    """
    if domain.unbounded:
        raise ValueError("only a bounded field is stepped through evenly")
    if rays.device.type == "cpu":
        return _compiled(rays, shifts, occupied, step, lit)
    found = on_lattice(rays, shifts, occupied, domain, step)
    return found if lit is None else lit_ones(found, lit)


def on_lattice(rays: Rays, shifts: Tensor, occupied: Tensor, domain: Domain, step: float) -> Samples:
    """`march` for any device: every step of every ray at once."""
    speed = rays.directions.norm(dim=-1)
    near, far = span(rays)
    first = near * speed / step + shifts
    count = (far * speed / step - first).ceil().clamp(0, MOST)
    longest = int(count.max()) if len(rays) else 0
    number = torch.arange(longest, device=rays.device)[None]
    t = (first[:, None] + number) * (step / speed[:, None])
    points = rays.origins[:, None] + t[..., None] * rays.directions[:, None]
    unit = domain.unit(points).clamp(0, 1)
    side = occupied.shape[0]
    cell = (unit * side).long().clamp(max=side - 1)
    kept = occupied[cell[..., 0], cell[..., 1], cell[..., 2]] & (number < count[:, None])
    ray = torch.arange(len(rays), device=rays.device)[:, None].expand(kept.shape)[kept]
    offsets = torch.zeros(len(rays) + 1, dtype=torch.int64, device=rays.device)
    offsets[1:] = kept.sum(1).cumsum(0)
    spreads = 0.5 * rays.radii[ray] * t[kept] * domain.shrinking(points[kept])
    lengths = torch.full_like(spreads, step)
    return Samples(unit[kept], spreads, t[kept], lengths, ray, offsets)


@torch.no_grad()
def lit_ones(samples: Samples, field: grid.GridField) -> Samples:
    """The samples in front of which SPENT of their ray's light or more is left.

    What is behind them changes no colour, and it learns nothing (arXiv:2201.05989, appendix E.1).
    """
    thickness = (grid.density(field.code(samples.points, samples.spreads)) * samples.lengths).double()
    before = thickness.cumsum(0) - thickness
    before = before - torch.cat([before, before.new_zeros(1)])[samples.offsets[:-1]][samples.rays]
    kept = before < -math.log(SPENT)
    counts = torch.zeros_like(samples.offsets[1:]).index_add(0, samples.rays, kept.long())
    return Samples(
        samples.points[kept],
        samples.spreads[kept],
        samples.places[kept],
        samples.lengths[kept],
        samples.rays[kept],
        torch.cat([counts.new_zeros(1), counts.cumsum(0)]),
    )


def span(rays: Rays) -> tuple[Tensor, Tensor]:
    """t between which the rays are within their near and far and in the cube -1..1; [R] each."""
    # directions are as long as the frame is fine
    tiny = 1e-9 * rays.directions.norm(dim=-1, keepdim=True)
    direction = torch.where(rays.directions.abs() < tiny, tiny, rays.directions)
    first, second = (-1 - rays.origins) / direction, (1 - rays.origins) / direction
    near = torch.maximum(rays.near, torch.minimum(first, second).amax(-1))
    far = torch.minimum(rays.far, torch.maximum(first, second).amin(-1))
    return near, far


class _Blocks:
    """The blocks of the newest occupancy: many marches go by one."""

    def __init__(self) -> None:
        self._newest: tuple[weakref.ref[Tensor], int, NDArray[np.bool_]] | None = None

    def of(self, occupied: Tensor) -> NDArray[np.bool_]:
        """`march_kernels.blocks` of a tensor on the CPU."""
        from . import march_kernels

        newest = self._newest
        if newest is not None and newest[0]() is occupied and newest[1] == occupied._version:
            return newest[2]
        found: NDArray[np.bool_] = march_kernels.blocks(occupied.numpy())
        self._newest = (weakref.ref(occupied), occupied._version, found)
        return found


_blocks = _Blocks()


def _compiled(
    rays: Rays, shifts: Tensor, occupied: Tensor, step: float, lit: grid.GridField | None
) -> Samples:
    from . import march_kernels

    origins, directions, radii, near, far, shift = (
        np.ascontiguousarray(each.numpy(), np.float32)
        for each in (rays.origins, rays.directions, rays.radii, *span(rays), shifts)
    )
    walk = (occupied.numpy(), _blocks.of(occupied), np.float32(step), MOST)
    counts = np.empty(len(rays), np.int64)
    if lit is None:
        march_kernels.count(origins, directions, near, far, shift, *walk, counts)
    else:
        ending = (lit.arrays, np.float32(SPENT))
        march_kernels.count_lit(origins, directions, radii, near, far, shift, *walk, *ending, counts)
    offsets = np.zeros(len(rays) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    total = int(offsets[-1])
    points = np.empty((total, 3), np.float32)
    spreads, places, lengths = (np.empty(total, np.float32) for _ in range(3))
    ray = np.empty(total, np.int64)
    out = (points, spreads, places, lengths, ray)
    march_kernels.fill(origins, directions, radii, near, far, shift, *walk, offsets, *out)
    return Samples(*(torch.from_numpy(each) for each in (*out, offsets)))
