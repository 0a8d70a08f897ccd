"""Compositing of packed samples: colours, opacities and depths of rays that have any number of samples each.

alpha_i = 1 - exp(-sigma_i length_i), T_i the product of (1 - alpha_j) before i, w_i = T_i alpha_i; a ray's
colour is the sum of w_i c_i and what remains, 1 - sum w_i, of the background (Max 1995; mip-NeRF's Eq. 3).
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def composite(
    densities: Tensor, colours: Tensor, lengths: Tensor, offsets: Tensor, background: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Colours [R, C] and opacities [R] of rays, and the samples' weights [P] (without gradient).

    densities [P], colours [P, C], lengths [P], offsets [R + 1], background [R, C]. Differentiable, once, in
    densities and colours.
    """
    if densities.device.type == "cpu":
        found: tuple[Tensor, Tensor, Tensor] = _Compiled.apply(
            densities, colours, lengths, offsets, background
        )
        return found
    return segmented(densities, colours, lengths, offsets, background)


def segmented(
    densities: Tensor, colours: Tensor, lengths: Tensor, offsets: Tensor, background: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """`composite` for any device, by sums over the whole list less what came before each ray."""
    count = len(offsets) - 1
    thickness = densities * lengths
    ray = torch.repeat_interleave(torch.arange(count, device=densities.device), offsets.diff())
    passed = torch.cat([thickness.new_zeros(1, dtype=torch.float64), thickness.double().cumsum(0)])
    before = (passed[:-1] - passed[offsets[:-1]][ray]).float()
    weights = torch.exp(-before) * -torch.expm1(-thickness)
    opacities = thickness.new_zeros(count).index_add(0, ray, weights)
    summed = colours.new_zeros(count, colours.shape[1]).index_add(0, ray, weights[:, None] * colours)
    return summed + (1 - opacities)[:, None] * background, opacities, weights.detach()


def along(values: Tensor, weights: Tensor, rays: Tensor, count: int) -> Tensor:
    """Weighted sums [R] of one number a sample [P], such as depths. rays: [P], `count` of them."""
    return values.new_zeros(count).index_add(0, rays, values * weights)


class _Compiled(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, densities: Tensor, colours: Tensor, lengths: Tensor, offsets: Tensor, background: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        from . import packed_kernels

        count = len(offsets) - 1
        found = colours.new_empty(count, colours.shape[1])
        opacities = colours.new_empty(count)
        weights = torch.empty_like(densities)
        given = [each.detach().contiguous() for each in (densities, colours, lengths, offsets, background)]
        packed_kernels.composite(
            *(each.numpy() for each in given), found.numpy(), opacities.numpy(), weights.numpy()
        )
        ctx.save_for_backward(*given, found, opacities, weights)
        ctx.mark_non_differentiable(weights)
        return found, opacities, weights

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, gradient: Tensor, for_opacities: Tensor, unused: Tensor
    ) -> tuple[Tensor | None, ...]:
        from . import packed_kernels

        densities, colours, lengths, offsets, _, found, opacities, weights = ctx.saved_tensors
        for_densities, for_colours = torch.empty_like(densities), torch.empty_like(colours)
        packed_kernels.differentiate(
            densities.numpy(),
            colours.numpy(),
            lengths.numpy(),
            offsets.numpy(),
            found.numpy(),
            opacities.numpy(),
            weights.numpy(),
            gradient.contiguous().numpy(),
            for_opacities.contiguous().numpy(),
            for_densities.numpy(),
            for_colours.numpy(),
        )
        return for_densities, for_colours, None, None, None
