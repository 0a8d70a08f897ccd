"""The story of an edit: open a scene, edit its pictures while its field learns them, hand the scene over."""

import torch

from ...editing import judging
from ...editing import moments as choosing
from ...editing.pace import Pace
from ...guidance.instruct_edit import InstructionEditor
from ...rendering.grid_render import GridScene
from ...scenes import runtime
from ...training import budget as budgets
from ...training import grid_training, loop
from .. import base, further, judged
from . import EditParams, moments, outputs, relearning, settings, source, trial, work
from .views import Views

_ENOUGH = 0.9  # of the learning: an edit that was stopped before has changed little for that reason
_NOTHING = (
    "The instruction changed hardly anything: say it in other words, raise the guidance or lower that of the "
    "picture; a trial shows several of both at once."
)


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`."""
    params: EditParams = ctx.params
    assert ctx.keep is not None
    assert ctx.kept is not None
    device = torch.device(ctx.device)
    captions = judged.captions(params)
    ctx.timer.stage("load")
    yield source.LOADING
    given = yield from source.load(ctx)
    model = ctx.model("instruct_edit")
    model.text.remark(params.prompt, (), ctx.warn)
    chosen = settings.decided(params, model.described, device)
    yield source.LOADING

    editor = InstructionEditor(
        model, params.prompt, shared=params.together and params.preset == "joint" and chosen.tier.batch > 1
    )
    views = Views(given, editor, chosen.long_side, keep=chosen.keep, matt=chosen.matt)
    if params.trial:
        ctx.timer.stage("try")
        return (yield from trial.run(ctx, given, views, editor, chosen))
    original = runtime.open_scene(given.files, device).field
    assert isinstance(original, GridScene)
    perceptual = _perceptual(ctx, params, chosen.tier)
    yield source.LOADING
    budget = budgets.Budget(chosen.steps, chosen.seconds)
    pace = Pace(budget, chosen.steps, chosen.seconds)
    learner, pixels = relearning.start(given, chosen.tier.samples, pace.share, ctx.seed, perceptual, original)
    chosen_views = work.chosen(given, chosen)
    if params.views is None and len(chosen_views) < len(views):
        others = "follow them" if params.follow and params.preset == "joint" else "are left as they are"
        ctx.warn(
            "edit.views",
            f"On a CPU {len(chosen_views)} of the {len(views)} views are edited, far apart;"
            f" the others {others}.",
        )
    taken = moments.Moments(views, learner, original, chosen_views[0], ctx.keep, ctx.kept)
    task = work.Work(chosen_views, original, views, editor, chosen, learner, pixels, budget, pace, taken, ctx)
    if ctx.state is not None:
        yield from task.restore(ctx.state)

    def snapshot(longest: int) -> base.Snapshot:
        items = outputs.scene(ctx, given, task.model, learner.weights(), task.step, task.files, taken.kept)
        return base.Snapshot(items, taken.preview(longest))

    ctx.timer.stage(work.STAGE)
    task.snapshot = snapshot
    done = yield from loop.optimise(task, task.step, budget.total, work.STAGE, snapshot, task.before)

    ctx.timer.stage("write")
    yield base.Step(done, done, "write", state=task.state)
    taken.take(done, 1.0)
    items = outputs.scene(ctx, given, task.model, learner.weights(), done, task.files, taken.kept)
    shown = chosen_views[: outputs.SHOWN]
    items.append(base.Item("scene", "preview.png", _sheet(views, learner.scene(), shown)))
    fields = original, learner.scene()
    found = yield from judged.figures(ctx, given.scene, fields, params.prompt, given.transparent, captions)
    if judging.nothing_changed(found) and pace.share(done) > _ENOUGH:
        ctx.warn("edit.nothing", _NOTHING)
    figures = {
        "steps": done,
        "optimisation_seconds": round(budget.spent, 3),
        "edits": task.edits,
        "passes": task.passes,
        "seconds_of_editing": round(pace.editing, 3),
        "network_calls": task.calls,
        "tier": chosen.tier.name,
        "at_once": task.at_once,
        "views": len(views),
        "views_with_depth": views.with_depth,
        "edited_views": len(task.files),
        "loss": dict(learner.losses()),
        "moments": [one.step for one in taken.kept],
        "suggested_moment": choosing.suggested({one.step: one.movement for one in taken.kept}),
        **found,
    }
    exact = device.type == "cpu" and chosen.seconds is None
    return base.Result(
        items,
        figures,
        backends={"field": "torch and numba" if device.type == "cpu" else "torch"},
        preset=params.preset,
        promise="bit-equal" if exact else "no step lost",
    )


def _perceptual(
    ctx: base.RunContext, params: EditParams, tier: settings.Tier
) -> grid_training.Perceptual | None:
    """LPIPS, where it is wished and there. Raises UserError `lpips.missing` when it was asked for by name."""
    if params.lpips == "off" or not (tier.lpips or params.lpips == "on"):
        return None
    found: grid_training.Perceptual | None
    found, why = further.find(ctx, "lpips", params.lpips)
    if found is None and why:
        ctx.warn("lpips.missing", f"{why} The field learns by single pixels.")
    return found


def _sheet(views: Views, after: GridScene, shown: list[int]) -> bytes:
    """Some views as they were, as they were edited and as they render."""
    rows = [
        [runtime.to_u8(moments.pixels_of(views.small(view))) for view in shown],
        [runtime.to_u8(views.colours(view)) for view in shown],
        [runtime.to_u8(moments.pixels_of(views.render(after, view))) for view in shown],
    ]
    return outputs.sheet(*rows)
