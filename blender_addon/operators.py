"""The buttons: connect, paint, wait, apply, restore, cancel, stop, and the server on this computer.

None waits, except `maquette.wait`, which is for scripts. What goes wrong is reported in a sentence and kept
on the panel's error line; a script gets it as RuntimeError.
"""

import functools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from bpy.props import BoolProperty, FloatProperty, StringProperty

from . import jobs, local_server, preferences, props, pump, session, steps
from . import target as targets
from .apply import preview, texture
from .collect import mesh
from .methods import latent_paint
from .wire import __version__, arrays, errors, messages

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


class MAQUETTE_OT_connect(bpy.types.Operator):
    """Speak to the server of the preferences"""

    bl_idname = "maquette.connect"
    bl_label = "Connect"

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Returns at once; the panel shows what came of it."""
        _connect(context)
        return DONE


class MAQUETTE_OT_disconnect(bpy.types.Operator):
    """Stop speaking to the server; its jobs go on there"""

    bl_idname = "maquette.disconnect"
    bl_label = "Disconnect"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a connection."""
        if props.live(context).connection == "OFF":
            cls.poll_message_set("There is no connection.")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Answer:
        """Closes the socket."""
        pump.running().close()
        pump.tick()
        return DONE


class MAQUETTE_OT_paint(bpy.types.Operator):
    """Send the active object and the prompt to the server, which paints a texture for it"""

    bl_idname = "maquette.paint"
    bl_label = "Paint"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a mesh and a prompt."""
        thing = context.object
        if thing is None or thing.type != "MESH":
            cls.poll_message_set("Select a mesh to paint.")
            return False
        if not context.scene.maquette.latent_paint.prompt.strip():
            cls.poll_message_set("Write a prompt: what the object should look like.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Copies what is needed and returns; the rest is collected and sent a tick at a time."""
        thing, settings = context.object, context.scene.maquette
        if not settings.latent_paint.prompt.strip():
            raise errors.UserError(
                "prompt.empty", "The prompt is empty.", hint="Write what the object should look like."
            )
        mesh.refuse_unusable(thing)
        live = props.live(context)
        if live.connection in {"OFF", "REFUSED"}:
            _connect(context)
        wish = mesh.Wish(
            front=settings.front,
            mask_mode=settings.mask_mode,
            vertex_group=settings.vertex_group,
            slot=thing.active_material_index,
        )
        preview.remove_all()  # a preview is not what the artist has; the next snapshot shows it again
        with _object_mode(context):
            reading = mesh.read(context.evaluated_depsgraph_get(), thing, wish)
        params = latent_paint.params(settings.latent_paint)
        pump.running().follow_preview(int(preferences.of(context).preview_px))
        pump.running().submit(
            latent_paint.NAME,
            steps.Work(_package(reading), reading.size),
            params=params,
            seed=settings.seed,
            model=settings.model,
            label=thing.name,
            record={
                "prompt": params["prompt"],
                "target": reading.target.record(),
                "recipe": {
                    "method": latent_paint.NAME,
                    "params": params,
                    "seed": settings.seed,
                    "model": settings.model,
                },
            },
        )
        pump.tick()
        pump.wake()
        return DONE


class MAQUETTE_OT_model_choose(bpy.types.Operator):
    """Paint with this model"""

    bl_idname = "maquette.model_choose"
    bl_label = "Choose Model"

    model: StringProperty(
        name="Model", description="Its name on the server; empty takes the server's default"
    )

    def execute(self, context: bpy.types.Context) -> Answer:
        """Remembered with the scene."""
        context.scene.maquette.model = self.model
        return DONE


class MAQUETTE_OT_wait(bpy.types.Operator):
    """Wait until the newest job is finished (for scripts; the panel never waits)"""

    bl_idname = "maquette.wait"
    bl_label = "Wait"

    timeout: FloatProperty(name="Timeout", description="Seconds to wait at most", default=600.0, min=0.0)
    apply: BoolProperty(name="Apply", description="Apply the result afterwards", default=False)
    request_id: StringProperty(name="Request", description="The job's row; empty takes the newest")

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Pumps. Fails with what the job failed with, or when the time is over."""
        until = time.monotonic() + self.timeout
        job = _job(context, self.request_id, newest=True)
        while not job.finished:
            pump.tick()
            live = props.live(context)
            if live.connection in {"OFF", "REFUSED"}:
                sentence = live.error or "There is no connection to a server."
                raise errors.UserError("address.no_answer", sentence, hint=live.hint, fix=live.fix)
            if time.monotonic() > until:
                raise errors.UserError(
                    "address.no_answer" if not job.job_id else "job.wrong_state",
                    f"The job of '{job.label}' was not finished within {self.timeout:g} s.",
                    hint=live.error or "It goes on; wait again for it.",
                )
            time.sleep(0.01)
        pump.tick()
        if job.fault is not None:
            known = job.fault.code if job.fault.code in errors.CODES else "job.failed"
            raise errors.UserError(known, job.fault.sentence, hint=job.fault.hint, log_id=job.fault.log_id)
        if job.state == "cancelled":
            raise errors.UserError("job.wrong_state", f"The job of '{job.label}' was cancelled.")
        if self.apply:
            self._fetch(job, until)
            _apply(context, job)
            pump.running().applied(job)
        return DONE

    def _fetch(self, job: session.Job, until: float) -> None:
        """Waits for the result of an older job, which is on the server only."""
        story = pump.running()
        if not story.result(job):
            story.ask_result(job)
        while not story.result(job):
            pump.tick()
            if job.state == "failed" or time.monotonic() > until:
                sentence = (
                    job.fault.sentence if job.fault else f"It was not fetched within {self.timeout:g} s."
                )
                raise errors.UserError("job.wrong_state", sentence)
            time.sleep(0.01)


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
        job = _job(context, self.request_id)
        if not pump.running().result(job):
            pump.apply_when_here(job)
            self.report({"INFO"}, f"The result for '{job.label}' is fetched, and applied when it is here.")
            return REFUSED
        _apply(context, job)
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


class _Control:
    """What cancel and stop have in common."""

    request_id: StringProperty(name="Request", description="The job's row; empty takes the chosen one")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a job that goes on."""
        if not any(row.state not in messages.FINAL_STATES for row in props.live(context).jobs):
            cls.poll_message_set("No job is running.")  # type: ignore[attr-defined]
            return False
        return True


