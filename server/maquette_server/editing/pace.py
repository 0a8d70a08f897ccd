"""How a budget is divided between editing and learning: edits take what they take, learning gets the rest.

In steps, progress is that of the field's steps. In seconds, what the edits will take is known once some were
made; passes that would leave too little time for learning are left out.
"""

import math
from collections.abc import Sequence

from ..training.budget import Budget

MOST_EDITING = 0.5  # share of the seconds


class Pace:
    """The progress of one job. Seconds of editing are part of the budget's."""

    def __init__(self, budget: Budget, steps: int | None, seconds: float | None) -> None:
        self._budget, self._steps, self._seconds = budget, steps, seconds
        self.editing = 0.0  # seconds of edits so far
        self.expected = 0.0  # seconds that all edits will have taken

    def share(self, step: int) -> float:
        """How much of the learning is over after so many steps, 0..1."""
        if self._steps is not None:
            return min(1.0, step / self._steps)
        assert self._seconds is not None
        rest = self._seconds - max(self.expected, self.editing)
        return min(1.0, max(0.0, self._budget.so_far() - self.editing) / rest) if rest > 0 else 1.0

    def batches(self, planned: int) -> int:
        """How many of a first pass's batches there is time for, once one is edited."""
        if self._seconds is None or self.editing <= 0:
            return planned
        return max(1, min(planned, int(MOST_EDITING * self._seconds / self.editing)))

    def affordable(self, calls: Sequence[int]) -> list[int]:
        """Numbers of the passes that there is time for, once the first is over: the first, the last, and of
        those between as many as fit, evenly. Sets what is expected.

        calls: of the network in each pass.
        """
        chosen = list(range(len(calls)))
        per_call = self.editing / calls[0]
        if self._seconds is not None:
            most = MOST_EDITING * self._seconds
            while len(chosen) > 1 and per_call * sum(calls[k] for k in chosen) > most:
                chosen = evenly(len(calls), len(chosen) - 1)
        self.expected = per_call * sum(calls[k] for k in chosen)
        return chosen


def evenly(count: int, wanted: int) -> list[int]:
    """`wanted` of the numbers below `count`, the first and the last among them; with one, the first."""
    if wanted == 1:
        return [0]
    return [math.floor(k * (count - 1) / (wanted - 1) + 0.5) for k in range(wanted)]
