"""The figures of an edited scene, for the report of an edit and for its evaluation."""

from typing import Any, Protocol

from maquette_wire.errors import UserError

from ..editing import judging
from ..metrics import clip
from ..rendering.grid_render import GridScene
from ..scenes import runtime
from . import base, further

_NO_ROOM = "There is too little memory for CLIP beside the rest; evaluate the scene to have its figures."
_STEP = base.Step(0, 0, "measure")


class Captioned(Protocol):
    """Parameters in which the scene can be described, before and after the edit."""

    @property
    def input_caption(self) -> str:
        """Empty: nobody has."""

    @property
    def edited_caption(self) -> str:
        """Empty: nobody has."""


def captions(params: Captioned) -> tuple[str, str] | None:
    """Both captions or none. Raises UserError `params.bad` for one of them."""
    given = params.input_caption.strip(), params.edited_caption.strip()
    if not any(given):
        return None
    if not all(given):
        raise UserError(
            "params.bad",
            "One caption came without the other.",
            hint="Describe the scene before the edit and after it, or neither.",
        )
    return given


def figures(
    ctx: base.RunContext,
    scene: runtime.Scene,
    fields: tuple[GridScene, GridScene],
    prompt: str,
    transparent: bool,
    said: tuple[str, str] | None,
) -> base.Part[dict[str, Any]]:
    """fields: before and after the edit.  transparent: whether the scene is an object alone.  said: captions,
    see `captions`.
    """
    seen = yield from base.telling(judging.look(scene, *fields), _STEP)
    found = judging.of(seen, prompt, transparent)
    try:
        judge: clip.Clip | None
        judge, why = further.find(ctx, "clip")
        if judge is None:
            return found | {"clip": None, "why_no_clip": why}
        yield _STEP
        later = yield from base.telling(judging.beside(scene, seen, *fields), _STEP)
        by_clip = yield from base.telling(judging.by_clip(seen, later, judge, said), _STEP)
    except clip.OUT_OF_MEMORY:  # the edit itself is done, and shall not be lost
        ctx.warn("memory.full", _NO_ROOM)
        return found | {"clip": None, "why_no_clip": _NO_ROOM}
    if said is None:
        by_clip["why_no_direction"] = "the scene was not described by captions"
    return found | {"clip": by_clip}
