"""The buttons of jobs: paint, wait, cancel, stop."""

import time

import bpy
from bpy.props import BoolProperty, FloatProperty, StringProperty

from .. import jobs, preferences, props, pump, session, steps
from ..apply import preview
from ..collect import mesh
from ..methods import latent_paint
from ..wire import errors, messages
from . import results, server
from .told import DONE, Answer, job_of, reports


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
            server.connect(context)
        wish = mesh.Wish(
            front=settings.front,
            mask_mode=settings.mask_mode,
            vertex_group=settings.vertex_group,
            slot=thing.active_material_index,
        )
        preview.remove_all()  # a preview is not what the artist has; the next snapshot shows it again
        with results.object_mode(context):
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
                "method": latent_paint.NAME,
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
    """Use this model"""

    bl_idname = "maquette.model_choose"
    bl_label = "Choose Model"

    model: StringProperty(
        name="Model", description="Its name on the server; empty takes the server's default"
    )

    def execute(self, context: bpy.types.Context) -> Answer:
        """Remembered with the scene, for what the mode does."""
        settings = context.scene.maquette
        _, name = props.MODELS.get(settings.mode, props.MODELS["PAINT"])
        setattr(settings, name, self.model)
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
        job = job_of(context, self.request_id, newest=True)
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
            told = results.apply(context, job)
            if told:
                self.report({"INFO"}, told)
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
        pump.running().cancel(job_of(context, self.request_id).request_id)
        pump.tick()
        return DONE


class MAQUETTE_OT_stop(_Control, bpy.types.Operator):
    """End the job and keep what it has made so far"""

    bl_idname = "maquette.stop"
    bl_label = "Stop and Keep"

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """The newest state becomes the result."""
        pump.running().stop(job_of(context, self.request_id).request_id)
        pump.tick()
        return DONE


def _package(reading: mesh.Reading) -> steps.Steps[jobs.Package]:
    given, target = yield from mesh.input_steps(reading)
    return jobs.Package(tuple(given.inputs), given.blobs, {"target": target.record()})


CLASSES = (
    MAQUETTE_OT_paint,
    MAQUETTE_OT_model_choose,
    MAQUETTE_OT_wait,
    MAQUETTE_OT_cancel,
    MAQUETTE_OT_stop,
)
