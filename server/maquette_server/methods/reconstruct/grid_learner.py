"""The fast grid as a learner."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from ...fields import grid, proposal
from ...rendering.grid_render import GridScene
from ...rendering.proposed import Counts
from ...scenes import grid_weights
from ...training import grid_training, seeds
from ...training.occupancy_placing import OccupancyPlacing
from ...training.proposal_placing import ProposalPlacing
from ...training.sample_placing import Placing
from . import ReconstructParams
from .learning import Capture, pixels_of
from .space import Space

_STEPS = {"cpu": 5000, "cuda": 20_000}  # when nothing is said
# Samples of a step. On a CPU what learns most in a minute; in a box only those count that light reaches. On
# a GPU instant-ngp's number.
_SAMPLES = {"cpu": 10_240, "cuda": 1 << 18}
_SAMPLES_OUTSIDE = {"cpu": 8192, "cuda": 1 << 18}  # of places without bounds
# Those have little of the unit cube for what is near the cameras, so their finest level has 2,048 cells along
# a side, not an object's 168 (photographs of 90 x 160 pixels, a minute: 25.3 dB with 1.4, 27.9 with 1.7).
_GROWTH_OUTSIDE = 2.0
# An object's pixels are learnt as means of several rays once its shape is there: as long as pixels are one
# ray, the field bends to fit each of them (lego at 100 px, 9,000 steps of one length: 34.7 instead of 33.7 dB
# on views that it has not seen). Its rays are as wide as those of the finest pictures, whatever its own size,
# and so are those of every picture that is shown: that keeps small ones free of aliasing.
_SPLIT_FROM = 0.4
_FINE = 0.1  # share of the pictures that are finer than what counts as fine


class GridLearner(grid_training.GridTask):
    """See `learners.Learner`."""

    label = "grid"
    finest = math.inf  # footprint of the rays of pixels that are learnt as means of several

    @property
    def quick(self) -> int:
        """Pixels of a view that takes a few seconds at most."""
        return 1 << (17 if self.field.grid.table.device.type == "cpu" else 20)

    @property
    def backend(self) -> str:
        """What computes the field."""
        return "torch and numba" if self.field.grid.table.device.type == "cpu" else "torch"

    def record(self) -> dict[str, Any]:
        """The field in scene.json."""
        return grid_weights.record(self.scene())

    def weights(self) -> bytes:
        """The file of a checkpoint."""
        return grid_weights.encode(self.scene())

    def scene(self) -> GridScene:
        """The field as it is now."""
        return GridScene(self.field, self.placing.sampler(), self.finest if self.split else math.inf)

    def figures(self) -> dict[str, Any]:
        """How much of the room is not empty, where that is known."""
        if isinstance(self.placing, OccupancyPlacing):
            return {"occupied": float(self.placing.occupancy.occupied.float().mean())}
        return {}


def usual_steps(params: ReconstructParams, device: torch.device) -> int:
    """Optimiser steps when nothing is said."""
    return _STEPS[device.type]


def prepare(captured: Capture, space: Space, params: ReconstructParams, device: torch.device) -> None:
    """Compiles, or loads, what learning compiles on a CPU, so that it is not done while time counts."""
    if device.type == "cpu":
        frame = replace(captured.frames[0], loss_weight=1.0)
        one = replace(captured, frames=(frame,), pictures=captured.pictures[:1], known=(None,))
        learner = start(one, space, params, lambda step: 1.0, 0, device)
        for step in (0, 1 << 20):  # what the first steps need, and what the later ones
            learner.advance(step)


def start(
    captured: Capture,
    space: Space,
    params: ReconstructParams,
    progress: Callable[[int], float],
    seed: int,
    device: torch.device,
) -> GridLearner:
    """A grid that has learnt nothing."""
    pixels = pixels_of(captured, space, device, by_area=False)
    settings = grid.Settings(appearances=len(captured.frames) if params.appearance else 0)
    if space.domain.unbounded:
        settings = replace(settings, grid=replace(settings.grid, growth=_GROWTH_OUTSIDE))
    generator = seeds.torch_generator(seed, "field", torch.device("cpu"))
    field = grid.GridField(settings, generator=generator).to(device)
    samples = (_SAMPLES_OUTSIDE if space.domain.unbounded else _SAMPLES)[device.type]
    learning = grid_training.Settings(samples)
    placing: Placing
    if space.domain.unbounded:
        proposes = proposal.Proposal(proposal.Settings(), generator=generator).to(device)
        placing = ProposalPlacing(proposes, space.domain, Counts(), learning.samples)
    else:
        finest = float(pixels.cameras.footprints.quantile(_FINE)) / 2
        learning = replace(learning, split_from=_SPLIT_FROM, finest=finest)
        placing = OccupancyPlacing(field, space.domain, space.step, learning.samples, device)
    learner = GridLearner(field, pixels, placing, learning, seed, progress)
    learner.finest = learning.finest
    return learner
