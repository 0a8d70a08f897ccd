"""The buttons of results: apply and restore, one undo step each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from bpy.props import StringProperty

from .. import captures, jobs, live_render, props, pump, session
from .. import target as targets
from ..apply import backgrounds, extracted, field, preview, sculpted, texture, trial
from ..methods import latent_nerf
from ..wire import __version__, arrays, errors, messages
from .told import DONE, REFUSED, Answer, job_of, reports

Results = Mapping[str, tuple[messages.ResultItem, bytes | bytearray]]
"""files by name"""


class MAQUETTE_OT_result_apply(bpy.types.Operator):
    """Put the result into the scene, beside what is there: a painting, a field, its renders or its mesh"""

    bl_idname = "maquette.result_apply"
    bl_label = "Apply Maquette Result"
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
        told = apply(context, job)
        if told:
            self.report({"INFO"}, told)
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


def apply(context: bpy.types.Context, job: session.Job) -> str:
    """Puts a job's result where it belongs; what is to be told of it, or empty. Raises UserError."""
    results = pump.running().result(job)
    if job.state != "succeeded" or not results:
        raise errors.UserError("job.wrong_state", f"The job of '{job.label}' has no result to apply yet.")
    if job.method == jobs.PAINT:
        return _painting(context, job, results)
    if job.method == latent_nerf.NAME:
        return _sculpture(context, job, results)
    empty = captures.find(job.record["target"])
    live_render.withdraw()  # it remembers what cameras show, which may change now
    if job.method == "reconstruct":
        field.keep(empty, job.job_id, bytes(results["scene.json"][1]), _recipe(job))
        return f"'{empty.name}' has its field; render its views, extract its mesh, or look at it live."
    if job.method == jobs.OPEN:
        told = bytes(results["scene.json"][1])
        field.keep(empty, job.job_id, told, _recipe(job), str(job.record["prompt"]))
        return f"'{empty.name}' has the field of its scene; edit it, render its views, or look at it live."
    if job.method == jobs.EDIT:
        return _edit(job, results, empty)
    if job.method == "render":
        return _renders(job, results)
    if job.method == "export":
        return _mesh(context, job, results, empty)
    raise errors.UserError("job.wrong_state", f"What '{job.label}' gave cannot be applied here.")


def _recipe(job: session.Job) -> dict[str, Any]:
    return {**job.record["recipe"], "job": job.job_id, "version": __version__, "report": job.report}


def _painting(context: bpy.types.Context, job: session.Job, results: Results) -> str:
    by_role = {str(item.role): (item, data) for item, data in results.values()}
    item, uvs = by_role["uv"]
    _, png = by_role["texture"]
    painting = texture.Painting(
        png=bytes(png),
        uvs=np.array(arrays.from_bytes(item.dtype, item.shape, uvs), np.float32),
        recipe=_recipe(job),
    )
    target = targets.from_record(job.record["target"])
    preview.remove(target.uid)
    with object_mode(context):
        texture.apply(context.evaluated_depsgraph_get(), target, painting)
    return ""


def _edit(job: session.Job, results: Results, empty: bpy.types.Object) -> str:
    if "scene.json" not in results:
        image = trial.keep(empty, job.label, bytes(results["try.png"][1]))
        return f"The trial is the image '{image.name}'; choose a guidance from it."
    told = bytes(results["scene.json"][1])
    field.keep(empty, job.job_id, told, _recipe(job), str(job.record["prompt"]))
    return f"'{empty.name}' shows the edit; its moments and the versions before it are in Edit Scene."


def _renders(job: session.Job, results: Results) -> str:
    pictures = [data for name, (_, data) in sorted(results.items()) if name.endswith(".png")]
    uids, moving = job.record["cameras"], job.record["kind"] == "SCENE"
    if not moving and len(uids) != len(pictures):
        raise errors.UserError(
            "result.gone", f"{len(pictures)} renders came for {len(uids)} cameras.", hint="Render them again."
        )
    paths = backgrounds.written(job.job_id, job.label, pictures)
    if moving:
        shown = backgrounds.show_sequence(uids[0], paths, int(job.record["first"]), job.job_id)
    else:
        shown = backgrounds.show_stills(uids, paths, job.job_id)
    return backgrounds.told(paths, shown)


def _sculpture(context: bpy.types.Context, job: session.Job, results: Results) -> str:
    surface = _surface(job, results) if "positions" in results else None
    x, y, z = job.record["place"]
    with object_mode(context):
        empty = sculpted.build(
            context,
            job.label,
            (float(x), float(y), float(z)),
            surface,
            job.job_id,
            bytes(results["scene.json"][1]),
            _recipe(job),
        )
    if surface is None:
        return f"'{empty.name}' was stopped before it had a surface: extract its mesh, or look at it live."
    return ""


def _mesh(context: bpy.types.Context, job: session.Job, results: Results, empty: bpy.types.Object) -> str:
    surface = _surface(job, results)
    with object_mode(context):
        extracted.build(context, empty, surface)
    return ""


def _surface(job: session.Job, results: Results) -> extracted.Surface:
    """Raises UserError `result.gone`."""

    def array(name: str) -> Any:
        item, data = results[name]
        return arrays.from_bytes(item.dtype, item.shape, data)

    try:
        return extracted.Surface(
            np.asarray(array("positions"), np.float64),
            np.asarray(array("triangles"), np.int32),
            np.asarray(array("corner_uvs"), np.float32),
            bytes(results["texture.png"][1]),
            _recipe(job),
        )
    except KeyError as error:
        raise errors.UserError(
            "result.gone", f"The result lacks {error}.", hint="Start a server of this version."
        ) from error


@contextmanager
def object_mode(context: bpy.types.Context) -> Iterator[None]:
    """Leaves the mode the artist is in and comes back, if the object is still the active one: meshes and UV
    layers are not up to date elsewhere.
    """
    thing = context.object
    mode = thing.mode if thing is not None else "OBJECT"
    if mode == "OBJECT":
        yield
        return
    bpy.ops.object.mode_set(mode="OBJECT")
    try:
        yield
    finally:
        if context.object == thing:
            bpy.ops.object.mode_set(mode=mode)


CLASSES = (
    MAQUETTE_OT_result_apply,
    MAQUETTE_OT_result_restore,
)
