"""What a rasteriser gives, whichever it is: which triangle each pixel sees and where on it.

Row 0 is the top. `bary` are the perspective-correct weights of corners 1 and 2, so the seen point is
(1 - b0 - b1) p0 + b0 p1 + b1 p2. Both sides of a triangle are seen. `Raster` is numpy, `TorchRaster` the same
on a device.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..cameras.pinhole import Pinhole


@dataclass(frozen=True)
class Raster:
    """The visible surface of one view."""

    face: NDArray[np.int32]  # [H, W], index into the triangles, -1 where nothing is seen
    bary: NDArray[np.float32]  # [H, W, 2], 0 where nothing is seen
    depth: NDArray[np.float32]  # [H, W], along the viewing axis, +inf where nothing is seen


@dataclass(frozen=True)
class TorchRaster:
    """The visible surface of one view as tensors on the rasteriser's device."""

    face: Tensor  # [H, W] int32, -1 where nothing is seen
    bary: Tensor  # [H, W, 2] float32, 0 where nothing is seen
    depth: Tensor  # [H, W] float32, +inf where nothing is seen

    def numpy(self) -> Raster:
        """The same on the host."""
        return Raster(self.face.cpu().numpy(), self.bary.cpu().numpy(), self.depth.cpu().numpy())


class Rasteriser(Protocol):
    """Made for one mesh by `choose.make`; asked for many views of it. Safe to use from several threads."""

    name: str

    def rasterise(self, camera: Pinhole) -> Raster:
        """The surface seen by the camera, [camera.height, camera.width]."""

    def rasterise_torch(self, camera: Pinhole) -> TorchRaster:
        """The same as tensors on the device the rasteriser was made for, without a round trip where it
        can.
        """
