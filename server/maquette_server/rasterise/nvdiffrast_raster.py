"""Hardware-speed rasterising on CUDA by nvdiffrast, when the user has installed it.

nvdiffrast speaks OpenGL: clip-space vertices, row 0 at the bottom, triangle ids that start at 1. All of that
stays in this file. Only its triangle ids are used; weights and depths are recomputed as for every rasteriser,
so that pictures do not depend on which one drew them. Nothing here imports it before a rasteriser is made.
"""

from typing import Any

import numpy as np
import torch
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from torch import Tensor

from ..cameras.pinhole import Pinhole
from . import rays
from .base import Raster, TorchRaster

LICENCE = "nvdiffrast: Nvidia Source Code License, non-commercial research and evaluation only"
_INSTALL = "Install it on a machine with CUDA as docs/gpu.md says, or choose the torch rasteriser."


def problem(device: str = "cuda") -> str:
    """Why nvdiffrast cannot be used on the device; empty when it can. Makes a context, as an import proves
    nothing.
    """
    if not torch.cuda.is_available():
        return "no CUDA device"
    try:
        _context(device)
    except ImportError:
        return "not installed"
    except (RuntimeError, OSError, AttributeError) as error:
        return f"does not work here: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
    return ""


class NvdiffrastRasteriser:
    """See `base.Rasteriser`. Raises UserError `rasteriser.missing` when nvdiffrast cannot be used."""

    name = "nvdiffrast"

    def __init__(
        self, positions: NDArray[np.float32], triangles: NDArray[np.int32], device: str = "cuda"
    ) -> None:
        try:
            self._context, self._library = _context(device)
        except (ImportError, RuntimeError, OSError, AttributeError) as error:
            raise UserError(
                "rasteriser.missing", f"The rasteriser nvdiffrast cannot be used ({error}).", hint=_INSTALL
            ) from error
        self._positions = torch.as_tensor(np.asarray(positions, np.float64)).to(device)
        self._triangles = torch.as_tensor(np.ascontiguousarray(triangles, dtype=np.int32)).to(device)

    def rasterise(self, camera: Pinhole) -> Raster:
        """See `base.Rasteriser`."""
        return self.rasterise_torch(camera).numpy()

    @torch.no_grad()
    def rasterise_torch(self, camera: Pinhole) -> TorchRaster:
        """See `base.Rasteriser`."""
        points = rays.to_camera(self._positions, camera)
        if len(self._triangles):
            size = (camera.height, camera.width)
            drawn, _ = self._library.rasterize(
                self._context, _clip_space(points, camera)[None], self._triangles, size, grad_db=False
            )
            face = drawn[0, ..., 3].flip(0).round().long() - 1
        else:
            face = torch.full((camera.height, camera.width), -1, device=points.device)
        return rays.assemble(face, self._positions, self._triangles.long(), camera)


def _context(device: str) -> tuple[Any, Any]:
    import nvdiffrast.torch as library

    return library.RasterizeCudaContext(device=device), library


def _clip_space(points: Tensor, camera: Pinhole) -> Tensor:
    """Camera-space points [V, 3] as clip coordinates [V, 4] float32, the pixel grid filling -1..1."""
    depth = -points[:, 2]
    far = depth.max().clamp(min=1e-12)
    # The nearest depth that keeps 1e-4 of the range: nothing of a scene that fits its camera is nearer.
    near = torch.maximum(depth.min() * 0.5, far * 1e-4)
    far = far * 1.5
    x = 2 * camera.focal_x / camera.width * points[:, 0] + (2 * camera.centre_x / camera.width - 1) * depth
    y = 2 * camera.focal_y / camera.height * points[:, 1] + (1 - 2 * camera.centre_y / camera.height) * depth
    z = (depth * (far + near) - 2 * far * near) / (far - near)
    return torch.stack([x, y, z, depth], -1).float()
