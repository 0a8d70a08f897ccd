"""The Sketch-Shape loss: an object keeps to a rough solid, the more the farther from its surface
(Latent-NeRF, arXiv:2211.07600, section 3.2).

    alpha  = 1 - exp(-0.2 sigma)                    sigma is the density, 0.2 has nothing to do with any step
    CE     = -[alpha log c(q) + (1 - alpha) log c(1 - q)]        q = 1 inside, 0 outside; c cuts to 0.01..0.99
    weight = 1 - exp(-d^2 / (2 sigma_S^2))          d is the distance to the surface

as the released code has it: the paper prints the exponent without the square of sigma_S. The cross entropy is
linear in alpha, and only alpha has a gradient.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..geometry.sketch_volume import SketchVolume

REACH = 0.2  # of alpha, in the field's frame
CUT = 0.01  # c
_MOST = 4.0  # distances above it, which the cube has none of, count as that
_UNIT = _MOST / 2**15


def occupied(densities: Tensor) -> Tensor:
    """alpha of densities of any shape; a point counts as occupied above one half."""
    return -torch.expm1(-REACH * densities)


def terms(densities: Tensor, inside: Tensor, weights: Tensor) -> Tensor:
    """weight times CE [P] of densities [P], bool [P] and weights [P]."""
    alpha = occupied(densities)
    likely, unlikely = math.log(1 - CUT), math.log(CUT)
    given = torch.where(inside, likely, unlikely)
    other = torch.where(inside, unlikely, likely)
    return weights * -(alpha * given + (1 - alpha) * other)


def weights_of(distances: Tensor, softness: float) -> Tensor:
    """Weights [P] by distances [P]; softness is sigma_S, 0 makes all of them 1."""
    if softness <= 0:
        return torch.ones_like(distances)
    return -torch.expm1(-distances.square() / (2 * softness**2))


class SketchShape:
    """The loss of one sketch."""

    def __init__(self, volume: SketchVolume, softness: float, device: torch.device) -> None:
        """softness: sigma_S, of the parts that are not locked, in the field's frame."""
        self._signed = torch.from_numpy(volume.signed).to(device)
        # half as large: most of what the loss takes on a CPU is the way to memory
        self._narrow = np.round(volume.signed.clip(-_MOST, _MOST - _UNIT) / _UNIT).astype(np.int16)
        # below 0 where locked; one number where it is the same everywhere
        held = torch.from_numpy(np.where(volume.lock, -volume.strength, volume.strength))
        self._held = (held[:1, :1, :1].clone() if (held == held[0, 0, 0]).all() else held).to(device)
        self._softness = softness

    def loss(self, points: Tensor, densities: Tensor) -> Tensor:
        """Mean of the terms over points [P, 3] of the unit cube; differentiable, once, in densities [P]."""
        if densities.device.type == "cpu":
            about = (points, self._narrow, self._held, self._softness)
            compiled: Tensor = _Compiled.apply(densities, *about)
            return compiled
        return self.plain_loss(points, densities)

    def plain_loss(self, points: Tensor, densities: Tensor) -> Tensor:
        """`loss` for any device."""
        signed, held = self.look(points)
        weights = torch.where(held < 0, 1.0, weights_of(signed.abs(), self._softness))
        return terms(densities, signed < 0, held.abs() * weights).mean()

    def look(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Distance to the surface (negative inside), between the grid's points linearly, and the strength
        there, below 0 where locked, of the nearest of the grid's points: [P] each.
        """
        places = (2 * points - 1).flip(-1)[None, None, None]  # grid_sample takes z, y, x
        found = []
        for volume, mode in ((self._signed, "bilinear"), (self._held, "nearest")):
            looked = torch.nn.functional.grid_sample(
                volume[None, None], places, mode=mode, align_corners=False, padding_mode="border"
            )
            found.append(looked[0, 0, 0, 0])
        return found[0], found[1]


class _Compiled(torch.autograd.Function):
    """The loss by `sketch_kernels`."""

    @staticmethod
    def forward(
        ctx: Any,
        densities: Tensor,
        points: Tensor,
        signed: NDArray[np.int16],
        held: Tensor,
        softness: float,
    ) -> Tensor:
        from . import sketch_kernels  # numba takes half a second to import

        found, slopes = torch.empty_like(densities), torch.empty_like(densities)
        sketch_kernels.terms(
            points.contiguous().numpy(),
            densities.detach().contiguous().numpy(),
            signed,
            np.float32(_UNIT),
            held.numpy(),
            *(np.float32(each) for each in (softness, REACH, math.log(1 - CUT), math.log(CUT))),
            found.numpy(),
            slopes.numpy(),
        )
        ctx.save_for_backward(slopes)
        return found.mean()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (slopes,) = ctx.saved_tensors
        return slopes * (gradient / len(slopes)), None, None, None, None
