"""What the buttons of radiance fields share: jobs that are about a capture, and its field as their input."""

from collections.abc import Mapping
from typing import Any

import bpy

from .. import captures, jobs, preferences, props, pump, steps
from .. import target as targets
from ..wire import errors, messages
from . import server


class OfField:
    """What is done with the field of a capture."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a reconstruction that was applied."""
        empty = captures.chosen(context)
        if empty is None or not empty.get(captures.SCENE):
            cls.poll_message_set(  # type: ignore[attr-defined]
                "The capture has no radiance field: reconstruct it, and apply the result."
            )
            return False
        return True


def connected(context: bpy.types.Context) -> None:
    """Connects, unless that is done or under way."""
    if props.live(context).connection in {"OFF", "REFUSED"}:
        server.connect(context)


def submit(
    context: bpy.types.Context,
    method: str,
    work: steps.Work[jobs.Package],
    *,
    params: Mapping[str, Any],
    seed: int,
    model: str = "",
    empty: bpy.types.Object,
    prompt: str,
    stage: str,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Sends a job about a capture. stage: what is said while its inputs are read; more: what its record holds
    besides.
    """
    connected(context)
    record = {
        "method": method,
        "prompt": prompt,
        "target": {"uid": targets.named(empty), "name": empty.name},
        "recipe": {"method": method, "params": dict(params), "seed": seed, "model": model},
        **(more or {}),
    }
    pump.running().follow_preview(int(preferences.of(context).preview_px))
    pump.running().submit(
        method,
        work,
        params=dict(params),
        seed=seed,
        model=model,
        label=empty.name,
        record=record,
        stage=stage,
    )
    pump.tick()
    pump.wake()


def field_of(empty: bpy.types.Object) -> messages.SceneInput:
    """The field by the job that made it: its files are on the server, and nothing is sent again."""
    return messages.SceneInput(scene=str(empty[captures.SCENE]), moment=captures.moment(empty))


def edit_of(empty: bpy.types.Object | None) -> str:
    """The job of the edit that a capture shows. Raises UserError `job.wrong_state` when it shows none."""
    shown = captures.version(empty) if empty is not None else None
    if shown is None or not shown.moments:
        raise errors.UserError(
            "job.wrong_state",
            f"'{empty.name}' shows no edit." if empty is not None else "The cameras belong to no capture.",
            hint="Edit the scene first, or choose a version that is an edit.",
        )
    return shown.job


def named(scene: messages.SceneInput) -> steps.Steps[jobs.Package]:
    """A job that takes the field alone."""
    yield 1
    return jobs.Package((scene,), {}, {})


def counted(number: int, what: str) -> str:
    """One picture, two pictures."""
    return f"{number} {what}{'' if number == 1 else 's'}"
