"""Whole sculpting jobs in this process, small, on any model."""

from collections.abc import Callable
from typing import Any

import numpy as np
import shapes
from maquette_server.guidance import loading
from maquette_server.methods import base, latent_nerf
from maquette_server.methods.latent_nerf import run as story
from maquette_wire import arrays, messages
from numpy.typing import NDArray
from painting_jobs import Stages

Boxes = list[tuple[tuple[float, float, float], float]]


def context(
    model: loading.TextToImage,
    *,
    boxes: Boxes | None = None,
    parts: list[dict[str, Any]] | None = None,
    state: base.State | None = None,
    warnings: list[str] | None = None,
    seed: int = 3,
    **params: Any,
) -> base.RunContext:
    """A job; boxes are its sketch, each at a centre with half a side; parts: what else is said of each."""
    blobs: dict[str, bytes] = {}
    inputs: dict[str, Any] = {}
    if boxes is not None:
        more = parts or [{}] * len(boxes)
        made = [
            messages.SketchPart(mesh=mesh(blobs, f"Box {number}", *shapes.box(*one)), **said)
            for number, (one, said) in enumerate(zip(boxes, more, strict=True))
        ]
        inputs["sketch"] = messages.SketchInput(parts=tuple(made))
    small = {"prompt": "a red thing", "steps": 3, "views_per_step": 1, "texture_size": 64, "faces": 2000}
    said = [] if warnings is None else warnings

    def array(reference: arrays.ArrayRef) -> NDArray[Any]:
        return arrays.from_bytes(reference.dtype, reference.shape, blobs[reference.digest])

    return base.RunContext(
        params=latent_nerf.METHOD.read_params(small | params),
        inputs=inputs,
        array=array,
        file=lambda reference: blobs[reference.digest],
        seed=seed,
        device="cpu",
        model=lambda kind: model,
        warn=lambda code, sentence: said.append(f"{code}: {sentence}"),
        timer=Stages(),
        state=state,
    )


def mesh(
    blobs: dict[str, bytes], name: str, positions: NDArray[Any], triangles: NDArray[Any], **more: Any
) -> messages.MeshInput:
    """A mesh message, z up as from Blender; its arrays go to `blobs`."""

    def kept(array: NDArray[Any]) -> arrays.ArrayRef:
        dtype, shape, data = arrays.to_bytes(array)
        blobs[arrays.digest_of(data)] = data
        return arrays.ArrayRef(dtype, shape, arrays.digest_of(data))

    return messages.MeshInput(
        name=name,
        positions=kept(np.asarray(positions, np.float64)),
        triangles=kept(np.asarray(triangles, np.int32)),
        up=(0.0, 0.0, 1.0),
        front=(0.0, -1.0, 0.0),
        **more,
    )


def finish(
    ctx: base.RunContext, watch: Callable[[base.Step], bool | None] = lambda step: None
) -> base.Result:
    """Runs a job to its end; `watch` sees every step and may answer it."""
    steps = story.run(ctx)
    answer = None
    try:
        while True:
            answer = watch(steps.send(answer))
    except StopIteration as stopped:
        result: base.Result = stopped.value
        return result
