"""Jobs that make scenes and look at them, run in this process from folders to files."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
import torch
from maquette_server.cli import captures
from maquette_server.datasets import opening
from maquette_server.fields import grid
from maquette_server.methods import base
from maquette_server.methods.reconstruct import grid_learner, space
from maquette_server.training import grid_training, occupancy_placing
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError
from painting_jobs import Stages

METHODS = base.discover()


def context(
    store: Path, method: str, inputs: dict[str, Any], blobs: dict[str, bytes], **options: Any
) -> base.RunContext:
    """A job of a method whose files lie in a folder.

    options: `state`, `seed`, `warnings`, `model`, and parameters.
    """
    store.mkdir(parents=True, exist_ok=True)
    for digest, data in blobs.items():
        (store / digest).write_bytes(data)
    warnings: list[tuple[str, str]] = options.pop("warnings", [])
    return base.RunContext(
        inputs=inputs,
        array=lambda ref: arrays.from_bytes(ref.dtype, ref.shape, (store / ref.digest).read_bytes()),
        file=lambda ref: (store / ref.digest).read_bytes(),
        path=lambda ref: store / ref.digest,
        keep=lambda data: _kept(store, data),
        kept=lambda digest: store / digest,
        seed=options.pop("seed", 3),
        device="cpu",
        model=options.pop("model", _no_model),
        warn=lambda code, sentence: warnings.append((code, sentence)),
        timer=Stages(),
        state=options.pop("state", None),
        params=METHODS[method].read_params(options),
    )


def _kept(store: Path, data: bytes) -> Path:
    place = store / arrays.digest_of(data)
    place.write_bytes(data)
    return place


def _no_model(kind: str) -> Any:
    raise UserError("model.not_found", f"No model of the kind {kind} was chosen.")


def reconstruct(folder: Path, store: Path, **options: Any) -> base.RunContext:
    """The job that `maquette reconstruct FOLDER` makes."""
    blobs: dict[str, bytes] = {}
    dataset = opening.read(folder)
    cameras, images = captures.data_set(dataset, blobs)
    inputs = {"cameras": cameras, "images": images}
    depths = captures.depths(dataset, blobs)
    if depths is not None:
        inputs["depths"] = depths
    return context(store, "reconstruct", inputs, blobs, **options)


def of_scene(
    method: str, folder: Path, store: Path, cameras: messages.CamerasInput | None = None, **options: Any
) -> base.RunContext:
    """The job that `maquette render FOLDER` or `maquette evaluate FOLDER` makes."""
    blobs: dict[str, bytes] = {}
    inputs: dict[str, Any] = {
        "scene": captures.scene(folder, blobs, pictures=True, beginning=method == "evaluate")
    }
    if cameras is not None:
        inputs["cameras"] = cameras
    return context(store, method, inputs, blobs, **options)


def finish(
    method: str, ctx: base.RunContext, watch: Callable[[base.Step], bool | None] = lambda step: None
) -> base.Result:
    """Runs a job to its end; `watch` sees every step and may answer it."""
    steps = METHODS[method].load_run()(ctx)
    answer = None
    try:
        while True:
            answer = watch(steps.send(answer))
    except StopIteration as stopped:
        result: base.Result = stopped.value
        return result


def files(result: base.Result) -> dict[str, bytes]:
    """The files of a result by name."""
    return {
        item.name: item.data.read_bytes() if isinstance(item.data, Path) else item.data
        for item in result.items
    }


def write(result: base.Result, folder: Path) -> Path:
    """The files of a result in a folder, as the command line leaves them."""
    for name, data in files(result).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def make_quick(patch: pytest.MonkeyPatch) -> None:
    """Fields are small and learn from few samples a step, in one thread: a step takes a tenth of its time."""
    patch.setattr(grid, "_GRID", dataclasses.replace(grid._GRID, log2_rows=13))
    numba.set_num_threads(1)
    torch.set_num_threads(1)  # numba, when it starts its threads, lets torch have as many
    for samples in (grid_learner._SAMPLES, grid_learner._SAMPLES_OUTSIDE):
        patch.setitem(samples, "cpu", 4096)
    settings = functools.partial(grid_training.Settings, split_after=20)
    patch.setattr(grid_training, "Settings", settings)
    patch.setattr(occupancy_placing, "_FEWEST", 32)
    patch.setattr(occupancy_placing, "_CELLS", 32)
    patch.setattr(occupancy_placing, "_LIT_FROM", 10)
    patch.setattr(space, "_OBJECT_STEPS", 96)
