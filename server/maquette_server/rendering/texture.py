"""Texture lookup as a linear map: which texels a sample reads and with which weights.

S x S texels, C channels, P pixels, K texels a pixel. Row 0 of a texture is v = 1, texel (i, j) covers
[i, i+1] x [j, j+1] / S. A pyramid is the texture and its halvings as one table of rows [N, C], level 0
first; a `Lookup` holds rows of that table, so that rendering is one weighted gather and its adjoint one
scatter.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Filter = Literal["nearest", "bilinear", "mip"]
Border = Literal["clamp", "repeat"]


@dataclass(frozen=True)
class Lookup:
    """P pixels as weighted sums of table rows; a pixel that sees nothing has weight 0 everywhere."""

    index: Tensor  # [P, K] int32 or int64
    weight: Tensor  # [P, K] float

    def render(self, table: Tensor) -> Tensor:
        """[P, C] from table [N, C]; differentiable in the table."""
        return torch.nn.functional.embedding_bag(
            self.index, table, mode="sum", per_sample_weights=self.weight
        )


def level_count(side: int) -> int:
    """Number of pyramid levels down to 4 texels a side (smaller ones mix the whole atlas and are of no
    use).
    """
    return max(1, int(math.log2(side)) - 1) if side & (side - 1) == 0 else 1


def pyramid(texture: Tensor, levels: int) -> Tensor:
    """[C, S, S] -> table [S^2 + (S/2)^2 + ..., C]; each level averages 2 x 2 texels of the one before."""
    rows = [texture.flatten(1).T]
    for _ in range(1, levels):
        texture = torch.nn.functional.avg_pool2d(texture, 2)
        rows.append(texture.flatten(1).T)
    return torch.cat(rows) if levels > 1 else rows[0].contiguous()


def lookup(
    uv: Tensor,
    side: int,
    *,
    filter: Filter,
    border: Border,
    texels_per_pixel: Tensor | None = None,
    levels: int = 1,
) -> Lookup:
    """The lookup of P points.

    uv: [P, 2], v up.  texels_per_pixel: [P], square root of the texel area under a pixel, needed for `mip`.
    """
    if filter == "nearest":
        column, row = _texel(uv, side, 0.0)
        index = _wrap(column.floor(), side, border) + side * _wrap(row.floor(), side, border)
        return Lookup(index[:, None], torch.ones_like(uv[:, :1]))
    if filter == "bilinear" or texels_per_pixel is None or levels == 1:
        return Lookup(*_bilinear(uv, side, 0, border))
    level = torch.log2(texels_per_pixel.clamp(min=1e-6)).clamp(0, levels - 1)
    lower = level.floor().clamp(max=levels - 2).long()
    share = (level - lower)[:, None]
    near_index, near_weight = _bilinear_levels(uv, side, lower, border)
    far_index, far_weight = _bilinear_levels(uv, side, lower + 1, border)
    return Lookup(
        torch.cat([near_index, far_index], 1), torch.cat([near_weight * (1 - share), far_weight * share], 1)
    )


def pooled(samples: Lookup, hit: Tensor, per_pixel: int) -> tuple[Lookup, Tensor]:
    """Averages groups of `per_pixel` consecutive samples: lookup of P / per_pixel pixels and their coverage
    [P / per].

    hit: [P] bool; a sample that misses has no weight.
    """
    pixels = len(hit) // per_pixel
    weight = samples.weight * (hit[:, None].to(samples.weight.dtype) / per_pixel)
    coverage = hit.reshape(pixels, per_pixel).to(samples.weight.dtype).mean(1)
    return Lookup(samples.index.reshape(pixels, -1), weight.reshape(pixels, -1)), coverage


def _bilinear_levels(uv: Tensor, side: int, level: Tensor, border: Border) -> tuple[Tensor, Tensor]:
    """Bilinear lookup of each point in its own level [P] of the pyramid."""
    sides = side >> level
    # Levels before this one hold S^2 (1 + 1/4 + ...) rows.
    starts = (side * side * 4 - (sides * sides) * 4) // 3
    index, weight = _bilinear(uv, sides, starts, border)
    return index, weight


def _bilinear(uv: Tensor, side: int | Tensor, start: int | Tensor, border: Border) -> tuple[Tensor, Tensor]:
    column, row = _texel(uv, side, 0.5)
    left, top = column.floor(), row.floor()
    across, down = column - left, row - top
    indices, weights = [], []
    for dy in (0, 1):
        for dx in (0, 1):
            indices.append(start + _wrap(left + dx, side, border) + side * _wrap(top + dy, side, border))
            weights.append((across if dx else 1 - across) * (down if dy else 1 - down))
    return torch.stack(indices, 1), torch.stack(weights, 1)


def _texel(uv: Tensor, side: int | Tensor, shift: float) -> tuple[Tensor, Tensor]:
    return uv[:, 0] * side - shift, (1 - uv[:, 1]) * side - shift


def _wrap(texel: Tensor, side: int | Tensor, border: Border) -> Tensor:
    texel = texel.long()
    if border == "repeat":
        return texel % side
    return texel.clamp(min=0).minimum(torch.as_tensor(side, device=texel.device) - 1)
