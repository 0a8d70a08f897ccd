"""The story of a reconstruction: load the pictures, find the room, learn the field, hand the scene over."""

import torch

from ...datasets import doubts
from ...rendering.posed import Posed
from ...training import budget as budgets
from ...training import loop
from .. import base, depth_input, scene_input
from . import ReconstructParams, learners, learning, outputs
from . import space as spaces

_SAVED_AT = 0.75  # of the training: the checkpoint before the last
_EARLIER = "earlier"  # its weights, as bytes, in a job's own checkpoints


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`."""
    params: ReconstructParams = ctx.params
    device = torch.device(ctx.device)
    ctx.timer.stage("load")
    yield learning.LOADING
    dataset = scene_input.data_set(ctx)
    dataset = yield from base.telling(depth_input.kept(ctx, dataset), learning.LOADING)
    captured = yield from learning.capture(dataset, params.reduce)
    for sentence in learning.doubts_of(captured):
        ctx.warn(doubts.CODE, sentence)
    space = spaces.of(
        dataset,
        captured.frames,
        captured.pictures,
        params.bounds,
        forward=params.field == "mip",
        known=captured.known,
    )
    yield learning.LOADING

    ctx.timer.stage("learn")
    steps = params.steps
    if steps is None and params.seconds is None:
        steps = learners.usual_steps(params, device)
    budget = budgets.Budget(steps, params.seconds)
    learners.prepare(captured, space, params, device)
    learner = learners.start(captured, space, params, budget.share, ctx.seed, device)
    work = _Resumable(learner, budget)
    if ctx.state is not None:
        work.restore(ctx.state)
    background = dataset.background or "black"
    look = Posed(captured.frames[0].world_from_camera, captured.frames[0].lens)

    def snapshot(longest: int) -> base.Snapshot:
        picture = outputs.view(learner, look, space, longest, background)
        items = outputs.scene(ctx, dataset, space, learner, work.step, {})
        return base.Snapshot(items, picture)

    done = yield from loop.optimise(work, work.step, budget.total, "learn", snapshot)

    ctx.timer.stage("write")
    yield base.Step(done, done, "write", state=work.state)
    items = outputs.scene(ctx, dataset, space, learner, done, work.earlier)
    yield base.Step(done, done, "write", state=work.state)
    items.append(outputs.preview(learner, look, space, background))
    figures = {
        "steps": done,
        "optimisation_seconds": round(budget.spent, 3),
        "loss": dict(learner.losses()),
        "training_pictures": len(captured.frames),
        "pictures_with_depth": sum(frame.depth is not None for frame in captured.frames),
        "bounds": space.bounds,
        **learner.figures(),
    }
    exact = device.type == "cpu" and params.seconds is None
    return base.Result(
        items,
        figures,
        backends={"field": learner.backend},
        preset=learner.label,
        promise="bit-equal" if exact else "no step lost",
    )


class _Resumable:
    """A learner with step and time in every checkpoint, and weights of an earlier step for the scene.

    Only its steps count as time: not the pictures that somebody wants to see in between, nor checkpoints.
    """

    def __init__(self, learner: learners.Learner, budget: budgets.Budget) -> None:
        self._learner, self._budget = learner, budget
        self.step = 0
        self.earlier: dict[int, bytes] = {}
        self.losses = learner.losses

    def advance(self, step: int) -> None:
        self._budget.begin()
        self._learner.advance(step)
        self._budget.hold()
        self.step = step + 1
        if not self.earlier and self._budget.share(self.step) >= _SAVED_AT:
            self.earlier[self.step] = self._learner.weights()

    def restore(self, state: base.State) -> None:
        """Goes on from a checkpoint bit for bit (on a CPU)."""
        self._learner.restore(state)
        self.step = int(state.values["step"])
        self._budget.spent = float(state.values["seconds"])
        if _EARLIER in state.tensors:
            data = state.tensors[_EARLIER].cpu().numpy().tobytes()
            self.earlier = {int(state.values["earlier"]): data}

    def rewind(self, state: base.State) -> None:
        self._learner.rewind(state)
        self.step = int(state.values["step"])
        self.earlier = {at: data for at, data in self.earlier.items() if at <= self.step}

    def state(self) -> base.State:
        state = self._learner.state()
        tensors = dict(state.tensors)
        values = {**state.values, "step": self.step, "seconds": self._budget.so_far()}
        for at, data in self.earlier.items():
            tensors[_EARLIER] = torch.frombuffer(bytearray(data), dtype=torch.uint8)
            values["earlier"] = at
        return base.State(tensors, values)
