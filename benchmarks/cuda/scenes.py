"""Scenes on a GPU: how long lego at 400 px takes to be good, and how near mip-NeRF's step is to its products.

lego lies in the folder of real data, or in `.gpu/data/lego`, where `make gpu-bundle` puts it; without it that
part is left out, and said. The floor of a step of mip-NeRF is that of `mip_step`: the bare matrix products of
the paper's network, forward and back, in the type in which its layers compute.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import torch
from maquette_server.datasets import opening
from maquette_server.methods.reconstruct import learners
from maquette_server.training import mip_training

from benchmarks import frame, mip_step, trials
from benchmarks.cuda.builds import GPU
from benchmarks.cuda.diffusion import Bench, in_ms

GOALS = {30.0: None, 33.0: 60.0, 35.0: None}  # dB: s
STEP_GOAL = 1.5  # of the bare products
MARKS = (5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 75.0, 90.0, 105.0)  # s


def lego_folder() -> Path | None:
    """Where lego is, if it is anywhere."""
    for folder in (frame.data_folder() / "lego", GPU / "data" / "lego"):
        if folder.is_dir():
            return folder
    return None


def lego(bench: Bench) -> list[frame.Figure | frame.Series]:
    """Seconds to 30, 33 and 35 dB on lego, the mean over all test views; a view's time.

    Runs have one budget each, as the learning rate falls over the whole of a run. The longer one is left out
    when the shorter reaches everything, or when there is no time for it.
    """
    folder = lego_folder()
    if folder is None:
        print("  lego: left out, as neither the real data nor .gpu/data/lego is there")
        return []
    sizes = bench.sizes
    dataset = opening.read(folder)
    if sizes.reduce > 1:  # to rehearse: few pictures, small
        few = (*dataset.of("train")[::10], *dataset.of("test")[:1])
        dataset = dataclasses.replace(dataset, frames=few)
    capture = trials.captured(dataset, sizes.reduce)
    held_out = trials.views(dataset, reduce=sizes.reduce)
    about = f"lego at {held_out[0].truth.shape[0]} px"
    curves = frame.Curves(f"Quality of {about} against seconds, CUDA", "seconds", "PSNR", "dB")
    reached: list[tuple[float, float]] = []
    found: list[frame.Figure | frame.Series] = []
    for budget in sizes.learning:
        if reached and (bench.clock.left < 2 * budget or first_above(reached, max(GOALS)) is not None):
            break

        def tell(at: float, learner: learners.Learner, budget: float = budget) -> trials.Measured:
            seen = trials.measured(learner, held_out)
            reached.append((at, seen.psnr))
            curves.add(f"{budget:g} s", at, [seen.psnr])
            return seen

        make = trials.maker(capture, device=sizes.device)
        learner, steps = trials.learn(make, budget, MARKS, tell, bench.wait)
        ended = tell(budget, learner)
        note = f"{steps} steps"
        found.append(frame.Figure(f"{about}: after {budget:g} s", ended.psnr, "dB", note=note))
        found.append(frame.Figure(f"{about}: a view after {budget:g} s", ended.seconds_a_view, "s"))
    for quality, goal in GOALS.items():
        at, best = first_above(reached, quality), max(psnr for _, psnr in reached)
        name = f"{about}: time to {quality:g} dB"
        if at is not None:
            found.append(frame.Figure(name, at, "s", goal=goal))
        elif sizes.cuda:  # a rehearsal reaches nothing; a number that is no time would be taken for one
            found.append(
                frame.Figure(f"{name}: not reached, but", best, "dB", goal=goal and quality, least=True)
            )
    return [*found, curves.series()]


def first_above(reached: list[tuple[float, float]], quality: float) -> float | None:
    """The least time at which the quality was measured; None if it never was."""
    return min((at for at, psnr in reached if psnr >= quality), default=None)


def mip_rays(bench: Bench) -> list[frame.Figure | frame.Series]:
    """Rays a second of a step of mip-NeRF, against the products in it."""
    sizes = bench.sizes
    device = torch.device(sizes.device)
    curves = frame.Curves("Rays a second of mip-NeRF, CUDA", "rays of a step", "rays a second", "1/s")
    found: list[frame.Figure | frame.Series] = []
    kinds = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    for count in sizes.rays:
        batch = mip_step.drawn(count).to(device)
        for name, dtype in kinds.items():
            task = mip_training.MipTask(
                sizes.mip, lambda step, batch=batch: batch, seed=0, device=device, dtype=dtype
            )
            products = mip_step.products(count, False, sizes.mip, device, dtype)

            def ours(task: mip_training.MipTask = task) -> None:
                task.advance(0)
                bench.wait()

            def floor(products: list[list[mip_step.Product]] = products) -> None:
                mip_step.everything(products)
                bench.wait()

            actions: dict[str, Callable[[], object]] = {"ours": ours, "floor": floor}
            taken = bench.clock.turns(actions, sizes.repeats)
            curves.add(f"ours, {name}", count, [count / value for value in taken["ours"]])
            curves.add(f"floor, {name}", count, [count / value for value in taken["floor"]], floor=True)
            if count == max(sizes.rays):
                pairs = list(zip(taken["ours"], taken["floor"], strict=True))
                what = f"mip-NeRF, {count:,} rays, {name}"
                rates = [count / value for value in taken["ours"]]
                found += [
                    frame.median(f"{what}: a step", "ms", in_ms(taken["ours"])),
                    frame.median(f"{what}: rays", "1/s", rates),
                    frame.ratio(
                        f"{what}: a step / bare products", pairs, goal=STEP_GOAL if sizes.cuda else None
                    ),
                ]
            del task, products
    return [*found, curves.series()]
