"""The story of a reconstruction: load the pictures, find the room, learn the field, hand the scene over."""

import torch

from ...rendering.posed import Posed
from ...scenes import grid_weights
from ...training import loop
from .. import base, scene_input
from . import ReconstructParams, learning, outputs
from . import space as spaces

_STEPS = {"cpu": 5000, "cuda": 20_000}  # when nothing is said
_SAVED_AT = 0.75  # of the training: the checkpoint before the last


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`."""
    params: ReconstructParams = ctx.params
    device = torch.device(ctx.device)
    ctx.timer.stage("load")
    yield learning.LOADING
    dataset = scene_input.data_set(ctx)
    captured = yield from learning.capture(dataset, params.reduce)
    space = spaces.of(dataset, captured.frames, captured.pictures, params.bounds)
    yield learning.LOADING

    ctx.timer.stage("learn")
    steps = params.steps
    if steps is None and params.seconds is None:
        steps = _STEPS[device.type]
    budget = learning.Budget(steps, params.seconds)
    task = learning.task_of(captured, space, budget, params.appearance, ctx.seed, device)
    first = 0
    if ctx.state is not None:
        task.restore(ctx.state)
        first = int(ctx.state.values["step"])
        budget.spent = float(ctx.state.values["seconds"])
    background = dataset.background or "black"
    look = Posed(captured.frames[0].world_from_camera, captured.frames[0].lens)
    work = _Resumable(task, budget, first)

    def snapshot(longest: int) -> base.Snapshot:
        budget.hold()
        picture = outputs.view(task, look, space, longest, background)
        items = outputs.scene(ctx, dataset, space, task, work.step, {})
        budget.begin()
        return base.Snapshot(items, picture)

    budget.begin()
    done = yield from loop.optimise(work, first, budget.total, "learn", snapshot)
    budget.hold()

    ctx.timer.stage("write")
    yield base.Step(done, done, "write", state=work.state)
    items = outputs.scene(ctx, dataset, space, task, done, work.earlier)
    yield base.Step(done, done, "write", state=work.state)
    items.append(outputs.preview(task, look, space, background))
    figures = {
        "steps": done,
        "optimisation_seconds": round(budget.spent, 3),
        "loss": dict(task.losses()),
        "occupied": float(task.occupancy.occupied.float().mean()),
        "training_pictures": len(captured.frames),
        "bounds": "unbounded" if space.domain.unbounded else "object",
    }
    exact = device.type == "cpu" and params.seconds is None
    return base.Result(
        items,
        figures,
        backends={"field": "torch and numba" if device.type == "cpu" else "torch"},
        preset=params.field,
        promise="bit-equal" if exact else "no step lost",
    )


class _Resumable:
    """The task with its step and time in every checkpoint, and weights of an earlier step for the scene."""

    def __init__(self, task: "object", budget: learning.Budget, first: int) -> None:
        from ...training.grid_training import GridTask

        assert isinstance(task, GridTask)
        self._task, self._budget = task, budget
        self.step = first
        self.earlier: dict[int, bytes] = {}
        self.losses = task.losses

    def advance(self, step: int) -> None:
        self._task.advance(step)
        self.step = step + 1
        if not self.earlier and self._budget.share(self.step) >= _SAVED_AT:
            self.earlier[self.step] = grid_weights.encode(self._task.field, self._task.occupancy.occupied)

    def rewind(self, state: base.State) -> None:
        self._task.rewind(state)
        self.step = int(state.values["step"])

    def state(self) -> base.State:
        state = self._task.state()
        self._budget.hold()
        self._budget.begin()
        return base.State(state.tensors, {**state.values, "step": self.step, "seconds": self._budget.spent})
