"""A guided job by hand: meshes and prompt as the method sees them, without engine, worker or files."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import trimesh
from maquette_server.guidance import loading
from maquette_server.methods import base
from maquette_wire import arrays, messages
from numpy.typing import NDArray

METHOD = base.discover()["latent_paint"]
SCULPTING = base.discover()["latent_nerf"]
Triangles = tuple[NDArray[np.float32], NDArray[np.int32]]  # positions [V, 3], corners [T, 3]


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


def sphere(subdivisions: int = 4) -> Triangles:
    """A ball of radius 1; 4 subdivisions have 5,120 triangles."""
    return _triangles(trimesh.creation.icosphere(subdivisions=subdivisions))


def figure() -> list[Triangles]:
    """A toy figure of five solids as Blender adds them, which overlap: torso, head, hat, belt, foot. y is up
    and z to the front.
    """
    made = trimesh.creation
    solids = [
        (made.box((1.0, 1.2, 0.7)), (0, 0.2, 0), False),
        (made.uv_sphere(0.55, (16, 32)), (0, 1.2, 0), False),
        (made.cone(0.5, 0.7, sections=32), (0, 1.5, 0), True),
        (made.torus(0.62, 0.17, 48, 12), (0, -0.1, 0), True),
        (made.cylinder(0.45, 1.0, sections=32), (0, -0.8, 0.1), True),
    ]
    found = []
    for solid, place, upright in solids:
        if upright:  # made along z
            solid.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, (1, 0, 0)))
        solid.apply_translation(place)
        found.append(_triangles(solid))
    return found


def _triangles(mesh: trimesh.Trimesh) -> Triangles:
    return mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32)


class _Held:
    """The arrays of a job's messages."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}

    def put(self, array: NDArray[Any]) -> arrays.ArrayRef:
        dtype, shape, data = arrays.to_bytes(array)
        digest = arrays.digest_of(data)
        self._arrays[digest] = array
        return arrays.ArrayRef(dtype, shape, digest)

    def mesh(self, name: str, given: Triangles) -> messages.MeshInput:
        return messages.MeshInput(name=name, positions=self.put(given[0]), triangles=self.put(given[1]))

    def array(self, reference: arrays.ArrayRef) -> NDArray[Any]:
        return self._arrays[reference.digest]


def context(
    positions: NDArray[np.float32],
    triangles: NDArray[np.int32],
    params: Mapping[str, Any],
    model: loading.TextToImage,
    device: str,
    timer: base.Timer | None = None,
) -> base.RunContext:
    """The run context of `latent_paint` on a mesh without UVs, with a model that is loaded already."""
    held = _Held()
    inputs = {"mesh": held.mesh("ball", (positions, triangles))}
    return _context(METHOD, held, inputs, params, model, device, timer)


def sculpting(
    sketch: Sequence[Triangles],
    params: Mapping[str, Any],
    model: loading.TextToImage,
    device: str,
    timer: base.Timer | None = None,
) -> base.RunContext:
    """The run context of `latent_nerf`; without solids there is no sketch."""
    held = _Held()
    parts = [messages.SketchPart(mesh=held.mesh(f"solid {number}", one)) for number, one in enumerate(sketch)]
    inputs: dict[str, messages.Input] = {"sketch": messages.SketchInput(parts=tuple(parts))} if parts else {}
    return _context(SCULPTING, held, inputs, params, model, device, timer)


def _context(
    method: base.Method,
    held: _Held,
    inputs: Mapping[str, messages.Input],
    params: Mapping[str, Any],
    model: loading.TextToImage,
    device: str,
    timer: base.Timer | None,
) -> base.RunContext:
    def no_file(reference: messages.BlobRef) -> bytes:
        raise KeyError(reference.digest)

    return base.RunContext(
        params=method.read_params(params),
        inputs=inputs,
        array=held.array,
        file=no_file,
        seed=0,
        device=device,
        model=lambda kind: model,
        warn=lambda code, sentence: None,
        timer=timer or Stopwatch(),
    )
