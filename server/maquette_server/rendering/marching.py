"""Samples along rays where something may be: a lattice of steps, thinned by an occupancy grid (Mueller et
al., arXiv:2201.05989, appendix E.1).

Everything is in the frame of a bounded field (`fields.domain`). The lattice of a ray begins where the ray
enters the field and is shifted by a random part of a step while training, by half a step otherwise. P samples
come ray by ray ("packed"): those of ray r are `offsets[r]` to `offsets[r + 1]`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..fields.domain import Domain
from .rays import Rays

MOST = 1024  # samples of one ray


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


def march(rays: Rays, shifts: Tensor, occupied: Tensor, domain: Domain, step: float) -> Samples:
    """The samples of rays (in the field's frame) that lie in occupied cells.

    shifts: [R], parts of a step in 0..1.  occupied: bool [G, G, G] over the unit cube, axes x, y, z.
    step: length in the field's frame. Raises ValueError for a field without bounds.
    """
    if domain.unbounded:
        raise ValueError("only a bounded field is stepped through evenly")
    if rays.device.type == "cpu":
        return _compiled(rays, shifts, occupied, step)
    return on_lattice(rays, shifts, occupied, domain, step)


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


def span(rays: Rays) -> tuple[Tensor, Tensor]:
    """t between which the rays are within their near and far and in the cube -1..1; [R] each."""
    # directions are as long as the frame is fine
    tiny = 1e-9 * rays.directions.norm(dim=-1, keepdim=True)
    direction = torch.where(rays.directions.abs() < tiny, tiny, rays.directions)
    first, second = (-1 - rays.origins) / direction, (1 - rays.origins) / direction
    near = torch.maximum(rays.near, torch.minimum(first, second).amax(-1))
    far = torch.minimum(rays.far, torch.maximum(first, second).amin(-1))
    return near, far


def _compiled(rays: Rays, shifts: Tensor, occupied: Tensor, step: float) -> Samples:
    from . import march_kernels

    near, far = span(rays)
    given = [
        np.ascontiguousarray(each.numpy(), np.float32)
        for each in (rays.origins, rays.directions, rays.radii, near, far, shifts)
    ]
    settings = (occupied.numpy(), np.float32(step), MOST)
    counts = np.empty(len(rays), np.int64)
    march_kernels.count(*given, *settings, counts)
    offsets = np.zeros(len(rays) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    total = int(offsets[-1])
    points = np.empty((total, 3), np.float32)
    spreads, places, lengths = (np.empty(total, np.float32) for _ in range(3))
    ray = np.empty(total, np.int64)
    march_kernels.fill(*given, *settings, offsets, points, spreads, places, lengths, ray)
    return Samples(*(torch.from_numpy(each) for each in (points, spreads, places, lengths, ray, offsets)))
