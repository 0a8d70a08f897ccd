"""Which views of a capture are edited when not all are: those that are farthest apart."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def spread(poses: Sequence[NDArray[np.float64]], count: int) -> list[int]:
    """Numbers of `count` of the poses [4, 4], in the order chosen: each is the farthest from those before, by
    where it stands and where it looks. The first is the one nearest to the middle of all.
    """
    matrices = np.stack(poses)
    places = matrices[:, :3, 3] - matrices[:, :3, 3].mean(0)
    size = float(np.linalg.norm(places, axis=1).mean()) or 1.0
    points = np.concatenate([places / size, -matrices[:, :3, 2]], 1)
    first = int(np.linalg.norm(points - points.mean(0), axis=1).argmin())
    chosen = [first]
    away = np.linalg.norm(points - points[first], axis=1)
    while len(chosen) < min(count, len(points)):
        away[chosen] = -1.0
        chosen.append(int(away.argmax()))
        away = np.minimum(away, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return chosen


def batches(chosen: Sequence[int], size: int) -> list[list[int]]:
    """The chosen views in batches of `size` or one less, each spread over all of them: every n-th."""
    count = -(-len(chosen) // size) if chosen else 0
    return [list(chosen[start::count]) for start in range(count)]
