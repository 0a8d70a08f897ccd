"""Points as sines and cosines of growing frequency, for fields that are plain networks.

Degree l has the frequency 2^l, without a factor of pi: coordinates are expected within about -pi..pi. The
order is that of the released code of mip-NeRF: all sines, degree by degree, the axes within each, then all
cosines.
"""

import math

import torch
from torch import Tensor

# 2 pi in three parts (Cody and Waite): a whole number below 2^16 times the first or the second is exact in
# float32.
_TURN = (6.28125, 254 / 2**17)
_TURN_REST = 2 * math.pi - sum(_TURN)


def integrated(means: Tensor, variances: Tensor | None, degrees: int = 16) -> Tensor:
    """What sines and cosines are on average over Gaussians (mip-NeRF, arXiv:2103.13415, sec. 3.1).

    means: [..., D].  variances: [..., D], the diagonal of the covariance; None leaves the average out and
    gives the values at the means. Returns [..., 2 D degrees]; differentiable. Frequencies whose waves are
    shorter than a Gaussian fade to 0.
    Raises ValueError for shapes that differ, half precision, or fewer than one degree.
    """
    if variances is not None and variances.shape != means.shape:
        raise ValueError(
            f"means and variances must have one shape, not {list(means.shape)} and {list(variances.shape)}"
        )
    angles = _reduced(_scaled(means, degrees, 1.0))
    features = torch.stack([torch.sin(angles), torch.cos(angles)], -2)
    if variances is not None:
        exponents = (_scaled(variances, degrees, 2.0) * -0.5).clamp_min(-30)
        features = features * torch.exp(exponents)[..., None, :]
    return features.flatten(-2)


def positional(values: Tensor, degrees: int = 4) -> Tensor:
    """The values themselves, then their sines and cosines: [..., D + 2 D degrees] from [..., D].

    Raises ValueError for half precision or fewer than one degree.
    """
    return torch.cat([values, integrated(values, None, degrees)], -1)


def _scaled(values: Tensor, degrees: int, power: float) -> Tensor:
    """Values times 2^(power l) for every degree l: [..., D degrees] from [..., D]."""
    if degrees < 1 or values.dim() < 1:
        raise ValueError(
            f"an encoding needs values [..., D] and a degree, not {values.dim()} axes, {degrees}"
        )
    if values.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"an encoding needs float32 or float64, not {values.dtype}")
    scales = torch.exp2(power * torch.arange(degrees, device=values.device)).to(values.dtype)
    return (values[..., None, :] * scales[:, None]).flatten(-2)


def _reduced(angles: Tensor) -> Tensor:
    """Angles within about -pi..pi: large ones are slow, or wrong, on some devices.

    In float32 exact to 1e-5 up to 2^16 turns.
    """
    turns = torch.round(angles.detach() * (1 / (2 * math.pi)))
    for part in (*_TURN, _TURN_REST):
        angles = torch.sub(angles, turns, alpha=part)
    return angles
