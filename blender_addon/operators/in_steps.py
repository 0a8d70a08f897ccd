"""Long work that a button begins: from a window a tick at a time, in a script before its call returns."""

import time
from collections.abc import Callable
from typing import Any

import bpy
from bpy.props import BoolProperty

from .. import edited, pump, steps, tasks
from .told import DONE, REFUSED, Answer

Finish = Callable[[Any], str]
"""what is done with the result, on the main thread; it returns what is to be told"""


class InSteps:
    """What is started from a window, and then taken a tick at a time."""

    in_steps: BoolProperty(
        name="In Steps",
        description="Return at once and work a moment at a time; else when all is done",
        default=False,
        options={"HIDDEN", "SKIP_SAVE"},
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Answer:
        """From a button."""
        self.in_steps = True
        return self.execute(context)  # type: ignore[attr-defined, no-any-return]

    def run(
        self, label: str, work: steps.Steps[Any], total: int, finish: Finish, *, changes: bool, undo: str = ""
    ) -> Answer:
        """All of it now, or the first step. undo: the name of the undo step that the finish is, if it is."""
        if not self.in_steps:
            told = finish(steps.at_once(work))
            if told:
                self.report({"INFO"}, told)  # type: ignore[attr-defined]
            return DONE

        def later(result: Any) -> None:  # the operator may be gone by then
            told = finish(result)
            if undo:
                bpy.ops.ed.undo_push(message=undo)
            pump.tell(told)

        tasks.begin(tasks.Task(label, steps.Work(work, total), later, changes_file=changes))
        pump.wake()
        return REFUSED  # nothing has changed yet, so that there is nothing to undo

    def reader(self) -> edited.Reader:
        """Reads files of the server; in a script the session goes on meanwhile."""
        return edited.Reader(pump.running(), (lambda: None) if self.in_steps else _idle)


class FromFolder(InSteps):
    """The same, with a file chooser first."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Answer:
        """Asks where."""
        self.in_steps = True
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}


def _idle() -> None:
    pump.tick()
    time.sleep(0.002)
