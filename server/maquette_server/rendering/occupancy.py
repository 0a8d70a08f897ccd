"""Which cells of a field hold something: kept up to date while the field learns (arXiv:2201.05989, app. E.2).

Every cell remembers the largest density met there lately. Cells below a threshold are skipped by `marching`.
"""

from collections.abc import Callable

import torch
from torch import Tensor

_FADING = 0.95  # of what a cell remembers, from one look at it to the next
_FIRST_FADING = 0.7  # while the field still finds its shape
_LEAST_ALPHA = 0.01  # of a step, below which a cell counts as empty
_WARM_LOOKS = 16
_SHARE = 8  # a look takes in one cell of so many, and as many of the occupied ones
_CHUNK = 1 << 16


class Occupancy:
    """A cube of cells [G, G, G] over the unit cube, axes x, y, z."""

    def __init__(self, side: int, device: torch.device) -> None:
        self.remembered = torch.zeros(side, side, side, device=device)
        self.occupied = torch.ones(side, side, side, dtype=torch.bool, device=device)
        self._looks = 0

    @property
    def looks(self) -> int:
        """How often the field was looked at."""
        return self._looks

    @torch.no_grad()
    def learnt(self, occupied: Tensor, threshold: float) -> None:
        """Begins with what an earlier training found: cells bool [G, G, G] that are occupied, and a density
        at which a cell is. They are forgotten like any others when nothing is met there.
        """
        if occupied.shape != self.occupied.shape:
            raise ValueError(f"{list(occupied.shape)} cells are not {list(self.occupied.shape)}")
        self.occupied = occupied.to(self.occupied.device, copy=True)
        self.remembered = torch.where(self.occupied, threshold, 0.0)
        self._looks = _WARM_LOOKS

    @torch.no_grad()
    def look(self, density: Callable[[Tensor], Tensor], step: float, generator: torch.Generator) -> None:
        """Looks at the density of all cells the first time, then at some of them.

        density: of points [P, 3] in the unit cube, [P].  step: length of a step in the field's frame.
        """
        side, device = self.occupied.shape[0], self.occupied.device
        everything = side**3
        if self._looks == 0:
            cells = torch.arange(everything, device=device)
        else:
            some = torch.randint(everything, (everything // _SHARE,), generator=generator, device=device)
            known = self.occupied.flatten().nonzero()[:, 0]
            if len(known):
                count = min(len(known), everything // _SHARE)
                pick = torch.randint(len(known), (count,), generator=generator, device=device)
                some = torch.cat([some, known[pick]])
            cells = some.unique()
        corner = torch.stack([cells // (side * side), cells // side % side, cells % side], 1)
        shift = torch.rand(len(cells), 3, generator=generator, device=device)
        points = ((corner + shift) / side).clamp(max=1.0)
        found = torch.cat([density(part) for part in points.split(_CHUNK)])
        flat = self.remembered.view(-1)
        fading = _FIRST_FADING if self._looks < _WARM_LOOKS else _FADING
        flat[cells] = torch.maximum(flat[cells] * fading, found)
        self._looks += 1
        threshold = torch.minimum(flat.mean(), flat.new_tensor(_LEAST_ALPHA / step))
        self.occupied = self.remembered > threshold

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs, copied."""
        return {
            "remembered": self.remembered.cpu().clone(),
            "occupied": self.occupied.cpu().clone(),
            "looks": torch.tensor(self._looks),
        }

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Goes on from a state."""
        self.remembered.copy_(saved["remembered"])
        self.occupied = saved["occupied"].clone().to(self.remembered.device)
        self._looks = int(saved["looks"])
