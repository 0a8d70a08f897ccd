"""What a rasteriser gives, whichever it is: which triangle each pixel sees and where on it.

Row 0 is the top. `bary` are the perspective-correct weights of corners 1 and 2, so the seen point is
(1 - b0 - b1) p0 + b0 p1 + b1 p2. Both sides of a triangle are seen.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..cameras.pinhole import Pinhole


@dataclass(frozen=True)
class Raster:
    """The visible surface of one view."""

    face: NDArray[np.int32]  # [H, W], index into the triangles, -1 where nothing is seen
    bary: NDArray[np.float32]  # [H, W, 2], 0 where nothing is seen
    depth: NDArray[np.float32]  # [H, W], along the viewing axis, +inf where nothing is seen


class Rasteriser(Protocol):
    """Made for one mesh by `choose.make`; asked for many views of it."""

    name: str

    def rasterise(self, camera: Pinhole) -> Raster:
        """The surface seen by the camera, [camera.height, camera.width]."""
