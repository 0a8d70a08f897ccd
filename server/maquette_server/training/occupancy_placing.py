"""Samples in the occupied cells of a bounded field (Mueller et al., arXiv:2201.05989, appendix E).

The number of rays follows the number of samples, so that a step costs the same when rays have become short.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..fields import grid
from ..fields.domain import Domain
from ..rendering import marching
from ..rendering.occupancy import Occupancy
from ..rendering.occupied import OccupiedSampler
from ..rendering.rays import Rays

_LOOK_EVERY = 16  # steps between two looks at the occupancy
_FEWEST, _MOST = 128, 16384  # rays of a step
_LIT_FROM = 200  # steps: before, nothing is so dense that it hides what is behind it
_CELLS = 64  # of the occupancy along an axis


class OccupancyPlacing:
    """See `sample_placing.Placing`."""

    def __init__(
        self,
        field: grid.GridField,
        domain: Domain,
        step: float,
        samples: int,
        device: torch.device,
        learnt: Tensor | None = None,
    ) -> None:
        """step: between samples, in the field's frame.  samples: of an optimiser step, on average.  learnt:
        bool [G, G, G], the occupied cells of a field that has learnt before.
        """
        self._field, self._domain, self._step, self._samples = field, domain, step, samples
        self.occupancy = Occupancy(_CELLS if learnt is None else learnt.shape[0], device)
        if learnt is not None:
            self.occupancy.learnt(learnt, 1 / step)
        self._lit_from = _LIT_FROM if learnt is None else 0
        self.rays = 256

    def look(self, step: int, random: torch.Generator) -> None:
        """Every so many steps."""
        if step % _LOOK_EVERY == 0:
            self.occupancy.look(self._field.density_at, self._step, random)

    def place(self, rays: Rays, step: int, random: torch.Generator) -> marching.Samples:
        """On a lattice with a random beginning."""
        lit = self._field if step >= self._lit_from else None
        shifts = torch.rand(len(rays), generator=random, device=rays.device)
        found = marching.march(rays, shifts, self.occupancy.occupied, self._domain, self._step, lit)
        wanted = 0.8 * self.rays + 0.2 * self.rays * self._samples / max(len(found), 1)
        self.rays = int(min(_MOST, max(_FEWEST, wanted)))
        return found

    def loss(self, densities: Tensor, samples: marching.Samples) -> Tensor | None:
        """Nothing."""
        return None

    def learn(self, rate: float) -> None:
        """Nothing: `look` does it."""

    def sampler(self) -> OccupiedSampler:
        """Of the cells that are occupied now."""
        return OccupiedSampler(self.occupancy.occupied, self._domain, self._step)

    def state(self) -> dict[str, Tensor]:
        """The occupancy and the number of rays."""
        return {**self.occupancy.state(), "rays": torch.tensor(self.rays)}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Goes on from a state."""
        self.occupancy.restore(dict(saved))
        self.rays = int(saved["rays"])
