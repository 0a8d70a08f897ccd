"""Deterministic sampling over a time grid of our own (DDIM, arXiv:2010.02502, Eq. 12 with eta 0).

abar is the cumulative product of (1 - beta) at a timestep.
"""

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Grid:
    """Timesteps of one run, from noisy to clean, evenly apart."""

    timesteps: tuple[int, ...]
    spacing: int

    def __len__(self) -> int:
        return len(self.timesteps)


def leading(top: int, steps: int) -> Grid:
    """`steps` timesteps as if the model had been trained with `top` of them: "leading" with an offset of 1.

    The first is (steps - 1) floor(top / steps) + 1, which is below `top`. Released code of arXiv:2303.12789
    (it pretends so by changing the scheduler's configuration). Fewer than `steps` levels are all taken.
    """
    if top < 1 or steps < 1:
        raise ValueError(f"{steps} steps from level {top} are none")
    steps = min(steps, top)
    spacing = top // steps
    return Grid(tuple(spacing * k + 1 for k in reversed(range(steps))), spacing)


def abar_at(alphas_cumprod: Tensor, timestep: int, final: float) -> Tensor:
    """abar of a timestep; `final` for those before the first one."""
    return alphas_cumprod[timestep] if timestep >= 0 else alphas_cumprod.new_tensor(final)


def ddim(z_t: Tensor, noise: Tensor, abar: Tensor, abar_next: Tensor) -> Tensor:
    """z at the next level: sqrt(abar_s) x0 + sqrt(1 - abar_s) eps, with x0 = (z - sqrt(1 - abar) eps) /
    sqrt(abar). No clipping. z_t, noise: [B, C, h, w]; abar, abar_next: scalars.
    """
    clean = (z_t - (1 - abar).sqrt() * noise) / abar.sqrt()
    found: Tensor = abar_next.sqrt() * clean + (1 - abar_next).sqrt() * noise
    return found


def three_way(text: Tensor, image: Tensor, nothing: Tensor, text_scale: float, image_scale: float) -> Tensor:
    """Guidance by an instruction and by the picture it is about (arXiv:2211.09800, Eq. 3).

    text, image, nothing: noise predicted with both, with the picture alone, with neither.
    """
    return nothing + text_scale * (text - image) + image_scale * (image - nothing)


def steps_for(share: float, steps: int, least: int = 3) -> int:
    """Steps from a noise level that is a share of the highest one, in proportion to it, but not too few."""
    return max(min(least, steps), min(steps, math.ceil(steps * share)))
