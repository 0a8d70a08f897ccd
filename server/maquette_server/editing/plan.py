"""When which views are edited, from which noise level: iterative data set update (arXiv:2303.12789, sec. 4.2)
as published, and passes with falling noise over batches of views.

Progress is the share of the work that is over, 0..1; noise levels are shares of the model's timesteps.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..guidance import sampling
from ..training import seeds
from .spread import batches

EDIT_EVERY = 10  # steps of the field between two edits, as published
LEVELS = (0.98, 0.8, 0.6, 0.4)  # of the passes
_LAST = 0.8  # share of the work at which the last pass begins


@dataclass(frozen=True)
class Edit:
    """Views that are edited together."""

    number: int  # of this edit in the job
    views: tuple[int, ...]
    top: int  # timesteps, see `sampling.leading`
    steps: int  # calls of the network


class Plan(Protocol):
    """Says before every step of the field which edits are due."""

    def due(self, step: int, progress: float, done: int) -> Edit | None:
        """The edit that comes before step `step`, if one does; `done` edits were made before it."""


class Classic:
    """One view every 10 steps, in an order that stays the same, from a random level."""

    def __init__(self, views: Sequence[int], seed: int, timesteps: tuple[int, int], steps: int) -> None:
        """timesteps: lowest and highest level that is drawn, both included."""
        order = seeds.generator(seed, "order").permutation(len(views))
        self._views = [views[k] for k in order]
        self._seed, self._timesteps, self._steps = seed, timesteps, steps

    def due(self, step: int, progress: float, done: int) -> Edit | None:
        """See `Plan`."""
        if step % EDIT_EVERY or done > step // EDIT_EVERY:
            return None
        low, high = self._timesteps
        top = int(seeds.generator(self._seed, f"level {done}").integers(low, high + 1))
        return Edit(done, (self._views[done % len(self._views)],), top, self._steps)


class Joint:
    """All views in every pass, batch after batch, from a level that falls from pass to pass."""

    def __init__(
        self,
        views: Sequence[int],
        batch: int,
        train_timesteps: int,
        steps: int,
        levels: Sequence[float] = LEVELS,
    ) -> None:
        """steps: calls of the network from the highest level; from lower ones in proportion."""
        self._batches = batches(views, batch)
        tops = [max(1, round(level * train_timesteps)) for level in levels]
        calls = [sampling.steps_for(level, steps) for level in levels]
        self._passes = list(zip(tops, calls, strict=True))

    @property
    def calls(self) -> list[int]:
        """Of the network in each pass, a view each."""
        views = sum(map(len, self._batches))
        return [count * views for _, count in self._passes]

    @property
    def batches(self) -> int:
        """Of a pass."""
        return len(self._batches)

    def keep(self, passes: Sequence[int]) -> None:
        """Only these passes are made."""
        self._passes = [self._passes[k] for k in passes]

    def shrink(self, batches: int) -> list[int]:
        """Only so many batches are edited; returns the views of the others."""
        dropped = [view for batch in self._batches[batches:] for view in batch]
        self._batches = self._batches[:batches]
        return dropped

    def due(self, step: int, progress: float, done: int) -> Edit | None:
        """See `Plan`."""
        number, batch = divmod(done, len(self._batches))
        if number >= len(self._passes):
            return None
        if batch == 0 and progress < _LAST * number / max(1, len(self._passes) - 1):
            return None
        top, calls = self._passes[number]
        return Edit(done, tuple(self._batches[batch]), top, calls)

    def first_pass(self, done: int) -> bool:
        """Whether so many edits are just the first pass."""
        return done == len(self._batches)