class MAQUETTE_OT_cancel(_Control, bpy.types.Operator):
    """End the job; nothing is kept"""

    bl_idname = "maquette.cancel"
    bl_label = "Cancel"

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """The server answers within a second."""
        pump.running().cancel(_job(context, self.request_id).request_id)
        pump.tick()
        return DONE


class MAQUETTE_OT_stop(_Control, bpy.types.Operator):
    """End the job and keep the painting as it is now"""

    bl_idname = "maquette.stop"
    bl_label = "Stop and Keep"

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """The newest state becomes the result."""
        pump.running().stop(_job(context, self.request_id).request_id)
        pump.tick()
        return DONE


class MAQUETTE_OT_server_start(bpy.types.Operator):
    """Start a server on this computer; it goes on when Blender is closed"""

    bl_idname = "maquette.server_start"
    bl_label = "Start Server"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Not while one answers."""
        if props.live(context).connection in {"READY", "STARTING"}:
            cls.poll_message_set("A server answers already, or is coming up.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Returns at once; the panel shows when it answers."""
        chosen = preferences.of(context)
        address = local_server.read_address(chosen.address)
        command = local_server.find_command(bpy.path.abspath(chosen.command))
        started = local_server.start(command, address, bpy.path.abspath(chosen.data_dir))
        pump.running().connect(address, started)
        pump.tick()
        return DONE


class MAQUETTE_OT_server_stop(bpy.types.Operator):
    """End the server on this computer; its jobs go on when it is started again"""

    bl_idname = "maquette.server_stop"
    bl_label = "Stop Server"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only a server that answers and is on this computer."""
        address = pump.running().address
        if props.live(context).connection != "READY" or address is None or not address.loopback:
            cls.poll_message_set("No server on this computer answers.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Ends the process that left its id beside the token of this connection."""
        address = pump.running().address
        assert address is not None
        local_server.stop(address.port)
        pump.running().close()
        pump.tick()
        return DONE


CLASSES = (
    MAQUETTE_OT_connect,
    MAQUETTE_OT_disconnect,
    MAQUETTE_OT_paint,
    MAQUETTE_OT_model_choose,
    MAQUETTE_OT_wait,
    MAQUETTE_OT_result_apply,
    MAQUETTE_OT_result_restore,
    MAQUETTE_OT_cancel,
    MAQUETTE_OT_stop,
    MAQUETTE_OT_server_start,
    MAQUETTE_OT_server_stop,
)


def register() -> None:
    """Adds the operators."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)


def unregister() -> None:
    """Removes the operators."""
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)


def _connect(context: bpy.types.Context) -> None:
    """Begins to speak to the server of the preferences. Raises UserError `address.bad`, `offline`,
    `address.no_keys`.
    """
    address = local_server.read_address(preferences.of(context).address)
    if not address.loopback and not bpy.app.online_access:
        raise errors.UserError(
            "offline",
            f"Blender's online access is off, and {address.host} is another computer.",
            hint="Allow it in Preferences > System > Network, or use a server on this computer.",
            fix="online",
        )
    if not address.loopback:
        raise errors.UserError(
            "address.no_keys",
            f"{address.host} is another computer, and this version speaks to servers on this computer only.",
            hint="Set the address to 127.0.0.1:5577.",
            fix="address",
        )
    pump.running().connect(address)
    pump.tick()


def _job(context: bpy.types.Context, request_id: str, *, newest: bool = False) -> session.Job:
    """The named job, else the newest or that of the chosen row. Raises UserError `job.unknown`."""
    live, jobs = props.live(context), pump.running().jobs
    if not request_id and newest:
        request_id = next(reversed(jobs), "")
    elif not request_id and live.jobs:
        request_id = live.jobs[min(live.active, len(live.jobs) - 1)].request_id
    if request_id not in jobs:
        raise errors.UserError("job.unknown", "There is no such job.", hint="Paint something first.")
    return jobs[request_id]


def _package(reading: mesh.Reading) -> steps.Steps[jobs.Package]:
    given, target = yield from mesh.input_steps(reading)
    return jobs.Package(tuple(given.inputs), given.blobs, {"target": target.record()})


def _apply(context: bpy.types.Context, job: session.Job) -> None:
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
    with _object_mode(context):
        texture.apply(context.evaluated_depsgraph_get(), target, painting)


@contextmanager
def _object_mode(context: bpy.types.Context) -> Iterator[None]:
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
