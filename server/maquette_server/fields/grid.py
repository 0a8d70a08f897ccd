"""The fast field: a hash grid with two small networks (Mueller et al., arXiv:2201.05989, section 5.4).

One network turns a point's features into the density and a code, the other the code and the direction into a
colour. Coarse levels serve all footprints; a level whose cells are smaller than the pixel's footprint fades
out (Zip-NeRF's down-weighting, arXiv:2304.06706, section 2: the share of a Gaussian that stays in a cell), so
that a ray sees the scene without what its footprint cannot resolve.
"""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from . import hash_grid, mlp, spherical_harmonics

BLOB_WIDTH = 0.2  # standard deviation of the blob, in the field's frame
_MOST_LOG_DENSITY = 12.0  # e^12 is opaque in any step; its gradient still fits float32


_GRID = hash_grid.Settings(levels=8, features=2, log2_rows=18, growth=1.4)


@dataclass(frozen=True)
class Settings:
    """Sizes of the field."""

    grid: hash_grid.Settings = field(default_factory=lambda: _GRID)
    width: int = 64
    code: int = 15  # numbers that the density's network hands to the colour's
    appearances: int = 0  # pictures that each have a code of their own; 0 for none
    appearance: int = 8  # numbers of such a code
    smooth: bool = True  # levels fade with the footprint
    blob: float = 0.0  # added to the logarithm of the density in the middle, see `blob`
    reach: float = 0.0  # of the blob, where it falls evenly

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Settings":
        """The settings that `as_json` gave. Raises ValueError, TypeError for others."""
        return cls(**{**saved, "grid": hash_grid.Settings(**saved["grid"])})


class GridField(torch.nn.Module):
    """Density and colour of points of the unit cube."""

    def __init__(self, settings: Settings, *, generator: torch.Generator | None = None) -> None:
        """generator: of the first weights; on the CPU."""
        super().__init__()
        self.settings = settings
        extra = settings.appearance if settings.appearances else 0
        self.grid = hash_grid.HashGrid(settings.grid, generator=generator)
        self.density = mlp.Mlp(
            settings.grid.width, 1 + settings.code, width=settings.width, hidden=1, generator=generator
        )
        self.colour = mlp.Mlp(
            settings.code + spherical_harmonics.WIDTH + extra,
            3,
            width=settings.width,
            hidden=2,
            generator=generator,
        )
        self.appearance = torch.nn.Parameter(torch.zeros(settings.appearances, extra))
        scales = torch.tensor([level.scale for level in settings.grid.table])
        self._scales: Tensor
        self.register_buffer("_scales", scales, persistent=False)

    def forward(
        self, points: Tensor, spreads: Tensor, directions: Tensor, pictures: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Densities [P] (of the field's frame) and colours [P, 3] of points [P, 3] in the unit cube.

        spreads: [P], see `rendering.marching.Samples`.  directions: [P, 16], `spherical_harmonics.basis` of
        the unit directions.  pictures: [P], numbers of the pictures whose appearance is meant; None for
        their mean.
        """
        code = self.code(points, spreads)
        return density(code), self.colours(code, directions, pictures)

    def colours(self, code: Tensor, directions: Tensor, pictures: Tensor | None = None) -> Tensor:
        """Colours [P, 3] of codes [P, 1 + code]; the rest as in `forward`."""
        parts = [code[:, 1:], directions]
        if self.settings.appearances:
            known = self.appearance[pictures] if pictures is not None else self.appearance.mean(0)
            parts.append(known.expand(len(code), -1))
        return torch.sigmoid(self.colour(torch.cat(parts, 1)))

    def code(self, points: Tensor, spreads: Tensor) -> Tensor:
        """[P, 1 + code]: the logarithm of the density, and what the colour's network gets."""
        features = self.grid(points)
        if self.settings.smooth:
            kept = torch.erf(1 / (math.sqrt(8) * spreads[:, None].clamp(min=1e-9) * self._scales))
            per_level = features.view(len(points), self.settings.grid.levels, self.settings.grid.features)
            features = (per_level * kept[..., None]).flatten(1)
        found: Tensor = self.density(features)
        if self.settings.blob:
            found = torch.cat([found[:, :1] + blob(points, self.settings), found[:, 1:]], 1)
        return found

    def density_at(self, points: Tensor, spread: float = 0.0) -> Tensor:
        """[P] of points [P, 3] in the unit cube with one spread; on a CPU without gradient."""
        if points.device.type != "cpu":
            return density(self.code(points, torch.full_like(points[:, 0], spread)))
        from . import density_kernels  # numba takes half a second to import

        found = points.new_empty(len(points))
        density_kernels.densities(points.contiguous().numpy(), np.float32(spread), self.arrays, found.numpy())
        return found

    @property
    def arrays(self) -> tuple[Any, ...]:
        """The density's part, as `density_kernels` takes it: the table, the arrays of its levels, whether
        they fade, the network's first layer transposed [L F, W] and its last [1 + code, W], blob and reach.
        """
        entry, leave = (each.detach() for each in self.density.weights)
        table = self.grid.table.detach().numpy()
        levels = self.settings.grid.arrays
        layers = (entry.T.contiguous().numpy(), leave.numpy())
        blob = (np.float32(self.settings.blob), np.float32(self.settings.reach))
        return (table, *levels, self.settings.smooth, *layers, *blob)


def blob(points: Tensor, settings: Settings) -> Tensor:
    """[P, 1], what a soft ball in the middle adds to the logarithm of the density at points [P, 3] of the
    unit cube: an object that nothing is known of begins there.

    Without a reach it is a bell of the width of arXiv:2211.07600 (as its code has it) and adds nothing
    farther out. With one it falls evenly, through 0 at the reach: what is far from the middle begins empty
    (arXiv:2211.10440, section 5, has it so for the density itself).
    """
    squares = (2 * points - 1).square().sum(-1, keepdim=True)
    if settings.reach:
        return settings.blob * (1 - squares.clamp(min=1e-12).sqrt() / settings.reach)
    return settings.blob * torch.exp(-squares / (2 * BLOB_WIDTH**2))


def density(code: Tensor) -> Tensor:
    """Densities [P] of codes [P, 1 + code]."""
    return torch.exp(code[:, 0].clamp(max=_MOST_LOG_DENSITY))
