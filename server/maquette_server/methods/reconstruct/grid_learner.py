"""The fast grid as a learner."""

from collections.abc import Callable
from typing import Any

import torch

from ...fields import grid
from ...rendering.grid_render import GridScene
from ...scenes import grid_weights
from ...training import grid_training, seeds
from . import ReconstructParams
from .learning import Capture, pixels_of
from .space import Space

_STEPS = {"cpu": 5000, "cuda": 20_000}  # when nothing is said


class GridLearner(grid_training.GridTask):
    """See `learners.Learner`."""

    label = "grid"
    quick = 1 << 20

    @property
    def backend(self) -> str:
        """What computes the field."""
        return "torch and numba" if self.occupancy.occupied.device.type == "cpu" else "torch"

    def record(self) -> dict[str, Any]:
        """The field in scene.json."""
        return grid_weights.record(self.field, self.domain, self.steps, self.occupancy.occupied.shape[0])

    def weights(self) -> bytes:
        """The file of a checkpoint."""
        return grid_weights.encode(self.field, self.occupancy.occupied)

    def scene(self) -> GridScene:
        """The field as it is now."""
        return GridScene(self.field, self.occupancy.occupied, self.domain, self.steps)

    def figures(self) -> dict[str, Any]:
        """How much of the room is not empty."""
        return {"occupied": float(self.occupancy.occupied.float().mean())}


def usual_steps(params: ReconstructParams, device: torch.device) -> int:
    """Optimiser steps when nothing is said."""
    return _STEPS[device.type]


def start(
    captured: Capture,
    space: Space,
    params: ReconstructParams,
    progress: Callable[[int], float],
    seed: int,
    device: torch.device,
) -> GridLearner:
    """A grid that has learnt nothing."""
    settings = grid.Settings(appearances=len(captured.frames) if params.appearance else 0)
    generator = seeds.torch_generator(seed, "field", torch.device("cpu"))
    return GridLearner(
        grid.GridField(settings, generator=generator).to(device),
        pixels_of(captured, space, device),
        space.domain,
        space.steps,
        grid_training.Settings(),
        seed,
        progress,
    )
