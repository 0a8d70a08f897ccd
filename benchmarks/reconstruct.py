"""How good a reconstruction is after so many seconds of optimisation, at 100 x 100 pixels.

lego, and a locomotive of our own that Blender renders (`scenes/locomotive.py`), so that nothing is fitted to
lego by hand. 100 training views, or every fourth of them; 25 test views, white background; PSNR is the mean
over the test views. Only optimisation counts. A budget of 60 s and one of 300 s are runs of their own, since
the learning rate falls over the whole of a run. Public codes on lego and two cores of a like machine, each
with settings made for a CPU: TensoRF 27.7 dB after 60 s and 33.6 dB after 300 s, DVGO 27.2 and 33.9 dB;
0.135 s a view.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from maquette_server.datasets import opening
from maquette_server.datasets.base import DataSet
from maquette_server.methods.reconstruct import learners
from PIL import Image

from benchmarks import captures, frame, trials

TITLE = "Reconstruction on a CPU: quality against seconds"
BUDGETS = (60.0, 300.0)  # s
GOALS = {60.0: 28.5, 300.0: 34.5}  # dB, of lego, all views, two threads
A_VIEW = 0.135  # s
FEW = 4  # one view of so many, where views are few
SIDE = 100  # pixels


def run(budgets: Sequence[float] = BUDGETS) -> list[frame.Figure | frame.Series]:
    """PSNR of runs of 60 and 300 s, on all cores and on one, of all views and of few; seconds a view."""
    both = min(2, os.cpu_count() or 1)
    found: list[frame.Figure | frame.Series] = []
    with tempfile.TemporaryDirectory() as folder:
        lego(Path(folder))
        whole = opening.read(Path(folder))
        found += scene("lego", whole, [(both, 1), (1, 1), (both, FEW)], budgets, goals=GOALS)
        own = opening.read(captures.locomotive(SIDE))
        found += scene("locomotive", own, [(both, 1), (both, FEW)], budgets)
    return found


def scene(
    name: str,
    whole: DataSet,
    ways: Sequence[tuple[int, int]],
    budgets: Sequence[float],
    goals: dict[float, float] | None = None,
) -> list[frame.Figure | frame.Series]:
    """The figures of a scene. ways: threads, and which share of the views; the first has the goals."""
    curves = frame.Curves(f"Quality of {name} at {SIDE} px, against seconds", "seconds", "PSNR", "dB")
    found: list[frame.Figure | frame.Series] = []
    held_out = trials.views(whole)
    for number, (threads, every) in enumerate(dict.fromkeys(ways)):
        dataset = captures.thinned(whole, every)
        capture = trials.captured(dataset)
        trials.threads(threads)
        about = f"{len(capture.frames)} views, {threads} thread{'s' if threads > 1 else ''}"
        for budget in budgets:
            line = f"{budget:g} s, {about}"

            def tell(at: float, learner: learners.Learner, line: str = line) -> None:
                curves.add(line, at, [trials.measured(learner, held_out).psnr])

            learner, steps = trials.learn(trials.maker(capture), budget, trials.MARKS, tell)
            ended = trials.measured(learner, held_out)
            curves.add(line, budget, [ended.psnr])
            what = f"{name}, {about}, {budget:g} s"
            goal = (goals or {}).get(budget) if number == 0 else None
            found.append(
                frame.Figure(what, ended.psnr, "dB", goal=goal, note=f"{steps} steps", least=goal is not None)
            )
            if budget == max(budgets) and every == 1:
                goal = A_VIEW if number == 0 and goals else None
                found.append(frame.Figure(f"{what}: a view", ended.seconds_a_view, "s", goal=goal))
    return [*found, curves.series()]


def lego(folder: Path) -> None:
    """The small lego as a folder of Blender's synthetic form."""
    data = np.load(frame.data_folder() / "lego_tiny_100.npz")
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
