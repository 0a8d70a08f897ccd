"""What operators answer, and how a UserError becomes a report."""

import functools
from collections.abc import Callable
from typing import Any

import bpy

from .. import props, pump, session
from ..wire import errors

Answer = set[str]
DONE: Answer = {"FINISHED"}
REFUSED: Answer = {"CANCELLED"}


def reports(
    execute: Callable[[Any, bpy.types.Context], Answer],
) -> Callable[[Any, bpy.types.Context], Answer]:
    """Turns a UserError into a report and the error line: the one place where the operators do."""

    @functools.wraps(execute)
    def reporting(operator: Any, context: bpy.types.Context) -> Answer:
        pump.clear()
        try:
            return execute(operator, context)
        except errors.UserError as error:
            pump.complain(error)
            operator.report({"ERROR"}, error.line())
            return REFUSED

    return reporting


def job_of(context: bpy.types.Context, request_id: str, *, newest: bool = False) -> session.Job:
    """The named job, else the newest or that of the chosen row. Raises UserError `job.unknown`."""
    live, jobs = props.live(context), pump.running().jobs
    if not request_id and newest:
        request_id = next(reversed(jobs), "")
    elif not request_id and live.jobs:
        request_id = live.jobs[min(live.active, len(live.jobs) - 1)].request_id
    if request_id not in jobs:
        raise errors.UserError(
            "job.unknown", "There is no such job.", hint="Paint or reconstruct something first."
        )
    return jobs[request_id]
