"""How reconstruction grows with the number of views and with their size: seconds, memory, rendering.

Every case is a process of its own on lego, with a fixed number of steps on one thread: what it takes to
learn, how much memory it had at most (torch, compiled code and pictures included), how long it renders. The
number of rays of a step follows the number of samples, so a step costs about the same whatever the views.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from maquette_server.datasets import opening

from benchmarks import captures, frame

TITLE = "Reconstruction: growth with views and their size"
STEPS = 1500  # in a third of them pixels are four rays each, as they are then rendered
VIEWS = (25, 50, 100)
SIDES = (100, 200, 400)
RENDERED = 4  # views, for the time of rendering


def run(
    views: tuple[int, ...] = VIEWS, sides: tuple[int, ...] = SIDES, steps: int = STEPS
) -> list[frame.Figure | frame.Series]:
    """Seconds and memory of every case, and seconds a megapixel."""
    by_views = frame.Curves("Time of learning against views, 100 px", "views", "time", "s")
    by_side = frame.Curves("Time of learning against the pictures' side", "pixels", "time", "s")
    found: list[frame.Figure | frame.Series] = []
    for side, count in dict.fromkeys(
        [(min(sides), count) for count in views] + [(side, max(views)) for side in sides]
    ):
        case = in_a_process(captures.lego(side), count, steps)
        name = f"{count} views of {side} px"
        found += [
            frame.Figure(f"{name}: {steps} steps", case["seconds"], "s"),
            frame.Figure(f"{name}: loading and finding the box", case["loading"], "s"),
            frame.Figure(f"{name}: peak memory of learning", case["peak"] / 2**20, "MiB"),
            frame.Figure(f"{name}: peak memory, rendering included", case["peak_rendering"] / 2**20, "MiB"),
            frame.Figure(f"{name}: rendering a megapixel", case["megapixel"], "s"),
        ]
        if side == min(sides):
            by_views.add(f"{steps} steps", count, [case["seconds"]])
            by_views.add("rendering a megapixel", count, [case["megapixel"]])
        if count == max(views):
            by_side.add(f"{steps} steps", side, [case["seconds"]])
            by_side.add("rendering a megapixel", side, [case["megapixel"]])
    return [*found, by_views.series(), by_side.series()]


def in_a_process(folder: Path, views: int, steps: int) -> dict[str, Any]:
    """What `case` found in a process of its own. Raises RuntimeError with what it said."""
    words = [str(folder), "--views", str(views), "--steps", str(steps)]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.growth", *words],
        cwd=frame.ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-2000:])
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def case(folder: Path, views: int, steps: int) -> dict[str, float]:
    """Learns in this process."""
    from benchmarks import trials

    trials.threads(1)
    whole = opening.read(folder)
    training = whole.of("train")[:views]
    dataset = dataclasses.replace(whole, frames=(*training, *whole.of("test")[:RENDERED]))
    few = trials.captured(dataclasses.replace(dataset, frames=training[:2]))
    trials.warm_up(trials.maker(few))
    del few
    began = time.monotonic()
    make = trials.maker(trials.captured(dataset))
    learner = make(lambda step: step / steps)
    loading = time.monotonic() - began
    began = time.monotonic()
    for step in range(steps):
        learner.advance(step)
    seconds = time.monotonic() - began
    learning_peak = peak()
    seen = trials.views(dataset)
    trials.measured(learner, seen[:1])
    pixels = seen[0].truth.shape[0] * seen[0].truth.shape[1]
    rendering = trials.measured(learner, seen).seconds_a_view
    return {
        "seconds": seconds,
        "loading": loading,
        "peak": float(learning_peak),
        "peak_rendering": float(peak()),
        "megapixel": rendering / pixels * 1e6,
    }


def peak() -> int:
    """Most bytes of memory that this process has had since its program began."""
    status = Path("/proc/self/status")
    if not status.is_file():
        info = psutil.Process().memory_info()
        return int(getattr(info, "peak_wset", info.rss))
    # not getrusage: its maximum counts what the parent had when it forked
    line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def main() -> int:
    """A case: prints one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--views", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    options = parser.parse_args()
    print(json.dumps(case(options.folder, options.views, options.steps)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
