"""What a field shows at sizes of 1, 1/2, 1/4 and 1/8 when it has learnt from all four.

Pictures of lego at 80, 40, 20 and 10 px: means of those of 400 px, premultiplied and rounded once. A field
that knows the pixel's *footprint* stands beside the same field that does not, on the same pixels, and beside
one that has learnt from the full size alone; all have the same number of steps, so that a machine's speed and
load do not matter. PSNR is the mean over 25 test views of each size; the median over seeds, with quartiles.

The grid takes the footprint as `maquette reconstruct` does: a pixel is the mean of as many rays as make them
fine enough for the finest pictures (2 x 2 at full size, 8 x 8 at most), and levels finer than a ray fade.
Without it a pixel is one ray through its middle. mip-NeRF has one cone a pixel; without the footprint it
encodes the mean alone, as in its ablation, and the loss counts pixels by their area either way.
"""

import dataclasses
import math
import os
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

from maquette_server.datasets import multiscale, opening, pictures
from maquette_server.datasets.base import DataSet
from maquette_server.fields import grid, mip
from maquette_server.media import png
from maquette_server.methods.reconstruct import ReconstructParams, grid_learner, learners, learning
from maquette_server.training import mip_presets

from benchmarks import captures, frame, trials

TITLE = "Pictures of several sizes: aliasing"
SIDE, LEVELS = 80, 4  # pixels of the full size; sizes
SHARES = ("full size", "1/2", "1/4", "1/8")
STEPS = {"grid": 4000, "mip": 3000}  # of each field
SEEDS = (0, 1, 2)
GOALS = (None, 36.0, 38.0, 40.0)  # dB, of the grid with footprint
LOST = 0.3  # dB at full size, at most
WITH, WITHOUT, FULL_ONLY = "with footprint", "without footprint", "without, full size only"
Way = Callable[[int], trials.Make]  # of a seed


def run(
    steps: dict[str, int] | None = None, seeds: Sequence[int] = SEEDS, most_views: int | None = None
) -> list[frame.Figure | frame.Series]:
    """PSNR by size of grid and mip-NeRF. most_views: of each size, to try the benchmark out."""
    steps = STEPS if steps is None else steps
    trials.threads(min(2, os.cpu_count() or 1))
    whole = opening.read(sizes())
    held_out = by_level(whole, most_views)
    everything = trials.captured(whole)
    full = trials.captured(dataclasses.replace(whole, frames=levels(whole, 0)))
    found: list[frame.Figure | frame.Series] = []
    grids: dict[str, Way] = {
        WITH: lambda seed: trials.maker(everything, seed=seed),
        WITHOUT: lambda seed: plain_grid(everything, seed),
        FULL_ONLY: lambda seed: plain_grid(full, seed),
    }
    mips: dict[str, Way] = {
        "integrated encoding": lambda seed: a_mip(everything, seed, integrate=True),
        "encoding of the mean": lambda seed: a_mip(everything, seed, integrate=False),
    }
    for kind, ways in (("grid", grids), ("mip", mips)):
        if kind not in steps:
            continue
        table = {}
        for name, way in ways.items():
            table[name] = row(way, steps[kind], seeds, held_out)
            print(f"  {kind}, {name}: {[round(statistics.median(each), 2) for each in table[name]]}")
        found += figures(kind, table, steps[kind])
        found.append(plot(kind, table))
    return found


def row(
    way: Way, steps: int, seeds: Sequence[int], held_out: Sequence[Sequence[trials.View]]
) -> list[list[float]]:
    """PSNR by size, and of every seed."""
    found: dict[int, list[float]] = defaultdict(list)
    for seed in seeds:
        learner = trials.learnt(way(seed), steps)
        for level, views in enumerate(held_out):
            found[level].append(trials.measured(learner, views).psnr)
    return [found[level] for level in range(len(held_out))]


def figures(kind: str, table: dict[str, list[list[float]]], steps: int) -> list[frame.Figure]:
    """The rows of a field's table; the goals are those of the grid."""
    found = []
    for name, by_size in table.items():
        for share, values, goal in zip(SHARES, by_size, GOALS, strict=True):
            one = frame.median(f"{kind}, {name}, {steps} steps, {share}", "dB", values)
            if kind == "grid" and name == WITH and goal is not None:
                one = dataclasses.replace(one, goal=goal, least=True)
            found.append(one)
    if kind == "grid":
        for other, goal in ((WITHOUT, LOST), (FULL_ONLY, None)):
            lost = [b - a for a, b in zip(table[WITH][0], table[other][0], strict=True)]
            found.append(frame.median(f"grid, lost at full size to that {other}", "dB", lost, goal=goal))
    return found


def plot(kind: str, table: dict[str, list[list[float]]]) -> frame.Series:
    """PSNR against the pictures' side."""
    curves = frame.Curves(f"Quality of {kind} against the size of the pictures", "pixels", "PSNR", "dB")
    for name, by_size in table.items():
        for level, values in enumerate(by_size):
            curves.add(name, SIDE >> level, values)
    return curves.series()


def sizes() -> Path:
    """The folder of lego in four sizes, in the multi-scale form."""
    source = captures.lego(captures.SIDE)
    with captures.made(f"lego-{SIDE}-to-{SIDE >> LEVELS - 1}") as (folder, draft):
        if draft is not None:
            multiscale.convert(opening.read(captures.smaller(source, "lego", SIDE)), draft, LEVELS)
            # what was written are means of rounded means; the exact ones take their place
            originals = opening.read(source)
            for split in captures.SPLITS:
                for number, one in enumerate(originals.of(split)):
                    picture = pictures.load(one)
                    for level in range(LEVELS):
                        small = captures.mean(picture, captures.SIDE // SIDE << level)
                        name = f"images_{split}/{number:03d}_d{level}.png"
                        (draft / name).write_bytes(png.write(small))
    return folder


def levels(whole: DataSet, *wanted: int) -> tuple:
    """The frames of some sizes."""
    return tuple(one for one in whole.frames if one.level in wanted)


def by_level(whole: DataSet, most: int | None) -> list[list[trials.View]]:
    """The held-out views, size by size."""
    found = []
    for level in range(LEVELS):
        views = trials.views(dataclasses.replace(whole, frames=levels(whole, level)))
        found.append(views[:most])
    return found


def plain_grid(capture: learning.Capture, seed: int) -> trials.Make:
    """The usual grid, for which a pixel has no size: always one ray, through its middle."""
    usual, usual_settings = trials.maker(capture, seed=seed), grid.Settings

    def settings(**given: Any) -> grid.Settings:
        return usual_settings(**{**given, "smooth": False})

    def make(progress: trials.Progress) -> learners.Learner:
        with (
            mock.patch.object(grid_learner.grid, "Settings", settings),
            mock.patch.object(grid_learner, "_SPLIT_FROM", math.inf),
        ):
            return usual(progress)

    return make


def a_mip(capture: learning.Capture, seed: int, integrate: bool) -> trials.Make:
    """mip-NeRF with the preset for CPUs, or its ablation without the integrated encoding."""

    def network(settings: mip.Settings) -> mip.Settings:
        return dataclasses.replace(settings, integrate=integrate)

    small = mip_presets.SMALL
    assert small.proposal is not None
    preset = dataclasses.replace(small, network=network(small.network), proposal=network(small.proposal))

    usual = trials.maker(capture, ReconstructParams(field="mip", preset="small"), seed=seed)

    def make(progress: trials.Progress) -> learners.Learner:
        with mock.patch.dict(mip_presets.PRESETS, small=preset):
            return usual(progress)

    return make
