"""A multi-resolution hash grid: points as features that are learnt where they are needed (Mueller et al.,
arXiv:2201.05989, section 3).

P points in D dimensions (2 or 3), L levels of F features each. Level l has N_l vertices along an axis; their
features are rows of one table, shared by all levels. A level whose vertices fit into 2^T rows has a row for
each (it is *dense*); a finer one has 2^T rows, found by a hash, and lets vertices share them. A point gets
the D-linear mean of the 2^D vertices around it, level by level.

Where the paper leaves room, this is as tiny-cuda-nn 2.0 has it in its source: b^l N_min - 1 cells over the
unit interval, all levels shifted by half a cell of theirs (appendix A), x fastest in a dense level, its rows
rounded up to a multiple of 8, its index wrapping around at the far border. So the table, flattened, has the
order of the `params` of a tinycudann.Encoding with these settings; `benchmarks/cuda/hash_grids.py` compares
the two where tiny-cuda-nn can be built.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable

_PRIMES = (1, 2654435761, 805459861)  # of equation 4; the 1 keeps neighbours along x near each other
_START = 1e-4  # features begin evenly spread within this, as in the paper


@dataclass(frozen=True)
class Level:
    """One resolution of a grid."""

    scale: float  # cells over the unit interval
    side: int  # vertices along an axis
    dense: bool  # whether rows are found by counting, not by a hash: each vertex has its own, or it is tiled
    rows: slice  # of the table

    @property
    def size(self) -> int:
        """Number of rows."""
        return int(self.rows.stop - self.rows.start)

    def step(self, axis: int) -> int:
        """Rows from a vertex to the next one along an axis, where they are counted: 0 if that would be more
        than there are, so that a tiled level with more than 2^(T/2) vertices along an axis is the same at
        every z.
        """
        found = self.side**axis
        return found if found <= self.size else 0


@dataclass(frozen=True)
class Settings:
    """What a grid is like; the defaults are those of the paper with 2048 vertices at the finest level."""

    dimensions: int = 3
    levels: int = 16
    features: int = 2  # of a level
    log2_rows: int = 19  # T: a level has at most 2^T rows
    coarsest: int = 16  # N_min, vertices along an axis of level 0
    growth: float = 1.3819128  # b, from one level to the next (equation 3)
    tiled: bool = False  # finer levels repeat instead of being hashed, as the code of arXiv:2211.07600 has it

    def __post_init__(self) -> None:
        counts = (self.levels, self.features, self.coarsest)
        if self.dimensions not in (2, 3) or min(counts) < 1 or not 3 <= self.log2_rows <= 24:
            raise ValueError(f"a hash grid cannot have these settings: {self}")
        if not 1 <= self.growth <= 4 or self.coarsest * self.growth ** (self.levels - 1) > 2**24:
            raise ValueError(
                f"the levels of a hash grid must grow by 1 to 4, to at most 2^24 vertices: {self}"
            )

    @property
    def width(self) -> int:
        """L F, numbers that a point becomes."""
        return self.levels * self.features

    @cached_property
    def table(self) -> tuple[Level, ...]:
        """The levels, coarsest first (equation 2); their rows follow each other."""
        found: list[Level] = []
        start = 0
        # In float32 as on the device: where b^l N_min is nearly whole, N_l hangs on the rounding.
        log_growth = np.log2(np.float32(self.growth))
        for number in range(self.levels):
            scale = np.exp2(np.float32(number) * log_growth) * np.float32(self.coarsest) - np.float32(1)
            side = int(np.ceil(scale)) + (2 if self.tiled else 1)
            rows = min(-(-(side**self.dimensions) // 8) * 8, 1 << self.log2_rows)
            dense = self.tiled or side**self.dimensions <= rows
            found.append(Level(float(scale), side, dense, slice(start, start + rows)))
            start += rows
        return tuple(found)

    @cached_property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        """Scale, side, first row, rows and density of each level, as `grid_kernels` takes them."""
        return (
            np.array([level.scale for level in self.table], np.float32),
            np.array([level.side for level in self.table], np.int64),
            np.array([level.rows.start for level in self.table], np.int64),
            np.array([level.size for level in self.table], np.uint32),
            np.array([level.dense for level in self.table], np.bool_),
        )

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """The levels such that every run of them has fine ones, which take longer, and coarse ones."""
        halves = np.arange(self.levels)
        return np.concatenate([halves[::2], halves[1::2][::-1]]).astype(np.int64)


class HashGrid(torch.nn.Module):
    """The grid as a module; `table` [rows of all levels, F] is its only parameter."""

    def __init__(self, settings: Settings | None = None, *, generator: torch.Generator | None = None) -> None:
        """generator: of the first features; on the CPU."""
        super().__init__()
        self.settings = settings or Settings()
        first = torch.empty(self.settings.table[-1].rows.stop, self.settings.features)
        self.table = torch.nn.Parameter(first.uniform_(-_START, _START, generator=generator))

    def forward(self, points: Tensor) -> Tensor:
        """Features [P, L F] in the table's dtype, coarsest level first; differentiable, once, in table and
        points.

        points: [P, D], every coordinate in 0..1, float32 or better on the table's device.
        Raises ValueError for points of another shape, dtype or range.
        """
        self._check(points)
        if self._compiled(points):
            compiled: Tensor = _Compiled.apply(self.table, points.contiguous(), self.settings)
            return compiled
        corners: list[Tensor] = []
        for level in self.settings.table:
            index, weight = corners_of(points, level, self.settings.log2_rows)
            corners += [index, weight.to(self.table.dtype)]
        found: Tensor = _WeightedRows.apply(self.table, self.settings.table, *corners)
        return found

    def _compiled(self, points: Tensor) -> bool:
        """Whether the kernels for a CPU serve: in three dimensions, without a gradient for the points."""
        return (
            self.settings.dimensions == 3
            and points.device.type == self.table.device.type == "cpu"
            and points.dtype == self.table.dtype == torch.float32
            and not (points.requires_grad and torch.is_grad_enabled())
        )

    def _check(self, points: Tensor) -> None:
        dimensions = self.settings.dimensions
        if points.dim() != 2 or points.shape[1] != dimensions:
            raise ValueError(f"points must be [P, {dimensions}], not {list(points.shape)}")
        if points.dtype not in (torch.float32, torch.float64):
            raise ValueError(f"points must be float32 or float64, not {points.dtype}")
        if len(points):
            low, high = (float(bound) for bound in torch.aminmax(points.detach()))
            if not (low >= 0 and high <= 1):  # so that NaN is refused as well
                raise ValueError(f"points must lie in 0..1, these reach from {low:g} to {high:g}")


def corners_of(points: Tensor, level: Level, log2_rows: int) -> tuple[Tensor, Tensor]:
    """The vertices around points in one level: rows of the level [P, 2^D] and weights [P, 2^D] that add up
    to 1.

    points: [P, D] in 0..1. Bit d of a corner's number says whether it is the upper one along axis d.
    """
    place = points * level.scale + 0.5
    cell = place.detach().floor()
    shares = (place - cell).unbind(1)
    # Only the lowest T bits of a hash count, so those of its primes do: mostly 32 bits hold the products.
    mask = (1 << log2_rows) - 1
    steps = [level.step(axis) if level.dense else prime & mask for axis, prime in enumerate(_PRIMES)]
    narrow = level.dense or (level.side + 1) << log2_rows < 1 << 31
    lower = cell.to(torch.int32 if narrow else torch.int64).unbind(1)
    index: list[Tensor] = []
    weight: list[Tensor] = []
    for axis, share in enumerate(shares):
        below = lower[axis] * steps[axis]
        above = below + steps[axis]
        if not index:
            index, weight = [below, above], [1 - share, share]
            continue
        if level.dense:
            index = [row + below for row in index] + [row + above for row in index]
        else:
            index = [row ^ below for row in index] + [row ^ above for row in index]
        upper = [part * share for part in weight]
        weight = [part - more for part, more in zip(weight, upper, strict=True)] + upper
    rows = torch.stack(index, 1)
    rows = rows.remainder_(level.size) if level.dense else rows.bitwise_and_(mask)
    return rows, torch.stack(weight, 1)


class _Compiled(torch.autograd.Function):
    """The lookup by `grid_kernels`."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, points: Tensor, settings: Settings) -> Tensor:
        from . import grid_kernels  # numba takes half a second to import

        ctx.settings = settings
        ctx.save_for_backward(points)
        ctx.table_shape = table.shape
        found = points.new_empty(len(points), settings.width)
        grid_kernels.encode(points.numpy(), table.detach().numpy(), *settings.arrays, found.numpy())
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        from . import grid_kernels

        (points,) = ctx.saved_tensors
        total = gradient.new_zeros(ctx.table_shape)
        grid_kernels.add_gradient(
            points.numpy(),
            gradient.contiguous().numpy(),
            *ctx.settings.arrays,
            ctx.settings.order,
            total.numpy(),
        )
        return total, None, None


