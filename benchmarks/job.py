"""A painting job by hand: mesh and prompt as the method sees them, without engine, worker or files."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import trimesh
from maquette_server.guidance import loading
from maquette_server.methods import base
from maquette_wire import arrays, messages
from numpy.typing import NDArray

METHOD = base.discover()["latent_paint"]


class Stopwatch:
    """Seconds of every stage, as the worker counts them."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._name, self._since = "", time.perf_counter()

    def stage(self, name: str) -> None:
        """From now on time counts for this stage."""
        now = time.perf_counter()
        self.seconds[self._name] = self.seconds.get(self._name, 0.0) + now - self._since
        self._name, self._since = name, now


def sphere(subdivisions: int = 4) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Positions [V, 3] and triangles [T, 3] of a ball of radius 1; 4 subdivisions have 5,120 triangles."""
    ball = trimesh.creation.icosphere(subdivisions=subdivisions)
    return ball.vertices.astype(np.float32), ball.faces.astype(np.int32)


def context(
    positions: NDArray[np.float32],
    triangles: NDArray[np.int32],
    params: Mapping[str, Any],
    model: loading.TextToImage,
    device: str,
    timer: base.Timer | None = None,
) -> base.RunContext:
    """The run context of `latent_paint` on a mesh without UVs, with a model that is loaded already."""
    blobs: dict[str, NDArray[Any]] = {}

    def put(array: NDArray[Any]) -> arrays.ArrayRef:
        dtype, shape, data = arrays.to_bytes(array)
        digest = arrays.digest_of(data)
        blobs[digest] = array
        return arrays.ArrayRef(dtype, shape, digest)

    def no_file(reference: messages.BlobRef) -> bytes:
        raise KeyError(reference.digest)

    mesh = messages.MeshInput(name="ball", positions=put(positions), triangles=put(triangles))
    return base.RunContext(
        params=METHOD.read_params(params),
        inputs={"mesh": mesh},
        array=lambda reference: blobs[reference.digest],
        file=no_file,
        seed=0,
        device=device,
        model=lambda kind: model,
        warn=lambda code, sentence: None,
        timer=timer or Stopwatch(),
    )
