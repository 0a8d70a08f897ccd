"""Pieces of cones along rays, as Gaussians (mip-NeRF, arXiv:2103.13415, sec. 3.1 and supplement).

R rays, S intervals between S + 1 posts along each; t is in units of the ray's direction, which need not be
unit, and the radius of a cone is a length in the world per unit of t. The Gaussian of an interval has the
mean and covariance of the solid frustum. In float32 the raw moments cancel to nothing; the forms in mid-point
m and half width h do not. They are kept in float32 or better, never in half precision.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from .rays import Rays

Shape = Literal["cone", "cylinder"]
_LEAST = 1e-30  # keeps a frustum without extent at the apex from dividing 0 by 0, gradients included


@dataclass(frozen=True)
class Moments:
    """Means and variances of intervals in the axes of their ray, [R, S] each."""

    mean: Tensor  # of t
    along: Tensor  # variance of t
    across: Tensor  # variance of one coordinate across the ray, in world units


@dataclass(frozen=True)
class Gaussians:
    """Gaussians in the world, axis by axis."""

    means: Tensor  # [R, S, 3]
    variances: Tensor  # [R, S, 3], the diagonal of the covariance


def of_rays(rays: Rays, posts: Tensor, shape: Shape = "cone") -> Gaussians:
    """The Gaussians of the intervals between posts [R, S + 1], t not falling along a ray.

    shape: "cone" of a perspective camera, or "cylinder" where rays were mapped to parallel ones. Raises
    ValueError for posts of another shape or of half precision.
    """
    moments = cone(posts, rays.radii) if shape == "cone" else cylinder(posts, rays.radii)
    return lift(moments, rays.origins, rays.directions)


def cone(posts: Tensor, radii: Tensor) -> Moments:
    """Moments of the frustums of cones with apex at t = 0 and a radius at t = 1; differentiable.

    posts: [R, S + 1], t >= 0.  radii: [R].
    """
    _check(posts, radii)
    before, after = posts[:, :-1], posts[:, 1:]
    middle, half = (before + after) / 2, (after - before) / 2
    m2, h2 = middle * middle, half * half
    share = h2 / (3 * m2 + h2).clamp_min(_LEAST)  # h^2 / (3 m^2 + h^2), within 0..1
    mean = middle + 2 * middle * share
    along = h2 / 3 - (4 / 15) * share * share * (12 * m2 - h2)
    across = (radii * radii)[:, None] * (m2 / 4 + (5 / 12) * h2 - (4 / 15) * h2 * share)
    return Moments(mean, along, across)


def cylinder(posts: Tensor, radii: Tensor) -> Moments:
    """Moments of pieces of cylinders; otherwise as `cone`."""
    _check(posts, radii)
    before, after = posts[:, :-1], posts[:, 1:]
    width = after - before
    across = ((radii * radii)[:, None] / 4).expand_as(width)
    return Moments((before + after) / 2, width * width / 12, across)


def lift(moments: Moments, origins: Tensor, directions: Tensor) -> Gaussians:
    """Moments [R, S] along rays as Gaussians in the world.

    origins, directions: [R, 3].
    """
    if origins.shape != directions.shape or origins.shape != (len(moments.mean), 3):
        raise ValueError(
            f"{len(moments.mean)} rays need origins and directions [R, 3], not {list(origins.shape)} and"
            f" {list(directions.shape)}"
        )
    squares = directions * directions
    rest = 1 - squares / squares.sum(-1, keepdim=True).clamp_min(1e-10)
    means = torch.addcmul(origins[:, None], moments.mean[..., None], directions[:, None])
    variances = moments.along[..., None] * squares[:, None]
    return Gaussians(means, torch.addcmul(variances, moments.across[..., None], rest[:, None]))


def _check(posts: Tensor, radii: Tensor) -> None:
    if posts.dim() != 2 or posts.shape[1] < 2 or radii.shape != posts.shape[:1]:
        raise ValueError(
            f"posts must be [R, S + 1] and radii [R], not {list(posts.shape)} and {list(radii.shape)}"
        )
    if posts.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"moments need posts in float32 or float64, not {posts.dtype}")
