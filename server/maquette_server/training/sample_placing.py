"""What learns where along rays something is, while a grid field learns what is there."""

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from ..rendering.grid_render import Sampler
from ..rendering.marching import Samples
from ..rendering.rays import Rays


class Placing(Protocol):
    """Places the samples of every step, and learns from what the field says there."""

    rays: int  # of the next step

    def look(self, step: int, random: torch.Generator) -> None:
        """Before a step: looks at the field, if it is time to."""

    def place(self, rays: Rays, step: int, random: torch.Generator) -> Samples:
        """Samples of the step's rays, in the field's frame."""

    def loss(self, densities: Tensor, samples: Samples) -> Tensor | None:
        """What the field's densities [P] at the samples of the last `place` add to the loss, if anything."""

    def learn(self, rate: float) -> None:
        """One step of its own, after the gradients are there. rate: as a share of the first one's."""

    def sampler(self) -> Sampler:
        """The samples of pictures, as things stand."""

    def state(self) -> dict[str, Tensor]:
        """All that `restore` needs, copied."""

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Goes on from a state."""
