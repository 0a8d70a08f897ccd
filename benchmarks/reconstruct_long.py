"""What ten minutes of optimisation reach: an object at 200 px, and a hand-held capture of a whole place.

lego from 100 views of 200 x 200 pixels; a fox's head from photographs of 180 x 320 pixels with a distorted
lens, of which every tenth is held out. PSNR is the mean over the held-out pictures.
"""

import os

from maquette_server.datasets import opening
from maquette_server.datasets.base import DataSet
from maquette_server.methods.reconstruct import learners

from benchmarks import captures, frame, trials

TITLE = "Reconstruction on a CPU: ten minutes"
SECONDS = 600.0
REDUCE = 2  # 360 x 640 pixels to 180 x 320


def run(seconds: float = SECONDS, most_views: int | None = None) -> list[frame.Figure | frame.Series]:
    """PSNR of both after ten minutes, and on the way. most_views: held out, to try the benchmark out."""
    curves = frame.Curves("Quality of larger captures, against seconds", "seconds", "PSNR", "dB")
    fox = opening.read(frame.data_folder() / "fox")
    cases: list[tuple[str, DataSet, int]] = [
        ("lego at 200 px", opening.read(captures.lego(200)), 1),
        ("fox at 180 x 320 px", fox, REDUCE),
    ]
    found: list[frame.Figure | frame.Series] = []
    count = min(2, os.cpu_count() or 1)
    trials.threads(count)
    for name, dataset, reduce in cases:
        held_out = trials.views(dataset, reduce=reduce)[:most_views]
        capture = trials.captured(dataset, reduce)
        near, far = trials.depths(capture)

        def tell(
            at: float,
            learner: learners.Learner,
            name: str = name,
            held_out: list[trials.View] = held_out,
            near: float = near,
            far: float = far,
        ) -> trials.Measured:
            seen = trials.measured(learner, held_out, near, far)
            curves.add(name, at, [seen.psnr])
            return seen

        learner, steps = trials.learn(trials.maker(capture), seconds, trials.MARKS, tell)
        ended = tell(seconds, learner)
        note = f"{len(capture.frames)} views learnt from, {len(held_out)} held out, {steps} steps"
        found += [
            frame.Figure(f"{name}, {count} threads, {seconds:g} s", ended.psnr, "dB", note=note),
            frame.Figure(f"{name}: the poorest view", min(ended.psnrs), "dB"),
            frame.Figure(f"{name}: a view", ended.seconds_a_view, "s"),
        ]
    return [*found, curves.series()]
