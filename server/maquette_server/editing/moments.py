"""Moments: results on the way that are kept to be chosen from, and which of them to suggest."""

from collections.abc import Mapping, Sequence

MOST = 24
_FLAT = 0.01  # of the change so far: an edit that moves less from one moment to the next has settled


def thinned(steps: Sequence[int], most: int = MOST) -> list[int]:
    """At most `most` of some rising steps: those are left out whose neighbours are closest together; never
    the first nor the last.
    """
    kept = list(steps)
    while len(kept) > max(2, most):
        gaps = [kept[k + 1] - kept[k - 1] for k in range(1, len(kept) - 1)]
        del kept[1 + gaps.index(min(gaps))]
    return kept


def suggested(movements: Mapping[int, float]) -> int | None:
    """The first moment from which on the picture hardly changes; None where it still does at the end.

    movements: by step, the mean difference of a moment's pictures from the un-edited ones, in any unit.
    """
    steps = sorted(movements)
    largest = max(movements.values(), default=0.0)
    if len(steps) < 3 or largest <= 0:
        return None
    for number, step in enumerate(steps[:-1]):
        later = [abs(movements[other] - movements[step]) for other in steps[number + 1 :]]
        if max(later) <= _FLAT * largest:
            return step
    return None