class _WeightedRows(torch.autograd.Function):
    """Weighted sums of table rows for all levels at once.

    torch's own backward of `embedding_bag` with weights is many times slower on a CPU than counting
    (`bincount`) with the gradients as weights. On CUDA adding in place is what the device does well.
    """

    @staticmethod
    def forward(ctx: Any, table: Tensor, levels: tuple[Level, ...], *corners: Tensor) -> Tensor:
        """corners: rows and weights of each level in turn, [P, 2^D] each. Returns [P, L F]."""
        ctx.levels = levels
        ctx.save_for_backward(table, *corners)
        found = [
            torch.nn.functional.embedding_bag(index, table[level.rows], mode="sum", per_sample_weights=weight)
            for level, index, weight in zip(levels, corners[::2], corners[1::2], strict=True)
        ]
        return torch.cat(found, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        table, *corners = ctx.saved_tensors
        for_table = torch.zeros_like(table) if ctx.needs_input_grad[0] else None
        found: list[Tensor | None] = []
        parts = gradient.split(table.shape[1], 1)
        for number, (level, part) in enumerate(zip(ctx.levels, parts, strict=True)):
            index, weight = corners[2 * number : 2 * number + 2]
            if for_table is not None:
                _add(for_table[level.rows], index, weight, part)
            for_weight = None
            if ctx.needs_input_grad[3 + 2 * number]:
                seen = table[level.rows][index.long()]  # [P, 2^D, F]
                for_weight = (seen * part[:, None]).sum(-1)
            found += [None, for_weight]
        return (for_table, None, *found)


def _add(rows: Tensor, index: Tensor, weight: Tensor, gradient: Tensor) -> None:
    """Adds weight [P, K] times gradient [P, F] to the rows [R, F] with the indices [P, K]."""
    if rows.is_cuda:
        share = weight[..., None] * gradient[:, None]
        rows.index_add_(0, index.reshape(-1), share.reshape(-1, rows.shape[1]))
        return
    flat = index.reshape(-1)
    for feature in range(rows.shape[1]):
        share = weight * gradient[:, feature, None]
        rows[:, feature] += torch.bincount(flat, share.reshape(-1), minlength=len(rows))
