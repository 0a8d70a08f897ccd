"""What is optimised: a field that learns, and between its steps views that are edited from what it shows."""

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import torch
from maquette_wire.errors import UserError

from ...editing import plan as plans
from ...editing import spread
from ...editing.pace import Pace
from ...guidance.instruct_edit import InstructionEditor, Strength
from ...media import png
from ...model_folders import weights
from ...rendering.grid_render import GridScene
from ...training import seeds
from ...training.budget import Budget
from ...training.pixels import Pixels
from .. import base
from . import EditParams
from .moments import Moments
from .relearning import Relearner
from .settings import Settings
from .source import Source
from .views import Views

STAGE = "edit"


class Diverged(Exception):
    """The field shows what is no picture: the loop takes it back before it is edited from."""


class Work:
    """Satisfies `loop.Task`; `before` goes between its steps. Files of the job are named by their digests."""

    def __init__(
        self,
        chosen: Sequence[int],
        original: GridScene,
        views: Views,
        editor: InstructionEditor,
        settings: Settings,
        learner: Relearner,
        pixels: Pixels,
        budget: Budget,
        pace: Pace,
        moments: Moments,
        ctx: base.RunContext,
    ) -> None:
        """chosen: the views that are edited.  original: the field before, which stays as it is."""
        assert ctx.keep is not None
        assert ctx.kept is not None
        self._views, self._learner, self._original = views, learner, original
        self._chosen, self._editor, self._settings = chosen, editor, settings
        self._pixels, self._moments = pixels, moments
        self._budget, self._pace = budget, pace
        self._params: EditParams = ctx.params
        self.model = weights.digest(editor.model.described.path)
        self._warn = ctx.warn
        self.at_once = settings.tier.batch
        """views that are edited together; fewer once memory has run out"""
        self._seed, self._keep, self._kept = ctx.seed, ctx.keep, ctx.kept
        self._plan = self._planned()
        left = sorted(set(range(len(views))) - set(chosen))
        joint = settings.preset == "joint"
        self._followers = left if ctx.params.follow and joint else []
        # Nothing is learnt of views before they are edited, nor of those that never are; the published way
        # learns from the un-edited ones as well.
        pixels.weigh(dict.fromkeys(range(len(views)) if joint else left, 0.0))
        self.step = self.edits = self.calls = 0
        self.batches: int | None = None
        """of a pass, once it is known for how many there is time"""
        self.passes: list[int] | None = None
        """which are made, once that is known"""
        self.files: dict[int, Path] = {}
        """what each edited view has become"""
        self.agreed: dict[int, Path] = {}
        """what each had become when views were last compared"""
        self.losses = learner.losses
        self.snapshot: Callable[[int], base.Snapshot] | None = None
        self._restoring = False

    def _planned(self) -> plans.Plan:
        chosen, settings = self._chosen, self._settings
        last = self._editor.model.denoiser.train_timesteps
        if settings.preset == "classic":
            low, high = (round(level * last) for level in settings.levels)
            return plans.Classic(chosen, self._seed, (low, high), settings.calls)
        levels = plans.LEVELS if self._params.anneal else plans.LEVELS[:1] * len(plans.LEVELS)
        return plans.Joint(chosen, settings.tier.batch, last, settings.calls, levels)

    def advance(self, step: int) -> None:
        """One step of the field."""
        self._budget.begin()
        self._learner.advance(step)
        self._budget.hold()
        self.step = step + 1

    def before(self, step: int) -> base.Part[bool]:
        """The edits that are due. True when the user has had enough in the middle of them."""
        self._moments.passed(step, self._pace.share(step))
        fresh = False
        while (edit := self._plan.due(step, self._pace.share(step), self.edits)) is not None:
            began = self._budget.so_far()
            try:
                if (yield from self._edit(edit, step)):
                    return True
            except Diverged:
                self._budget.hold()
                break  # it stays due until the field is sound again
            self._pace.editing += self._budget.so_far() - began
            fresh = True
            if edit.number == 0 and isinstance(self._plan, plans.Joint):
                possible = self._pace.batches(self._plan.batches)
                if possible < self._plan.batches:
                    self._say_shrunk()
                self._shrink(self._plan, possible)
            if isinstance(self._plan, plans.Joint) and self._plan.first_pass(self.edits):
                self.passes = self._pace.affordable(self._plan.calls)
                self._plan.keep(self.passes)
        if fresh and isinstance(self._plan, plans.Joint):
            began = self._budget.so_far()
            stopped = yield from self._agree(step)
            self._pace.editing += self._budget.so_far() - began
            return stopped
        return False

    def _shrink(self, plan: plans.Joint, batches: int) -> None:
        """Edits so many batches of views only; the others follow."""
        self.batches = batches
        dropped = plan.shrink(batches)
        if dropped and self._params.follow:
            self._followers = sorted({*self._followers, *dropped})

    def _say_shrunk(self) -> None:
        others = "follow" if self._params.follow else "are left out"
        self._warn(
            "edit.views",
            f"There is time to edit a part of the {len(self._chosen)} views only; the others {others}.",
        )

    def _edit(self, edit: plans.Edit, step: int) -> base.Part[bool]:
        field = self._learner.scene()
        strength = Strength(self._settings.text, self._settings.image, edit.top, edit.steps)
        waiting = self._alike(edit.views)
        while waiting:
            views = waiting.pop(0)
            short = False
            try:
                if (yield from self._edit_these(edit, views, field, strength, step)):
                    return True
            except torch.OutOfMemoryError:
                if len(views) == 1:
                    raise
                short = True  # what was tried is freed once the error is forgotten
            if short:
                self._budget.hold()
                self._step_down(len(views))
                waiting = [views[: self.at_once], views[self.at_once :], *waiting]
        self.calls += edit.steps * len(edit.views)
        self.edits = edit.number + 1
        return False

    def _step_down(self, tried: int) -> None:
        """Half as many views at once as were tried, from here on."""
        self.at_once = (tried + 1) // 2
        torch.cuda.empty_cache()
        self._warn(
            "memory.tier",
            f"There is too little memory to edit {tried} views at once;"
            f" from here on there are {self.at_once}.",
        )

    def _edit_these(
        self, edit: plans.Edit, views: list[int], field: GridScene, strength: Strength, step: int
    ) -> base.Part[bool]:
        """Edits views of one size and hands them to the field. True when the user has had enough."""
        self._budget.begin()
        starts = torch.stack([self._views.start(field, view) for view in views])
        if not bool(torch.isfinite(starts).all()):
            raise Diverged
        conditions = torch.stack([self._views.seen(view)[0] for view in views])
        noise = [self._noise(edit, view) for view in views]
        work = self._editor.edit(starts, conditions, strength, noise)
        while True:
            try:
                next(work)
            except StopIteration as end:
                edited = end.value
                break
            self._budget.hold()
            if (yield self._paused(step)):
                return True
            self._budget.begin()
        for view, picture in zip(views, edited, strict=True):
            self._views.take(view, picture)
            self.files[view] = self._keep(png.write(self._views.edited[view]))
            self._pixels.replace({view: self._views.picture(view)})
            self._budget.hold()
            if (yield self._paused(step)):
                return True
            self._budget.begin()
        self._budget.hold()
        return False

    def _agree(self, step: int) -> base.Part[bool]:
        """After a pass: what views disagree about is not learnt, and views that are not edited follow. True
        when the user has had enough in the middle of it.
        """
        self.agreed = dict(self.files)
        if self._params.agree:
            if (yield from self._counted(self._views.compare(self._original), step)):
                return True
            self._pixels.replace({view: self._views.picture(view) for view in self.files})
        if self._followers:
            return (yield from self._counted(self._follow(), step))
        return False

    def _follow(self) -> Generator[None, None, None]:
        yield from self._views.see(self._original, [*self.files, *self._followers])
        for view in self._followers:
            self._pixels.replace({view: self._views.followed(view)})
            yield

    def _counted(self, work: Generator[None, None, None], step: int) -> base.Part[bool]:
        """Does work whose time counts, and yields at its pauses. True when the user has had enough."""
        while True:
            self._budget.begin()
            try:
                next(work)
            except StopIteration:
                return False
            finally:
                self._budget.hold()
            if (yield self._paused(step)):
                return True

    def _paused(self, step: int) -> base.Step:
        if self._restoring:  # what is half restored is no state: the checkpoint it comes from stays
            return base.Step(step, self._budget.total(step), STAGE)
        return base.Step(step, self._budget.total(step), STAGE, state=self.state, snapshot=self.snapshot)

    def _alike(self, views: tuple[int, ...]) -> list[list[int]]:
        """The views in groups whose pictures have one size, as large as there is memory for."""
        groups: dict[tuple[int, int], list[int]] = {}
        for view in views:
            lens = self._views.cameras[view].lens
            groups.setdefault((lens.width, lens.height), []).append(view)
        return [
            group[first : first + self.at_once]
            for group in groups.values()
            for first in range(0, len(group), self.at_once)
        ]

    def _noise(self, edit: plans.Edit, view: int) -> torch.Generator:
        return seeds.torch_generator(self._seed, f"edit {edit.number} {view}", self._editor.model.device)

    # ---- checkpoints ---------------------------------------------------------------------------------------

    def state(self) -> base.State:
        """The field with what makes it learn, and the names of the edited pictures."""
        state = self._learner.state()
        values = {
            "step": self.step,
            "model": self.model,
            "seconds": self._budget.so_far(),
            "editing": self._pace.editing,
            "expected": self._pace.expected,
            "batches": self.batches,
            "passes": self.passes,
            "edits": self.edits,
            "calls": self.calls,
            "files": {str(view): file.name for view, file in self.files.items()},
            "agreed": {str(view): file.name for view, file in self.agreed.items()},
        }
        return base.State(dict(state.tensors), {**state.values, **values, **self._moments.values()})

    def rewind(self, state: base.State) -> None:
        """The field alone: edits that were made stay."""
        self._learner.rewind(state)
        self.step = int(state.values["step"])

    def restore(self, state: base.State) -> base.Part[None]:
        """Goes on from a checkpoint. Raises UserError `model.changed` when another model edited before."""
        values = state.values
        if values.get("model", self.model) != self.model:
            raise UserError(
                "model.changed",
                "Until now another model has edited this scene; its edits and this one's would not agree.",
                hint="Put that model back in its place, or start the edit anew.",
            )
        self._restoring = True
        self._learner.restore(state)
        self.step, self.edits, self.calls = (int(values[name]) for name in ("step", "edits", "calls"))
        self._budget.spent = float(values["seconds"])
        self._pace.editing, self._pace.expected = float(values["editing"]), float(values["expected"])
        if values["batches"] is not None and isinstance(self._plan, plans.Joint):
            self._shrink(self._plan, int(values["batches"]))
        self.passes = values["passes"]
        if self.passes is not None and isinstance(self._plan, plans.Joint):
            self._plan.keep(self.passes)
        self._moments.restore(values)
        then, now = (
            {int(view): self._kept(name) for view, name in values[which].items()}
            for which in ("agreed", "files")
        )
        if then and isinstance(self._plan, plans.Joint):
            yield from self._take(then)
            editing, spent = self._pace.editing, self._budget.spent
            yield from self._agree(self.step)
            self._pace.editing, self._budget.spent = editing, spent  # that was counted before
        yield from self._take({view: file for view, file in now.items() if then.get(view) != file})
        self._restoring = False

    def _take(self, files: dict[int, Path]) -> base.Part[None]:
        """Pictures that were edited before."""
        for view, file in files.items():
            self._views.put(view, png.read(file.read_bytes()))
            self.files[view] = file
            yield self._paused(self.step)
        self._pixels.replace({view: self._views.picture(view) for view in files})


def chosen(source: Source, settings: Settings) -> list[int]:
    """Which views are edited, the first of them as the one to look from. Raises UserError `scene.bad` where
    masks leave nothing of any.
    """
    known = [number for number, one in enumerate(source.photographs) if one.known is None or one.known.any()]
    if not known:
        raise UserError(
            "scene.bad", "The masks of the scene leave out every pixel of every picture.", hint="Mend them."
        )
    poses = [source.photographs[number].camera.world_from_camera for number in known]
    return [known[number] for number in spread.spread(poses, settings.views or len(poses))]
