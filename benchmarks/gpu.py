"""Every CUDA path there is, checked and timed: rasterisers, hash grid, texture lookups, the diffusion model
in half precision (denoiser, distillation step, autoencoder, text), a painting step and a whole short job;
scenes: how soon lego is good, mip-NeRF's rays a second; edited pictures and a whole edit; a sculpting step in
its parts and a whole such job.

nvdiffrast and tiny-cuda-nn stand beside ours where they are installed or can be built (`cuda/builds.py`).

`python -m benchmarks --only gpu` ends within ten minutes: one deadline holds for all parts, and what it cuts
off or leaves out is named. A part that fails is a figure that misses its goal; the others go on. Without a
CUDA device nothing is run. `python -m benchmarks.gpu --rehearse` runs the same code on the CPU in tiny sizes,
with nothing recorded: it tests the script, not the device.
"""

import argparse
import logging
import sys
from collections.abc import Callable, Sequence

import torch

from benchmarks import frame
from benchmarks.cuda import (
    builds,
    clock,
    diffusion,
    editing,
    hash_grids,
    painting,
    rasterisers,
    scenes,
    sculpting,
)
from benchmarks.cuda.sizes import REAL, REHEARSAL, Sizes

TITLE = "CUDA: rasterisers, hash grid, scenes, diffusion model, painting, editing, sculpting"
SECONDS = 540.0  # of everything; the rest of ten minutes is for starting and writing
BUILDING = 280.0  # of that at most for building what was given as source
LEAST = 10.0  # s left, with which no further part is begun
Found = Sequence[frame.Figure | frame.Series]
Part = Callable[[diffusion.Bench], Found]
# what is shortest and newest first
PARTS: list[Part] = [
    rasterisers.rasterisers,
    hash_grids.hash_grids,
    hash_grids.scene_grids,
    scenes.mip_rays,
    scenes.lego,
    painting.lookups,
    sculpting.sketch_loss,
    diffusion.precision,
    diffusion.denoiser,
    diffusion.distillation,
    diffusion.pictures,
    diffusion.text,
    painting.painting,
    painting.bake,
    editing.precision,
    editing.pictures,
    editing.whole,
    editing.tiers,
    sculpting.step,
    sculpting.whole,
]

log = logging.getLogger(__name__)


def run() -> list[frame.Figure | frame.Series]:
    """Figures of the CUDA device; none without one."""
    if not torch.cuda.is_available():
        print("  no CUDA device: nothing was run")
        return []
    return everything(REAL)


def everything(
    sizes: Sizes, seconds: float = SECONDS, parts: Sequence[Part] | None = None
) -> list[frame.Figure | frame.Series]:
    """All parts in turn, as long as there is time."""
    bench = diffusion.Bench(sizes, clock.Clock(seconds))
    begun = builds.begin()
    found: list[frame.Figure | frame.Series] = []
    if begun:
        try:
            found += one(loading, bench)  # nothing is timed while compilers run
        finally:
            builds.wait(begun, min(BUILDING, bench.clock.left))
    for part in PARTS if parts is None else parts:
        found += one(part, bench)
    return found


def loading(bench: diffusion.Bench) -> Found:
    """Makes the model that the other parts share."""
    _ = bench.model
    return []


def one(part: Part, bench: diffusion.Bench) -> Found:
    """What a part found; when there is no time for it nothing, when it fails a figure that says so."""
    name = getattr(part, "__name__", "part")
    if bench.clock.left < LEAST:
        print(f"  {name}: left out, no time is left")
        return []
    try:
        with bench.clock.alarm():
            return part(bench)
    except clock.TimeUp:
        print(f"  {name}: cut off, the time is up")
        return []
    except Exception as error:  # one path that fails must not hide what the others do
        log.exception("%s failed", name)  # to stderr: the machine may be there only once
        why = (str(error).splitlines() or [""])[0] or type(error).__name__
        print(f"  {name}: failed: {why}")
        return [frame.Figure(f"{name}: failed", 1.0, "", goal=0.0, note=why[:160])]


def main(words: Sequence[str] | None = None) -> int:
    """Rehearses on the CPU, or says how to measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes on the CPU, nothing recorded")
    if not parser.parse_args(words).rehearse:
        print("Figures are taken by: python -m benchmarks --only gpu", file=sys.stderr)
        return 2
    missed = 0
    for row in everything(REHEARSAL):
        if isinstance(row, frame.Series):
            print(f"  series: {row.name}, {len(row.lines)} lines")
            continue
        print(f"  {row.name}: {row.value:.3g} {row.unit}")
        missed += row.met is False or row.name.endswith("failed")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
