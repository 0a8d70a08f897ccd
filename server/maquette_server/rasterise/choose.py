"""Which rasterisers work here, and the one to use."""

import importlib.util
from typing import Literal

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import nvdiffrast_raster
from .base import Rasteriser
from .embree import EmbreeRasteriser
from .torch_raster import TorchRasteriser

Name = Literal["auto", "embree", "torch", "nvdiffrast"]
NAMES = ("embree", "torch", "nvdiffrast")


def available(device: str = "cuda") -> dict[str, str]:
    """Every rasteriser by name, with the reason why it cannot be used; empty when it can."""
    return {
        "embree": "" if importlib.util.find_spec("embreex") else "not installed",
        "torch": "",
        "nvdiffrast": nvdiffrast_raster.problem(device if device.startswith("cuda") else "cuda"),
    }


def make(
    name: str, positions: NDArray[np.float32], triangles: NDArray[np.int32], device: str = "cpu"
) -> Rasteriser:
    """A rasteriser for one mesh.

    name: one of `NAMES`, or "auto": on CUDA nvdiffrast when it is installed, else torch; on a CPU Embree when
    it is installed, else torch.  positions: [V, 3], near the origin and of about unit size.  triangles: [T,
    3]. Raises UserError `rasteriser.missing` when a named one cannot be used, `params.bad` for an unknown
    name.
    """
    if name == "auto":
        reasons = available(device)
        best = "nvdiffrast" if device.startswith("cuda") else "embree"
        name = best if not reasons[best] else "torch"
    if name == "torch":
        return TorchRasteriser(positions, triangles, device)
    if name == "embree":
        if importlib.util.find_spec("embreex") is None:
            raise UserError(
                "rasteriser.missing",
                "The rasteriser embree is not installed.",
                hint="Install embreex (pip install embreex), or choose the torch rasteriser.",
            )
        return EmbreeRasteriser(positions, triangles, device)
    if name == "nvdiffrast":
        return nvdiffrast_raster.NvdiffrastRasteriser(positions, triangles, device)
    raise UserError("params.bad", f"There is no rasteriser {name!r}.", hint=f"Use auto, {', '.join(NAMES)}.")
