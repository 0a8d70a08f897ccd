"""Densities along rays as weights, and what is seen through them (Max 1995; NeRF, arXiv:2003.08934, sec. 4),
of intervals and not of points, as mip-NeRF has it (arXiv:2103.13415).

R rays, S intervals along each, between S + 1 posts; t is in units of the ray's direction, densities are per
unit of length in the world.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

Background = str | Tensor
"""Colour behind everything: "white", "black", "last_sample" (of the last interval), [3], or [R, 3]."""


@dataclass(frozen=True)
class Composite:
    """What R rays see."""

    colours: Tensor  # [R, 3], background included
    weights: Tensor  # [R, S], share of each interval in the colour
    opacity: Tensor  # [R], their sum, 0..1
    distance: Tensor  # [R], mean t of what is seen; `far` where nothing is


def composite(
    densities: Tensor,
    colours: Tensor,
    posts: Tensor,
    directions: Tensor,
    background: Background = "white",
) -> Composite:
    """Composes colours [R, S, 3] front to back; differentiable, and finite where a ray meets nothing.

    densities: [R, S], >= 0.  posts: [R, S + 1], not falling.  directions: [R, 3].
    Raises ValueError for other shapes or an unknown background.
    """
    weights = weights_of(densities, posts, directions)
    if colours.shape != (*densities.shape, 3):
        raise ValueError(f"colours must be {[*densities.shape, 3]}, not {list(colours.shape)}")
    opacity = weights.sum(-1)
    seen = (weights[:, None] @ colours)[:, 0]
    behind = _background(background, colours)
    seen = seen + (1 - opacity)[:, None] * behind
    return Composite(seen, weights, opacity, distance_of(weights, posts))


def weights_of(densities: Tensor, posts: Tensor, directions: Tensor) -> Tensor:
    """Weights [R, S] of intervals: how likely a photon is first stopped in each.

    Arguments as of `composite`.
    """
    if densities.dim() != 2 or posts.shape != (len(densities), densities.shape[1] + 1):
        raise ValueError(
            f"densities must be [R, S] and posts [R, S + 1], not {list(densities.shape)} and"
            f" {list(posts.shape)}"
        )
    if directions.shape != (len(densities), 3):
        raise ValueError(f"directions of {len(densities)} rays must be [R, 3], not {list(directions.shape)}")
    lengths = torch.diff(posts, dim=1) * torch.linalg.vector_norm(directions, dim=-1, keepdim=True)
    depths = densities * lengths
    before = torch.nn.functional.pad(torch.cumsum(depths[:, :-1], 1), (1, 0))
    return torch.exp(-before) * -torch.expm1(-depths)


def distance_of(weights: Tensor, posts: Tensor) -> Tensor:
    """Mean t [R] of what is seen, by weights [R, S] of intervals; the last post where nothing is."""
    middles = (posts[:, :-1] + posts[:, 1:]) / 2
    opacity = weights.sum(-1)
    something = opacity > 0
    mean = (weights * middles).sum(-1) / torch.where(something, opacity, 1)
    mean = torch.clamp(mean, posts[:, 0], posts[:, -1])
    return torch.where(something, mean, posts[:, -1])


def _background(background: Background, colours: Tensor) -> Tensor:
    """[3] or [R, 3], for colours [R, S, 3]."""
    if isinstance(background, Tensor):
        if background.shape not in ((3,), (len(colours), 3)):
            raise ValueError(f"a background must be [3] or [R, 3], not {list(background.shape)}")
        return background
    if background == "last_sample":
        return colours[:, -1]
    if background not in ("white", "black"):
        raise ValueError(f"there is no background {background!r}; there are white, black, last_sample")
    return colours.new_full((3,), float(background == "white"))
