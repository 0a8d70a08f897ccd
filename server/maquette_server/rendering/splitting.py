"""Pixels as several rays each: points of a pixel's footprint, of which it is the mean.

A footprint is taken as a disc across the ray with the pixel's area moments: its radius is the cone's of
mip-NeRF (arXiv:2103.13415, sec. 3.1), so a pixel's rays need nothing but its ray.
"""

import math

import torch
from torch import Tensor

from .multisamples import across
from .rays import Rays

PARTS = 4  # rays of a pixel
# Where the middles of a square pixel's quarters lie, in radii of the disc. The four points with the disc's
# own second moments lie farther out, at sqrt(1/2): with what a grid blurs of itself that is 0.4 dB worse.
_AWAY = math.sqrt(6) / 4


def split(rays: Rays, generator: torch.Generator | None = None) -> Rays:
    """PARTS rays [PARTS R] for each, one after the other, each with a quarter of the footprint.

    generator: draws one point evenly from each quarter of the disc; None takes the middles of the quarters of
    a square pixel.
    """
    count = len(rays)
    quarter = torch.arange(PARTS, device=rays.device)
    if generator is None:
        angles = ((quarter + 0.5) * (math.pi / 2)).expand(count, PARTS)
        away = torch.full_like(angles, _AWAY)
    else:
        drawn = torch.rand(2, count, PARTS, generator=generator, device=rays.device)
        angles = (quarter + drawn[0]) * (math.pi / 2)
        away = drawn[1].sqrt()
    one, other = across(rays.directions)
    length = (away * rays.radii[:, None])[..., None]
    aside = torch.cos(angles)[..., None] * one[:, None] + torch.sin(angles)[..., None] * other[:, None]
    directions = rays.directions[:, None] + length * aside
    return Rays(
        rays.origins.repeat_interleave(PARTS, 0),
        directions.reshape(-1, 3),
        (rays.radii / math.sqrt(PARTS)).repeat_interleave(PARTS),
        rays.near.repeat_interleave(PARTS),
        rays.far.repeat_interleave(PARTS),
    )


def together(values: Tensor) -> Tensor:
    """Means [R, ...] of values [PARTS R, ...] of the rays that `split` gave."""
    return values.view(-1, PARTS, *values.shape[1:]).mean(1)
