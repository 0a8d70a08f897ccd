"""Whole painting jobs in this process: from a mesh file, or from any context, to the result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from maquette_server.cli import request
from maquette_server.guidance import loading
from maquette_server.methods import base, latent_paint
from maquette_server.methods.latent_paint import run as story
from maquette_wire import arrays
from numpy.typing import NDArray


class Stages:
    """A timer that only remembers what it was told."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def stage(self, name: str) -> None:
        self.names.append(name)


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


def of_file(
    path: Path, model: loading.TextToImage, warnings: list[str] | None = None, **params: Any
) -> base.RunContext:
    """The job that `maquette paint PATH` makes, small unless told otherwise; sentences go to `warnings`."""
    small = {"prompt": "a red thing", "steps": 2, "views_per_step": 1, "texture_size": 128}
    sent = request.read(path, small | params, request_id="", seed=3)
    said = [] if warnings is None else warnings
    said += sent.notes
    blobs = {digest: bytes(data) for digest, data in sent.blobs.items()}

    def array(reference: arrays.ArrayRef) -> NDArray[Any]:
        return arrays.from_bytes(reference.dtype, reference.shape, blobs[reference.digest])

    return base.RunContext(
        params=latent_paint.METHOD.read_params(sent.submit.params),
        inputs={"mesh": sent.submit.inputs[0]},
        array=array,
        file=lambda reference: blobs[reference.digest],
        seed=3,
        device="cpu",
        model=lambda kind: model,
        warn=lambda code, sentence: said.append(sentence),
        timer=Stages(),
    )


def write_obj(
    path: Path, positions: NDArray[Any], faces: NDArray[Any], uvs: NDArray[Any] | None = None
) -> Path:
    """An OBJ file with every digit. uvs: [T, 3, 2], one for each corner."""
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in np.asarray(positions, np.float64).tolist()]
    if uvs is None:
        lines += [f"f {' '.join(map(str, face))}" for face in (np.asarray(faces) + 1).tolist()]
    else:
        lines += [f"vt {u!r} {v!r}" for u, v in np.asarray(uvs, np.float64).reshape(-1, 2).tolist()]
        texts = (np.arange(np.asarray(faces).size) + 1).reshape(-1, 3)
        lines += [
            "f " + " ".join(f"{vertex}/{text}" for vertex, text in zip(face, row, strict=True))
            for face, row in zip((np.asarray(faces) + 1).tolist(), texts.tolist(), strict=True)
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
