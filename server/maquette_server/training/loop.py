"""The optimisation loop that every method uses: steps, checkpoints, snapshots, and a way back from NaN.

The losses of a step are what `losses` says after it; one that is not finite sends the task back to its last
good copy.
"""

import logging
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from maquette_wire.errors import UserError

from ..methods.base import Part, Snapshot, State, Step

log = logging.getLogger(__name__)

_CHECK_EVERY = 50  # steps between looks at the losses, which cost a wait on a GPU
_MOST_RETURNS = 3


class Task(Protocol):
    """What is being optimised."""

    def advance(self, step: int) -> None:
        """One optimiser step; `step` counts from 0."""

    def losses(self) -> Mapping[str, float]:
        """Named losses of the newest step."""

    def state(self) -> State:
        """All that is needed to go on, copied."""

    def rewind(self, state: State) -> None:
        """Takes the tensors of a state; the random generators stay where they are, so that the way on is
        another.
        """


def optimise(
    task: Task,
    start: int,
    total: int | Callable[[int], int],
    stage: str,
    snapshot: Callable[[int], Snapshot] | None,
    before: Callable[[int], Part[bool]] | None = None,
) -> Part[int]:
    """Steps `start` to `total`; yields after each one. Returns how many were done in all.

    total: a number, or what says after any number of steps how many there will be (as many: it is over).
    before: of a step's number, what is done before it; True ends the loop.

    Raises UserError `model.bad` when the losses are not finite again and again.
    """
    good, good_step, returns = task.state(), start, 0

    def state() -> State:
        """What a checkpoint may keep: never a state whose losses are not finite."""
        return task.state() if _finite(task.losses()) else good

    step = start
    losses: Mapping[str, float] = {}
    while step < (expected := total if isinstance(total, int) else total(step)):
        if before is not None and (yield from before(step)):
            break
        task.advance(step)
        step += 1
        if step % _CHECK_EVERY == 0 or step == expected:
            losses = task.losses()
            if _finite(losses):
                good, good_step = task.state(), step
            else:
                returns += 1
                if returns > _MOST_RETURNS:
                    raise UserError(
                        "model.bad",
                        "The model keeps giving numbers that are not finite.",
                        hint="Lower the guidance scale or the learning rate, or choose another model.",
                    )
                log.warning("losses are not finite at step %d; going back to step %d", step, good_step)
                task.rewind(good)
                step = good_step
        if (yield Step(step, expected, stage, losses, state=state, snapshot=snapshot)):
            break
    if step > good_step and not _finite(task.losses()):  # stopped between two looks at the losses
        task.rewind(good)
        step = good_step
    return step


def _finite(losses: Mapping[str, float]) -> bool:
    return all(math.isfinite(value) for value in losses.values())
