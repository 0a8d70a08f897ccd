"""Pieces of cones as six points each, for grids of features (Zip-NeRF, arXiv:2304.06706, on spatial
anti-aliasing).

R rays, S intervals between S + 1 posts along each. The six points wind around the axis in a hexagon; along
it they have the mean and variance of the frustum, across it its variance. A grid has no closed average over
a Gaussian: its features are read at the points, faded level by level, and averaged.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from .rays import Rays

POINTS = 6
_ANGLES = (0, 2, 4, 3, 5, 1)  # sixths of a turn, in the order of t
_LEAST = 1e-30


@dataclass(frozen=True)
class Multisamples:
    """Six isotropic Gaussians an interval."""

    points: Tensor  # [R, S, 6, 3], their means
    deviations: Tensor  # [R, S, 6], their standard deviations


def of_rays(rays: Rays, posts: Tensor, *, generator: torch.Generator | None = None) -> Multisamples:
    """The multisamples of the intervals between posts [R, S + 1], t >= 0 and not falling.

    generator: turns every hexagon by a random angle and mirrors half of them; None turns every second one by
    a twelfth and mirrors it. Raises ValueError for posts of another shape.
    """
    if posts.dim() != 2 or len(posts) != len(rays) or posts.shape[1] < 2:
        raise ValueError(f"posts of {len(rays)} rays must be [R, S + 1], not {list(posts.shape)}")
    places = places_of(posts)
    angles = _turned(places, generator)
    one, other = across(rays.directions)
    radii = (rays.radii[:, None, None] * places / math.sqrt(2))[..., None]
    aside = (
        torch.cos(angles)[..., None] * one[:, None, None]
        + torch.sin(angles)[..., None] * other[:, None, None]
    )
    along = rays.origins[:, None, None] + places[..., None] * rays.directions[:, None, None]
    return Multisamples(along + radii * aside, 0.5 * radii[..., 0])


def places_of(posts: Tensor) -> Tensor:
    """t of the six points of every interval [R, S, 6], from posts [R, S + 1]; the last may lie behind the
    interval.
    """
    before, after = posts[:, :-1, None], posts[:, 1:, None]
    middle, half = (before + after) / 2, (after - before) / 2
    m2, h2 = middle * middle, half * half
    steps = torch.linspace(-1, 1, POINTS, device=posts.device, dtype=posts.dtype) * (3 / math.sqrt(7))
    root = torch.sqrt(((h2 - m2) ** 2 + 4 * m2 * m2).clamp_min(_LEAST))
    return before + half / (h2 + 3 * m2).clamp_min(_LEAST) * (after * after + 2 * m2 + steps * root)


def across(directions: Tensor) -> tuple[Tensor, Tensor]:
    """Two unit vectors [R, 3] at right angles to each other and to directions [R, 3], which are not 0
    (Duff et al., Building an orthonormal basis, revisited, 2017).
    """
    if directions.dim() != 2 or directions.shape[1] != 3:
        raise ValueError(f"directions must be [R, 3], not {list(directions.shape)}")
    x, y, z = torch.nn.functional.normalize(directions, dim=-1).unbind(-1)
    sign = torch.copysign(torch.ones_like(z), z)
    a = -1 / (sign + z)
    b = x * y * a
    one = torch.stack([1 + sign * x * x * a, sign * b, -sign * x], -1)
    return one, torch.stack([b, sign + y * y * a, -y], -1)


def faded(deviations: Tensor, resolution: float) -> Tensor:
    """Factor 0..1 of the features of a grid level, for Gaussians of standard deviations [...]: the
    share of a Gaussian that stays within a cell.

    resolution: cells of the level over a unit of length. Differentiable.
    """
    if resolution <= 0:
        raise ValueError(f"a grid level must have cells, not {resolution} of them")
    spread = (deviations * (math.sqrt(8) * resolution)).clamp_min(1e-12)  # its inverse's slope stays finite
    return torch.erf(1 / spread)


def _turned(places: Tensor, generator: torch.Generator | None) -> Tensor:
    """Angles [R, S, 6] of the points around their axis."""
    rays, intervals = places.shape[:2]
    device = places.device
    angles = torch.tensor(_ANGLES, device=device, dtype=places.dtype) * (math.pi / 3)
    if generator is None:
        mirrored = (torch.arange(intervals, device=device) % 2 == 1)[None, :, None]
        turns = mirrored * (math.pi / 6)
    else:
        drawn = torch.rand(2, rays, intervals, 1, generator=generator, device=device, dtype=places.dtype)
        mirrored, turns = drawn[0] > 0.5, drawn[1] * (2 * math.pi)
    angles = angles + turns
    return torch.where(mirrored, 5 * math.pi / 3 - angles, angles)
