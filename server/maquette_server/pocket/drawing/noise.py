"""Smooth random fields: sums of sine waves of random direction (a cheap stand-in for gradient noise).

Numbers between 0 and 1 (`dice`) stand for all that is random, so that the same dice draw the same pattern.
"""

import math

import torch
from torch import Tensor

DICE_A_WAVE = 4


def waves(
    points: Tensor, dice: Tensor, frequency: float, stretch: tuple[float, float, float] = (1, 1, 1)
) -> Tensor:
    """A field of about unit amplitude, [N, M], at points [N, M, 3]; dice [N, 4 K] make K waves.

    `frequency` is in waves a unit, varied by 0.6 to 1.8 from wave to wave; `stretch` multiplies it by axis.
    """
    cast = dice.reshape(len(dice), -1, DICE_A_WAVE)  # [N, K, 4]
    z = 2 * cast[..., 0] - 1
    around = 2 * math.pi * cast[..., 1]
    flat = (1 - z * z).clamp(min=0).sqrt()
    direction = torch.stack([flat * around.cos(), flat * around.sin(), z], -1) * direction_scale(stretch, z)
    direction = direction / direction.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    vector = direction * (2 * math.pi * frequency * (0.6 + 1.2 * cast[..., 2:3]))
    phase = 2 * math.pi * cast[..., 3]
    total = torch.baddbmm(phase[:, None], points, vector.transpose(1, 2)).sin().sum(-1)
    return total / (1.4 * math.sqrt(cast.shape[1] / 2))


def direction_scale(stretch: tuple[float, float, float], like: Tensor) -> Tensor:
    """`stretch` as a tensor beside `like`."""
    return torch.tensor(stretch, dtype=like.dtype, device=like.device)
