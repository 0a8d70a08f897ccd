"""Pixels as several rays each, of which they are the mean.

Where a pixel's sides are not known, it is taken as a square across its ray with the same area moments as the
cone's disc (mip-NeRF, arXiv:2103.13415, sec. 3.1), turned about the ray in some way.
"""

import math

import torch
from torch import Tensor

from .rays import Rays

PARTS = 4  # rays of a pixel while a field learns
# Lower corners and sides of what each of them is drawn from: a quarter of the pixel; or the left half, the
# lower, the upper, the right one.
_QUARTERS = ((-0.5, -0.5), (-0.5, 0.0), (0.0, -0.5), (0.0, 0.0)), ((0.5, 0.5),) * 4
_HALVES = (
    ((-0.5, -0.5), (-0.5, -0.5), (-0.5, 0.0), (0.0, -0.5)),
    ((0.5, 1.0), (1.0, 0.5), (1.0, 0.5), (0.5, 1.0)),
)
_SIDE = math.sqrt(3)  # of the square, in radii of the disc


def split(rays: Rays, radii: Tensor, number: int = 2) -> Rays:
    """number x number rays for each, one after the other: through the middles of a pixel's parts.

    radii: [R], which they get.
    """
    steps = (torch.arange(number, device=rays.device) + 0.5) / number - 0.5
    places = torch.cartesian_prod(steps, steps).expand(len(rays), -1, -1)
    return _through(places, rays, radii)


def drawn(rays: Rays, radii: Tensor, paired: Tensor, generator: torch.Generator) -> Rays:
    """PARTS rays for each, one after the other, each through a random point of another quarter of the pixel.

    radii: [R], which they get.  paired: bool [R], pixels whose first and last ray are a sample of the whole
    pixel for themselves, and whose other two are another one: see `halves`.
    """
    within = torch.rand(len(rays), PARTS, 2, generator=generator, device=rays.device)
    quarters, pairs = (
        torch.tensor(corner, device=rays.device) + within * torch.tensor(side, device=rays.device)
        for corner, side in (_QUARTERS, _HALVES)
    )
    return _through(torch.where(paired[:, None, None], pairs, quarters), rays, radii)


def halves(values: Tensor) -> tuple[Tensor, Tensor]:
    """Two means [R, ...] of values [PARTS R, ...]: independent estimates of pixels that were `paired`."""
    one, two, three, four = values.view(-1, PARTS, *values.shape[1:]).unbind(1)
    return (one + four) / 2, (two + three) / 2


def _through(places: Tensor, rays: Rays, radii: Tensor) -> Rays:
    """Rays through places [R, N, 2] of the pixels, whose sides are 1 long there, with radii [R]."""
    number = places.shape[1]
    sides = rays.sides
    if sides is None:
        sides = _SIDE * rays.radii[:, None, None] * torch.stack(across(rays.directions), 1)
    directions = rays.directions[:, None] + places @ sides
    return Rays(
        rays.origins.repeat_interleave(number, 0),
        directions.reshape(-1, 3),
        radii.repeat_interleave(number),
        rays.near.repeat_interleave(number),
        rays.far.repeat_interleave(number),
    )


def together(values: Tensor, parts: int = PARTS) -> Tensor:
    """Means [R, ...] of values [parts R, ...] of pixels' rays."""
    return values.view(-1, parts, *values.shape[1:]).mean(1)


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
