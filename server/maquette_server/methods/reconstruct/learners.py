"""The fields that can learn a scene, behind one interface."""

from collections.abc import Callable
from typing import Any, Protocol

import torch

from ...rendering import seen
from ...training import loop
from .. import base
from . import ReconstructParams, grid_learner, mip_learner
from .learning import Capture
from .space import Space

KINDS = {"grid": grid_learner, "mip": mip_learner}


class Learner(loop.Task, Protocol):
    """A field with what makes it learn. One that learns on a CPU goes on bit for bit."""

    @property
    def label(self) -> str:
        """What the report calls it."""

    @property
    def backend(self) -> str:
        """What computes the field, for the report."""

    @property
    def quick(self) -> int:
        """Pixels of a view that takes a few seconds at most."""

    def restore(self, state: base.State) -> None:
        """Goes on from a checkpoint."""

    def record(self) -> dict[str, Any]:
        """The field in scene.json: all but its weights."""

    def weights(self) -> bytes:
        """The file of a checkpoint in the scene's folder."""

    def scene(self) -> seen.Field:
        """The field as it is now, to be looked at."""

    def figures(self) -> dict[str, Any]:
        """What the report says of this kind only."""


def usual_steps(params: ReconstructParams, device: torch.device) -> int:
    """Optimiser steps when nothing is said."""
    return KINDS[params.field].usual_steps(params, device)


def prepare(captured: Capture, space: Space, params: ReconstructParams, device: torch.device) -> None:
    """Does what is done once before learning and takes long, but is no part of it."""
    KINDS[params.field].prepare(captured, space, params, device)


def start(
    captured: Capture,
    space: Space,
    params: ReconstructParams,
    progress: Callable[[int], float],
    seed: int,
    device: torch.device,
) -> Learner:
    """The field that was asked for, which has learnt nothing.

    progress: of a step's number, the share of the training that is over. Raises UserError `params.bad`.
    """
    return KINDS[params.field].start(captured, space, params, progress, seed, device)
