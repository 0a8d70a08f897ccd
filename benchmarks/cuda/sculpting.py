"""Sculpting on a GPU: the sketch's loss against the CPU's, a step in its parts, and every stage of a whole
job with one view a step, as the paper has it.
"""

from collections.abc import Callable

import torch
from maquette_server.geometry import sketch_volume
from maquette_server.training import sketch_shape

from benchmarks import frame, job, sculpt_step
from benchmarks.cuda.diffusion import Bench, compare, in_ms

LOSS_ERROR = 1e-4  # relative, of float32 sums in another order
STEP_GOAL = 1.15  # of a step against the network alone
WHOLE_GOAL = 60.0  # s, of 2,500 steps at the sizes of Stable Diffusion
PAPER_STEPS = 2500
PARTS_LEAST = 120.0  # s left, with which the whole job has all its steps
FEW = 100


def sketch_loss(bench: Bench) -> list[frame.Figure]:
    """The loss and its gradient on the device, as torch has it, against the CPU's kernel; and their time."""
    sizes = bench.sizes
    side, points = (sketch_volume.SIDE, 1 << 17) if sizes.cuda else (24, 500)
    random = torch.Generator().manual_seed(0)
    axis = (torch.arange(side) + 0.5) * (2 / side) - 1
    signed = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij")).norm(dim=0) - 0.6
    volume = sketch_volume.SketchVolume(
        signed.numpy(), torch.rand(signed.shape, generator=random).numpy(), (signed > 0.5).numpy()
    )
    places, start = torch.rand(points, 3, generator=random), 5 * torch.rand(points, generator=random)
    found = []
    for device in ("cpu", sizes.device):
        shape = sketch_shape.SketchShape(volume, 0.3, torch.device(device))
        loss = shape.plain_loss if found else shape.loss
        where, densities = places.to(device), start.to(device).requires_grad_()

        def forth_and_back(
            loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] = loss,
            where: torch.Tensor = where,
            densities: torch.Tensor = densities,
        ) -> torch.Tensor:
            densities.grad = None
            value = loss(where, densities)
            value.backward()
            bench.wait()
            return value

        value = forth_and_back().detach().cpu()
        assert densities.grad is not None
        found.append((value, densities.grad.cpu()))
    taken = bench.clock.turns({"loss": forth_and_back}, sizes.repeats)["loss"]
    return [
        compare("a sketch's loss, difference to the CPU", found[1][0], found[0][0], LOSS_ERROR),
        compare("its gradient, difference to the CPU", found[1][1], found[0][1], LOSS_ERROR),
        frame.median(f"a sketch's loss and its way back, {points} points", "ms", in_ms(taken)),
    ]


def step(bench: Bench) -> list[frame.Figure]:
    """A sculpting step in its parts, at the sizes of the model."""
    sizes = bench.sizes
    task = sculpt_step.task_of(bench.model, sizes.device, {"preset": "standard"})
    split = sculpt_step.Split(task, bench.wait)
    taken = split.run(sculpt_step.WARM if sizes.cuda else 2, sizes.steps)
    return sculpt_step.figures(taken, call_goal=STEP_GOAL if sizes.cuda else None)


def whole(bench: Bench) -> list[frame.Figure]:
    """Seconds of each stage of a whole job; its steps are fewer where little time is left."""
    sizes = bench.sizes
    steps = PAPER_STEPS if sizes.cuda and bench.clock.left > PARTS_LEAST else FEW
    watch = job.Stopwatch()
    params = {
        "prompt": sculpt_step.PROMPT,
        "steps": steps,
        "views_per_step": 1,
        "texture_size": sizes.texture,
        "preset": "standard",
        # random weights ask for nothing in particular: the sketch decides alone what grows
        "softness": 0.0,
        "strength": 100.0,
    }
    context = job.sculpting(job.figure(), params, bench.model, sizes.device, watch)
    result = sculpt_step.done(job.SCULPTING.load_run()(context))
    bench.wait()
    watch.stage("end")
    assert {"scene", "mesh", "texture"} <= {item.role for item in result.items}
    goal = {"sculpt": WHOLE_GOAL} if steps == PAPER_STEPS else {}
    return [
        frame.Figure(
            f"sculpting, stage {name}",
            seconds,
            "s",
            goal=goal.get(name),
            note=f"{steps} steps of one view" if name == "sculpt" else "",
        )
        for name, seconds in watch.seconds.items()
        if name not in ("", "end")
    ]
