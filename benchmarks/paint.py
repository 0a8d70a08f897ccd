"""What painting costs beyond the diffusion model, and what a whole painted object costs.

A *step* is one optimisation step with everything the preset does in it: drawing views, the network, the way
back into the texels, the optimiser, the loop's own copies. The *bare call* is the network alone, on the
inputs that the step before gave it. Both are taken turn about in one process, with the pocket model on one
thread.
"""

import dataclasses
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from maquette_server import config
from maquette_server.guidance import loading, tracing

from benchmarks import commands, frame, job

TITLE = "Painting with the pocket model on a CPU"
STEPS = 200
WARM = 20
VIEWS = (1, 2, 4, 8)  # a step; the network's batch is twice that
SIDES = (8, 16, 24, 32)  # latents along an edge of a view
FEW = 16  # steps of each of these
AGAIN = tracing.FIRST + 2  # steps before those; by then the network is recorded
WHOLE_RUNS = 3
PROMPT = "a wooden toy cow"


def run() -> list[frame.Figure | frame.Series]:
    """The step ratio, the whole job when the mesh of spot is at hand, and steps of other sizes."""
    torch.set_num_threads(1)
    return [*step_figures(), *whole_figures(), *step_series()]


@contextmanager
def captured(unet: torch.nn.Module) -> Iterator[dict[str, Any]]:
    """Keeps the arguments of the newest call of the network."""
    newest: dict[str, Any] = {}

    def keep(module: torch.nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        newest.update(given=given, named=named)

    handle = unet.register_forward_pre_hook(keep, with_kwargs=True)
    try:
        yield newest
    finally:
        handle.remove()


def steps_and_calls(
    model: loading.TextToImage, params: dict[str, Any], device: str, count: int, warm: int
) -> list[tuple[float, float]]:
    """Seconds of a step and of the bare call on the same inputs, `count` pairs of consecutive steps."""
    unet = model.denoiser.unet
    context = job.context(*job.sphere(), {"prompt": PROMPT, "steps": count + warm, **params}, model, device)
    painting = job.METHOD.load_run()(context)
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    taken = []
    with captured(unet) as newest:
        while next(painting).stage != "paint":
            pass  # looking at the mesh; the first step itself is not counted either

        def step() -> None:
            next(painting)
            wait()

        def call() -> None:
            with torch.no_grad():
                unet(*newest["given"], **newest["named"])
            wait()

        for number in range(1, count + warm):
            pair = frame.seconds(step), frame.seconds(call)
            if number >= warm:
                taken.append(pair)
    painting.close()
    return taken


def step_figures() -> list[frame.Figure]:
    """Median step over median bare call."""
    model = loading.load(str(config.POCKET), "cpu", "text_to_image")
    taken = steps_and_calls(model, {}, "cpu", STEPS, WARM)
    return compared(taken, note="medians of consecutive steps, standard preset")


def step_series() -> list[frame.Series]:
    """A step and the bare call, over views a step and over the side of a view."""
    model = loading.load(str(config.POCKET), "cpu", "text_to_image")
    by_views = frame.Curves("Time of a painting step against its views", "views a step", "time", "ms")
    for views in VIEWS:
        _add(by_views, views, steps_and_calls(model, {"views_per_step": views}, "cpu", FEW, warm=AGAIN))
    by_side = frame.Curves(
        "Time of a painting step against the latents of a view",
        "latents along an edge of a view",
        "time",
        "ms",
    )
    for side in SIDES:
        other = dataclasses.replace(model, described=dataclasses.replace(model.described, sample_size=side))
        _add(by_side, side, steps_and_calls(other, {}, "cpu", FEW, warm=AGAIN))
    return [by_views.series(), by_side.series()]


def _add(curves: frame.Curves, size: int, taken: list[tuple[float, float]]) -> None:
    curves.add("painting step", size, [1000 * step for step, _ in taken])
    curves.add("floor: bare network call", size, [1000 * call for _, call in taken], floor=True)


def compared(taken: list[tuple[float, float]], note: str = "") -> list[frame.Figure]:
    """The figures of what `steps_and_calls` took."""
    steps = [step for step, _ in taken]
    calls = [call for _, call in taken]
    return [
        frame.Figure(
            "painting step / bare network call",
            statistics.median(steps) / statistics.median(calls),
            "x",
            samples=len(taken),
            goal=1.25,
            note=note,
        ),
        frame.median("painting step", "ms", [1000 * value for value in steps]),
        frame.median("bare network call", "ms", [1000 * value for value in calls]),
    ]


def whole_figures() -> list[frame.Figure]:
    """Wall seconds and peak memory of `maquette paint` of spot, its process started anew each time."""
    mesh = frame.data_folder() / "meshes" / "spot_triangulated.obj"
    if not mesh.is_file():
        print(f"  {mesh.name} is not at hand: the whole job is not measured")
        return []
    seconds, memory = [], []
    for _ in range(WHOLE_RUNS):
        with tempfile.TemporaryDirectory() as folder:
            run = commands.ran(Path(folder) / "out", "paint", mesh, "--prompt", PROMPT)
        seconds.append(run.seconds)
        memory.append(run.peak / 1e9)
    return [
        frame.median("maquette paint of spot, start to end", "s", seconds, goal=60.0),
        frame.median("its peak memory", "GB", memory, goal=2.0, note="PSS of all its processes, at 10 Hz"),
    ]
