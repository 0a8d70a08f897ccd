"""Rays as pictures through a field that reads cones: a pass that finds where something is, and one that looks
there (mip-NeRF, arXiv:2103.13415, sec. 3.2).

R rays. One field serves both passes, as it knows how large what it is asked about is. A smaller network with
densities alone (a *proposal*, mip-NeRF 360, arXiv:2111.12077) may take the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..fields import mip
from . import compositing, frustums, sampling
from .rays import Rays

_NUMBERS_ON_CPU = 2048 * 256  # a pass: what then lies between two layers stays in the cache
_RAYS_ON_DEVICE = 8192


@dataclass(frozen=True)
class Settings:
    """How rays are sampled; the defaults are the paper's for its synthetic scenes."""

    coarse: int = 128  # intervals of the first pass
    fine: int = 128  # of the second
    disparity: bool = False  # first intervals evenly in 1 / t
    padding: float = 0.01  # added to the weights that the second pass follows
    shape: frustums.Shape = "cone"
    background: str = "white"

    def __post_init__(self) -> None:
        if min(self.coarse, self.fine) < 1 or self.padding < 0:
            raise ValueError(f"rays cannot be sampled like this: {self}")


@dataclass(frozen=True)
class Level:
    """What one pass found."""

    posts: Tensor  # [R, S + 1]
    weights: Tensor  # [R, S]
    composite: compositing.Composite | None  # None of a pass without colours


@dataclass(frozen=True)
class Picture:
    """What R rays see, without gradients."""

    colours: Tensor  # [R, 3], in 0..1
    opacity: Tensor  # [R]
    distance: Tensor  # [R], t


def passes(
    field: mip.MipField,
    rays: Rays,
    settings: Settings,
    *,
    coarse: mip.DensityField | None = None,
    coarse_colours: bool = True,
    jitter: torch.Generator | None = None,
    background: compositing.Background | None = None,
    mode: mip.Mode | None = None,
) -> Iterator[Level]:
    """Yields the first pass, then the second; differentiable in the parameters of the fields. No gradient
    goes from the second to the first, so whoever is done with one may go backward before the next.

    coarse: field of the first pass; None takes the same for both.  coarse_colours: whether the first pass
    needs colours, too.  jitter: draws the posts, on the rays' device; None takes them evenly.  background:
    replaces the settings' own.
    """
    behind = settings.background if background is None else background
    first_field = field if coarse is None else coarse
    posts = sampling.first_posts(
        rays.near, rays.far, settings.coarse, disparity=settings.disparity, generator=jitter
    )
    coloured = first_field if coarse_colours and isinstance(first_field, mip.MipField) else None
    first = _level(first_field, coloured, rays, posts, settings.shape, behind, mode)
    yield first
    posts = sampling.next_posts(
        posts, first.weights, settings.fine, padding=settings.padding, generator=jitter
    )
    yield _level(field, field, rays, posts, settings.shape, behind, mode)


@torch.no_grad()
def picture(
    field: mip.MipField,
    rays: Rays,
    settings: Settings,
    *,
    coarse: mip.DensityField | None = None,
    background: compositing.Background | None = None,
    mode: mip.Mode | None = None,
    chunk: int | None = None,
) -> Picture:
    """What the rays see in the second pass, without jitter.

    chunk: rays at a time; None takes what suits the rays' device. Others as of `passes`.
    """
    size = chunk or rays_at_once(rays.device, settings, field.settings)
    parts: list[compositing.Composite] = []
    start = 0
    for part in rays.chunks(size):
        behind = background
        if isinstance(behind, Tensor) and behind.dim() == 2:
            behind = behind[start : start + len(part)]
        start += len(part)
        _, level = passes(
            field, part, settings, coarse=coarse, coarse_colours=False, background=behind, mode=mode
        )
        assert level.composite is not None
        parts.append(level.composite)
    if not parts:
        return Picture(rays.origins.new_zeros(0, 3), rays.near.new_zeros(0), rays.near.new_zeros(0))
    return Picture(
        torch.cat([part.colours for part in parts]).clamp_(0, 1),
        torch.cat([part.opacity for part in parts]),
        torch.cat([part.distance for part in parts]),
    )


def rays_at_once(device: torch.device, settings: Settings, network: mip.Settings) -> int:
    """How many rays a pass through a network should take on a device."""
    if device.type != "cpu":
        return _RAYS_ON_DEVICE
    return max(1, _NUMBERS_ON_CPU // (network.width * max(settings.coarse, settings.fine)))


def _level(
    field: mip.DensityField,
    coloured: mip.MipField | None,
    rays: Rays,
    posts: Tensor,
    shape: frustums.Shape,
    background: compositing.Background,
    mode: mip.Mode | None,
) -> Level:
    found = frustums.of_rays(rays, posts, shape)
    if coloured is None:
        densities = field.density(found.means, found.variances, mode)
        return Level(posts, compositing.weights_of(densities, posts, rays.directions), None)
    densities, colours = coloured.density_and_colour(found.means, found.variances, rays.directions, mode)
    seen = compositing.composite(densities, colours, posts, rays.directions, background)
    return Level(posts, seen.weights, seen)
