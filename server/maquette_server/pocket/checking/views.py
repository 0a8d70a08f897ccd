"""Views of given things from cameras of the check's own: whole things from the side, or close-ups."""

import math
from collections.abc import Sequence

import numpy as np

from ...cameras import pinhole
from ...training import seeds
from ..drawing import buffers
from ..drawing.buffers import SIDE, Views
from ..drawing.shapes import FAMILIES

_NAMES = [family.name for family in FAMILIES]
_FOV = math.radians(40)
_CLOSE_EVERY = 5  # one view in so many is a close-up, when asked for


def cast(families: Sequence[str], seed: int, close: bool = False) -> Views:
    """One view of a new thing of each family named, [V]; `close`: one in five is a close-up."""
    rng = seeds.generator(seed, "check views")
    rows = []
    for number, name in enumerate(families):
        thing = buffers.Thing(_NAMES.index(name), rng)
        azimuth, elevation = rng.uniform(0, 360), rng.uniform(-10, 40)
        near = close and number % _CLOSE_EVERY == 0
        camera = _camera(azimuth, elevation, rng.uniform(1.3, 1.9) if near else rng.uniform(0.8, 1.0))
        rows.append(thing.seen(azimuth, elevation, camera))
    return buffers.stacked(rows)


def _camera(azimuth: float, elevation: float, filled: float) -> pinhole.Pinhole:
    """Looks at the middle; `filled` is the unit ball's diameter over the frame."""
    distance = 1 / math.sin(math.atan(math.tan(_FOV / 2) * filled))
    matrix = pinhole.look_at(
        distance * buffers.towards(azimuth, elevation), np.zeros(3), np.array([0.0, 1.0, 0.0])
    )
    return pinhole.Pinhole.from_fov(matrix, _FOV, SIDE, SIDE)
