"""The scene's field as something that learns again, from pictures that change (arXiv:2303.12789, sec. 4.2).

Cameras and the pictures' own codes stay as they are: edits that disagree would otherwise move them. Errors
count as they are and not squared, so that edits that disagree are not averaged.
"""

import math
from collections.abc import Callable

import torch

from ...fields.domain import Domain
from ...rendering.grid_render import GridScene
from ...rendering.occupied import OccupiedSampler
from ...rendering.proposed import ProposedSampler
from ...scenes import grid_weights
from ...training import grid_training, pixels
from ...training.occupancy_placing import OccupancyPlacing
from ...training.proposal_placing import ProposalPlacing
from ...training.sample_placing import Placing
from .source import Source

PATCH = 32  # pixels a side of the squares that LPIPS compares
_TABLE_RATE, _NETWORK_RATE = 5e-3, 1e-3
_LAST_RATE = 0.01  # of the first: else errors that count as they are leave noise in the colours
_LONGEST_GRADIENT = 1.0
_HOLD = 3.0  # else shapes bend to what single views show, and neighbours no longer agree


class Relearner(grid_training.GridTask):
    """A grid field that has learnt before; satisfies `loop.Task`."""

    finest = math.inf

    def scene(self) -> GridScene:
        """The field as it is now."""
        return GridScene(self.field, self.placing.sampler(), self.finest)

    def weights(self) -> bytes:
        """The file of a checkpoint in the scene's folder."""
        return grid_weights.encode(self.scene())


def start(
    source: Source,
    samples: int,
    progress: Callable[[int], float],
    seed: int,
    perceptual: grid_training.Perceptual | None,
    held: GridScene,
) -> tuple[Relearner, pixels.Pixels]:
    """The field of a scene, and the pictures it learns from: the un-edited ones.  held: the field as it was;
    of an object that keeps its outline the shape is kept too.
    """
    learnt, record = source.field, source.scene.record
    drawn = pixels.Pixels(
        [pixels.Picture(one.camera, one.pixels, one.known) for one in source.photographs],
        learnt.domain,
        record.near,
        record.far,
        learnt.device,
    )
    settings = grid_training.Settings(
        samples,
        table_rate=_TABLE_RATE,
        network_rate=_NETWORK_RATE,
        last_rate=_LAST_RATE,
        split_from=0.0 if math.isfinite(learnt.finest) else math.inf,
        finest=learnt.finest,
        split_after=0,
        absolute=True,
        patch=PATCH if perceptual is not None else 0,
        clip=_LONGEST_GRADIENT,
        appearance="mean" if source.rendered else "fixed",
        hold=_HOLD if source.transparent else 0.0,
    )
    task = Relearner(
        learnt.field,
        drawn,
        _placing(learnt, learnt.domain, samples),
        settings,
        seed,
        progress,
        perceptual,
        held.field,
    )
    task.finest = learnt.finest
    return task, drawn


def _placing(learnt: GridScene, domain: Domain, samples: int) -> Placing:
    sampler = learnt.sampler
    if isinstance(sampler, ProposedSampler):
        return ProposalPlacing(sampler.proposal, domain, sampler.counts, samples, learnt=True)
    assert isinstance(sampler, OccupiedSampler)
    device = torch.device(learnt.device)
    return OccupancyPlacing(learnt.field, domain, sampler.step, samples, device, learnt=sampler.cells)
