"""Where along a ray something may be, said by a small density field of its own (mip-NeRF 360's proposal
network, arXiv:2111.12077, section 3; as a small hash grid, as Nerfacto has it, arXiv:2302.04264).
"""

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor

from . import hash_grid, mlp

_MOST_LOG_DENSITY = 12.0
_START = -1.0  # logarithm of the first densities


@dataclass(frozen=True)
class Settings:
    """Sizes of a proposal's field."""

    grid: hash_grid.Settings = field(
        default_factory=lambda: hash_grid.Settings(levels=5, features=2, log2_rows=16, growth=1.68)
    )
    width: int = 16

    def as_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> "Settings":
        """The settings that `as_json` gave. Raises ValueError, TypeError for others."""
        return cls(**{**saved, "grid": hash_grid.Settings(**saved["grid"])})


class Proposal(torch.nn.Module):
    """Density of points of the unit cube."""

    def __init__(self, settings: Settings, *, generator: torch.Generator | None = None) -> None:
        """generator: of the first weights; on the CPU."""
        super().__init__()
        self.settings = settings
        self.grid = hash_grid.HashGrid(settings.grid, generator=generator)
        self.density = mlp.Mlp(settings.grid.width, 1, width=settings.width, hidden=1, generator=generator)

    def forward(self, points: Tensor) -> Tensor:
        """Densities [P] (of the field's frame) of points [P, 3] in the unit cube."""
        logarithm = self.density(self.grid(points))[:, 0] + _START
        return torch.exp(logarithm.clamp(max=_MOST_LOG_DENSITY))
