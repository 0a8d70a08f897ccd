"""How good a reconstruction is after so many seconds of optimisation, on lego at 100 x 100 pixels.

100 training views, 25 test views, white background; PSNR is the mean over the test views. Only optimisation
counts: loading, and the evaluations in between, do not. A budget of 60 s and one of 300 s are runs of their
own, since the learning rate falls over the whole of a run. Public codes on the same pictures and two cores of
a like machine, each with settings made for a CPU: TensoRF 27.7 dB after 60 s and 33.6 dB after 300 s, DVGO
27.2 and 33.9 dB; 0.135 s a view.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numba
import numpy as np
import torch
from maquette_server.datasets import opening
from maquette_server.datasets.base import DataSet, Frame
from maquette_server.methods.reconstruct import ReconstructParams, learners, learning
from maquette_server.methods.reconstruct import space as spaces
from maquette_server.metrics import picture_errors
from maquette_server.rendering.posed import Posed
from maquette_server.scenes import runtime
from PIL import Image

from benchmarks import frame

TITLE = "Reconstruction on a CPU: quality against seconds"
DATA = Path(os.environ.get("MAQUETTE_TEST_DATA", frame.ROOT.parent / "shared" / "data"))
GOALS = {60: 28.5, 300: 34.5}  # dB
MARKS = (5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 300)
A_VIEW = 0.135  # s
Seen = Callable[[float], None]


def run() -> list[frame.Figure | frame.Series]:
    """PSNR of runs of 60 and 300 s, on all cores and on one; seconds a view."""
    curves = frame.Curves("Quality of lego at 100 px, against seconds", "seconds", "PSNR", "dB")
    found: list[frame.Figure | frame.Series] = []
    with tempfile.TemporaryDirectory() as folder:
        lego(Path(folder))
        dataset = opening.read(Path(folder))
        for threads in dict.fromkeys((min(2, os.cpu_count() or 1), 1)):
            for budget, goal in GOALS.items():
                name = f"{budget} s on {threads} thread{'s' if threads > 1 else ''}"
                psnr, a_view, steps = reconstructed(
                    dataset,
                    budget,
                    threads,
                    lambda at, value, name=name: curves.add(name, at, [value]),
                )
                goal_here = goal if threads > 1 else None
                note = f"{steps} steps"
                found.append(frame.Figure(name, psnr, "dB", goal=goal_here, note=note, least=True))
                if budget == max(GOALS):
                    goal_here = A_VIEW if threads > 1 else None
                    found.append(frame.Figure(f"a view after {name}", a_view, "s", goal=goal_here))
    return [*found, curves.series()]


def lego(folder: Path) -> None:
    """The small lego as a folder of Blender's synthetic form."""
    data = np.load(DATA / "lego_tiny_100.npz")
    for split in ("train", "test"):
        (folder / split).mkdir()
        frames = []
        for number, (pose, picture) in enumerate(
            zip(data[f"{split}_poses"], data[f"{split}_images"], strict=True)
        ):
            Image.fromarray(picture).save(folder / split / f"r_{number:03d}.png")
            frames.append(
                {"file_path": f"./{split}/r_{number:03d}", "transform_matrix": pose.astype(float).tolist()}
            )
        written = {"camera_angle_x": float(data["camera_angle_x"]), "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(written), encoding="utf-8")


def reconstructed(
    dataset: DataSet, seconds: float, threads: int, tell: Callable[[float, float], None]
) -> tuple[float, float, int]:
    """PSNR, seconds a view and steps of a grid that learns for so long; `tell` hears seconds and PSNR."""
    torch.set_num_threads(threads)
    numba.set_num_threads(threads)
    capturing = learning.capture(dataset, 1)
    try:
        while True:
            next(capturing)
    except StopIteration as end:
        captured: learning.Capture = end.value
    device = torch.device("cpu")
    # compiled kernels are loaded before the clock starts, as loading is anywhere
    learner_of(captured, device, lambda step: 0.0).advance(0)
    spent, steps = 0.0, 0
    began = time.monotonic()
    learner = learner_of(captured, device, lambda step: min(1.0, spent / seconds))
    spent += time.monotonic() - began
    views = [(one, truth(one)) for one in dataset.of("test")]
    marks = [mark for mark in MARKS if mark < seconds]
    while spent < seconds:
        began = time.monotonic()
        learner.advance(steps)
        steps += 1
        spent += time.monotonic() - began
        if marks and spent >= marks[0]:
            tell(marks.pop(0), measured(learner, views)[0])
    psnr, a_view = measured(learner, views)
    tell(seconds, psnr)
    return psnr, a_view, steps


def learner_of(
    captured: learning.Capture, device: torch.device, progress: Callable[[int], float]
) -> learners.Learner:
    """A field that has learnt nothing; finding the box is part of it."""
    space = spaces.of(captured.dataset, captured.frames, captured.pictures, "auto")
    learner: learners.Learner = learners.start(captured, space, ReconstructParams(), progress, 0, device)
    return learner


def truth(one: Frame) -> np.ndarray:
    """The picture over white."""
    values = np.asarray(Image.open(one.image)).astype(np.float64) / 255
    return values[..., :3] * values[..., 3:] + 1 - values[..., 3:]


def measured(learner: learners.Learner, views: list[tuple[Frame, np.ndarray]]) -> tuple[float, float]:
    """Mean PSNR over the views, and seconds of a view."""
    errors = []
    began = time.monotonic()
    for one, wanted in views:
        seen = look(learner, Posed(one.world_from_camera, one.lens))
        errors.append(picture_errors.psnr(wanted, seen))
    return float(np.mean(errors)), (time.monotonic() - began) / len(views)


def look(learner: learners.Learner, camera: Posed) -> np.ndarray:
    """A render over white, not rounded."""
    found = None
    for found in runtime.look(learner.scene(), camera, 0.0, 1e6):  # noqa: B007
        pass
    assert found is not None
    return np.clip(found.colours + (1 - found.opacities[..., None]), 0, 1).astype(np.float64)
