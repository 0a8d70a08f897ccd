"""The buttons of results: apply and restore, one undo step each."""

from collections.abc import Iterator
from contextlib import contextmanager

import bpy
import numpy as np
from bpy.props import StringProperty

from .. import props, pump, session
from .. import target as targets
from ..apply import preview, texture
from ..wire import __version__, arrays, errors
from .told import DONE, REFUSED, Answer, job_of, reports


class MAQUETTE_OT_result_apply(bpy.types.Operator):
    """Show the result on its object: a new material and a UV map of its own, beside what is there"""

    bl_idname = "maquette.result_apply"
    bl_label = "Apply Maquette Texture"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own way of saying it

    request_id: StringProperty(name="Request", description="The job's row; empty takes the chosen one")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a result."""
        if not any(row.has_result for row in props.live(context).jobs):
            cls.poll_message_set("There is no result yet.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """One undo step; a result that is no longer here is fetched first, and applied when it comes."""
        job = job_of(context, self.request_id)
        if not pump.running().result(job):
            pump.apply_when_here(job)
            self.report({"INFO"}, f"The result for '{job.label}' is fetched, and applied when it is here.")
            return REFUSED
        apply(context, job)
        pump.running().applied(job)
        return DONE


class MAQUETTE_OT_result_restore(bpy.types.Operator):
    """Show again what the active object had before its first painting; the painting stays in the file"""

    bl_idname = "maquette.result_restore"
    bl_label = "Restore Original"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a painted object."""
        if context.object is None or not context.object.maquette.before:
            cls.poll_message_set("The active object shows no painting of Maquette.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """One undo step."""
        texture.restore(context.object)
        return DONE


def apply(context: bpy.types.Context, job: session.Job) -> None:
    """Shows a job's result on its object. Raises UserError."""
    results = pump.running().result(job)
    if job.state != "succeeded" or not results:
        raise errors.UserError("job.wrong_state", f"The job of '{job.label}' has no result to apply yet.")
    item, uvs = results["uv"]
    _, png = results["texture"]
    painting = texture.Painting(
        png=bytes(png),
        uvs=np.array(arrays.from_bytes(item.dtype, item.shape, uvs), np.float32),
        recipe={**job.record["recipe"], "job": job.job_id, "version": __version__, "report": job.report},
    )
    target = targets.from_record(job.record["target"])
    preview.remove(target.uid)
    with object_mode(context):
        texture.apply(context.evaluated_depsgraph_get(), target, painting)


@contextmanager
def object_mode(context: bpy.types.Context) -> Iterator[None]:
    """Leaves the mode the artist is in and comes back: meshes and UV layers are not up to date elsewhere."""
    thing = context.object
    mode = thing.mode if thing is not None else "OBJECT"
    if mode == "OBJECT":
        yield
        return
    bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield
    finally:
        bpy.ops.object.mode_set(mode=mode)


CLASSES = (
    MAQUETTE_OT_result_apply,
    MAQUETTE_OT_result_restore,
)
