"""Ray casting on the CPU by Embree: one ray a pixel, the weights recomputed in float64 from the face that was
hit.

Embree works in float32, so the caller gives vertices near the origin and of about unit size (the work frame
is such).
"""

import numpy as np
import torch
from numpy.typing import NDArray

from ..cameras.pinhole import Pinhole
from . import rays
from .base import Raster, TorchRaster


class EmbreeRasteriser:
    """See `base.Rasteriser`. Tensors are moved to `device` at the end."""

    name = "embree"

    def __init__(
        self, positions: NDArray[np.float32], triangles: NDArray[np.int32], device: str = "cpu"
    ) -> None:
        from embreex import mesh_construction, rtcore_scene

        vertices = np.ascontiguousarray(positions, dtype=np.float32)
        faces = np.ascontiguousarray(triangles, dtype=np.int32)
        self._device = device
        self._positions = torch.from_numpy(vertices.astype(np.float64))
        self._triangles = torch.from_numpy(faces.astype(np.int64))
        # Robust: without it rays slip through edges that lie exactly under a pixel's centre.
        self._scene = rtcore_scene.EmbreeScene(robust=True)
        self._mesh = mesh_construction.TriangleMesh(self._scene, vertices, faces) if len(faces) else None
        if self._mesh is not None:
            # The first query commits the scene; done here, so that later ones may come from several threads.
            self._scene.run(np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32))

    def rasterise(self, camera: Pinhole) -> Raster:
        """See `base.Rasteriser`."""
        return self._cast(camera).numpy()

    def rasterise_torch(self, camera: Pinhole) -> TorchRaster:
        """See `base.Rasteriser`."""
        raster = self._cast(camera)
        return TorchRaster(
            raster.face.to(self._device), raster.bary.to(self._device), raster.depth.to(self._device)
        )

    @torch.no_grad()
    def _cast(self, camera: Pinhole) -> TorchRaster:
        directions = camera.ray_directions().reshape(-1, 3).astype(np.float32)
        origins = np.empty_like(directions)
        origins[:] = camera.position
        if self._mesh is None:
            face = np.full(len(directions), -1, np.int32)
        else:
            face = self._scene.run(origins, directions)
        grid = torch.from_numpy(face.reshape(camera.height, camera.width).astype(np.int64))
        return rays.assemble(grid, self._positions, self._triangles, camera)
