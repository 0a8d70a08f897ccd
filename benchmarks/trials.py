"""A field that learns for so many seconds and is measured on the way: what several benchmarks share.

Only optimisation counts, as with `maquette reconstruct --seconds`, and making the field with its box: loading
does not, nor does compiling, nor what is measured meanwhile. Renders are compared unrounded with the held-out
pictures, over their background.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from maquette_server.datasets import pictures
from maquette_server.datasets.base import DataSet
from maquette_server.methods.reconstruct import ReconstructParams, learners, learning
from maquette_server.methods.reconstruct import space as spaces
from maquette_server.metrics import picture_errors
from maquette_server.rendering.posed import Posed
from maquette_server.scenes import runtime
from maquette_server.training import budget
from numpy.typing import NDArray

from benchmarks import captures

Floats = NDArray[np.float64]
Progress = Callable[[int], float]
Make = Callable[[Progress], learners.Learner]
_REACH = 1e6  # how far a view of an object looks; its rays end at the box

# when a run is measured: dense at first, where it changes most
MARKS = (5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 180.0, 240.0, 300.0, 450.0, 600.0)


@dataclass(frozen=True)
class View:
    """A held-out picture: its camera, and what is to be seen, [H, W, 3] in 0..1."""

    camera: Posed
    truth: Floats
    behind: float  # the background's value


@dataclass(frozen=True)
class Measured:
    """PSNR of every view in dB, and what rendering one took."""

    psnrs: tuple[float, ...]
    seconds_a_view: float

    @property
    def psnr(self) -> float:
        """The mean over the views."""
        return float(np.mean(self.psnrs))


def threads(count: int) -> None:
    """From now on so many threads compute, on a CPU."""
    import numba  # not at the top: on a GPU nothing needs it

    torch.set_num_threads(count)
    numba.set_num_threads(count)


def captured(dataset: DataSet, reduce: int = 1) -> learning.Capture:
    """The training pictures, in memory."""
    loading = learning.capture(dataset, reduce)
    try:
        while True:
            next(loading)
    except StopIteration as end:
        found: learning.Capture = end.value
        return found


def views(dataset: DataSet, split: str = "test", reduce: int = 1) -> list[View]:
    """The pictures of a split over the data set's background, and their cameras."""
    behind = 1.0 if dataset.background == "white" else 0.0
    found = []
    for one in dataset.of(split):
        picture = captures.mean(pictures.load(one), reduce)
        values = picture.astype(np.float64) / 255
        if values.shape[2] == 4:
            values = values[..., :3] * values[..., 3:] + behind * (1 - values[..., 3:])
        lens = one.lens.divided(reduce)
        assert (lens.height, lens.width) == picture.shape[:2]
        found.append(View(Posed(one.world_from_camera, lens), values, behind))
    return found


def maker(
    capture: learning.Capture,
    params: ReconstructParams | None = None,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Make:
    """What makes the field that `maquette reconstruct` would; finding its box is part of it."""
    chosen = params or ReconstructParams()

    def make(progress: Progress) -> learners.Learner:
        space = space_of(capture, chosen)
        found: learners.Learner = learners.start(capture, space, chosen, progress, seed, torch.device(device))
        return found

    return make


def learn(
    make: Make,
    seconds: float,
    marks: Iterable[float] = (),
    tell: Callable[[float, learners.Learner], object] = lambda at, learner: None,
    wait: Callable[[], object] = lambda: None,
) -> tuple[learners.Learner, int]:
    """A field that has learnt for so long, and after how many steps.

    tell: hears the seconds so far and the field at each of the marks below `seconds`; that takes no time.
    wait: until the device has done what it was given.
    """
    warm_up(make)
    wait()
    clock = budget.Budget(None, seconds)
    clock.begin()
    learner = make(clock.share)
    waiting = sorted(mark for mark in set(marks) if mark < seconds)
    steps = 0
    while clock.so_far() < seconds:
        learner.advance(steps)
        steps += 1
        if waiting and clock.so_far() >= waiting[0]:
            wait()
            clock.hold()
            waiting = [mark for mark in waiting if mark > clock.spent]
            tell(clock.spent, learner)
            clock.begin()
    wait()
    return learner, steps


def warm_up(make: Make) -> None:
    """Loads what is compiled, for early steps and for late ones."""
    learner = make(lambda step: 1.0)
    for step in (0, 1 << 20):
        learner.advance(step)


def learnt(make: Make, steps: int) -> learners.Learner:
    """A field after so many steps, however long they take."""
    learner = make(lambda step: step / steps)
    for step in range(steps):
        learner.advance(step)
    return learner


def measured(
    learner: learners.Learner, seen: Sequence[View], near: float = 0.0, far: float = _REACH
) -> Measured:
    """PSNR of the field as it is now on every view."""
    field = learner.scene()
    errors = []
    spent = 0.0
    for view in seen:
        began = time.monotonic()
        found = runtime.look(field, view.camera, near, far)
        spent += time.monotonic() - began
        shown = found.colours + (1 - found.opacities[..., None]) * view.behind
        errors.append(picture_errors.psnr(view.truth, np.clip(shown, 0, 1).astype(np.float64)))
    return Measured(tuple(errors), spent / len(seen))


def depths(capture: learning.Capture, params: ReconstructParams | None = None) -> tuple[float, float]:
    """Near and far of a place without bounds, for `measured`."""
    space = space_of(capture, params or ReconstructParams())
    return space.near, space.far


def space_of(capture: learning.Capture, params: ReconstructParams) -> spaces.Space:
    """The room that `maquette reconstruct` would find."""
    return spaces.of(
        capture.dataset,
        capture.frames,
        capture.pictures,
        params.bounds,
        forward=params.field == "mip",
        known=capture.known,
    )
