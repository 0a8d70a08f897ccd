"""The one piece of long work on the scene that is under way, such as an import: taken a tick at a time.

`pump.tick` advances it. What it made before it ended is taken back by the work itself, when it is closed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import bpy

from . import steps
from .wire import errors


@dataclass
class Task:
    """Steps, and what is done with their result on the main thread."""

    label: str
    work: steps.Work[Any]
    finish: Callable[[Any], None]
    changes_file: bool
    """whether what it has made so far lies in the file, so that it must be whole before the file is saved"""


_task: Task | None = None


def running() -> Task | None:
    """What is under way."""
    return _task


def refuse_second() -> None:
    """Raises UserError `job.wrong_state` when there is something under way."""
    if _task is not None:
        raise errors.UserError(
            "job.wrong_state", f"{_task.label} is under way.", hint="Wait for it, or cancel it."
        )


def begin(task: Task) -> None:
    """The next ticks take its steps. Raises UserError `job.wrong_state`."""
    global _task
    refuse_second()
    _task = task


def advance(until: float) -> None:
    """Takes steps until that time of `time.monotonic`, one at least; the result is finished with at once.

    Raises what a step or the finish raises; the work is over then.
    """
    global _task
    task = _task
    if task is None or bpy.app.is_job_running("RENDER"):  # nothing of the scene is touched under a render
        return
    try:
        over = task.work.advance(until)
        if over:
            _task = None
            task.finish(task.work.result)
    except ReferenceError as error:
        _task = None
        task.work.close()
        raise errors.UserError(
            "target.bad", f"{task.label} was ended: what it worked on was removed.", hint="Start it again."
        ) from error
    except BaseException:
        # Whatever ended it, Ctrl-C included: what it made half is taken back, and the fault goes on its way.
        _task = None
        task.work.close()
        raise


def cancel() -> bool:
    """Ends what is under way; it takes back what it made. False when there is nothing."""
    global _task
    task, _task = _task, None
    if task is not None:
        task.work.close()
    return task is not None


def complete_before_save() -> None:
    """Takes all the steps of what lies in the file by halves; raises what they raise."""
    while _task is not None and _task.changes_file and not bpy.app.is_job_running("RENDER"):
        advance(float("inf"))
