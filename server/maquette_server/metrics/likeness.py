"""How alike two sides of an object are: a face on both is the known failure of score distillation (Janus)."""

import numpy as np
from numpy.typing import NDArray

_STRUCTURE = 0.04  # standard deviation of brightness below which a side has nothing on it that could repeat


def front_back(
    front: NDArray[np.floating],
    back: NDArray[np.floating],
    seen_front: NDArray[np.bool_],
    seen_back: NDArray[np.bool_],
) -> float | None:
    """The larger correlation of the brightness of the front with that of the back and of its mirror image,
    -1..1, where both are seen; None where a side is all but plain.

    front, back: [H, W, 3], 0..1, of opposite cameras.  seen: [H, W].
    """
    found: list[float] = []
    for picture, seen in ((back, seen_back), (back[:, ::-1], seen_back[:, ::-1])):
        both = seen_front & seen
        if both.sum() < 16:
            continue
        one, other = (each[both].mean(-1) for each in (front, picture))
        spread = one.std(), other.std()
        if min(spread) < _STRUCTURE:
            continue
        found.append(float(((one - one.mean()) * (other - other.mean())).mean() / (spread[0] * spread[1])))
    return max(found) if found else None
