"""The buttons of editing: edit the field of a capture, try an instruction, choose a version or a moment, look
at the pictures that were edited.
"""

from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty

from .. import captures, edited, live_render, pump, steps, tasks
from ..apply import edited_pictures, field, trial
from ..collect import cameras
from ..methods import instruct_nerf2nerf
from ..wire import errors
from . import field_jobs, in_steps
from .told import DONE, Answer, reports


class MAQUETTE_OT_edit_scene(field_jobs.OfField, bpy.types.Operator):
    """Change the radiance field of the capture by the instruction; the field before stays a version"""

    bl_idname = "maquette.edit_scene"
    bl_label = "Edit Scene"

    trial: BoolProperty(
        name="Try", description="Only edit three views at several strengths, and show them on one sheet"
    )

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """The field is on the server: nothing is sent but the instruction."""
        empty, settings = captures.chosen(context), context.scene.maquette
        params: dict[str, Any] = instruct_nerf2nerf.params(settings.instruct_nerf2nerf)
        if not params["prompt"].strip():
            raise errors.UserError(
                "prompt.empty", "The instruction is empty.", hint="Say what is to be done: make it blue."
            )
        if self.trial:
            params["trial"] = True
            params.pop("steps", None)
            params.pop("seconds", None)
        field_jobs.submit(
            context,
            instruct_nerf2nerf.NAME,
            steps.Work(field_jobs.named(field_jobs.field_of(empty)), 1),
            params=params,
            seed=settings.seed,
            model=settings.editor,
            empty=empty,
            prompt=f"try “{params['prompt']}”" if self.trial else params["prompt"],
            stage="sending",
        )
        return DONE


class MAQUETTE_OT_trial_show(bpy.types.Operator):
    """Show the sheet of the newest trial in the image editors, or in a window of its own"""

    bl_idname = "maquette.trial_show"
    bl_label = "Show Trial"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a trial that was applied."""
        empty = captures.chosen(context)
        if empty is None or empty.get(captures.TRIAL) is None:
            cls.poll_message_set("Try an instruction, and apply the result.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Changes nothing in the file."""
        image = captures.chosen(context)[captures.TRIAL]
        if not trial.show(image):
            trial.show_in_window(image)
        return DONE


class MAQUETTE_OT_version_choose(field_jobs.OfField, bpy.types.Operator):
    """Show this version of the field; all others stay"""

    bl_idname = "maquette.version_choose"
    bl_label = "Choose Version"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own way of saying it

    job: StringProperty(name="Job", description="Whose result the version is")

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """One undo step."""
        empty = captures.chosen(context)
        if self.job not in {one.job for one in captures.versions(empty)}:
            raise errors.UserError("result.gone", f"'{empty.name}' has no such version.")
        live_render.withdraw()  # it remembers what cameras show, which may change now
        field.choose(empty, self.job)
        _look_again()
        return DONE


class MAQUETTE_OT_version_forget(field_jobs.OfField, bpy.types.Operator):
    """Take this version off the list; the others need nothing of it"""

    bl_idname = "maquette.version_forget"
    bl_label = "Forget Version"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    job: StringProperty(name="Job", description="Whose result the version is")

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """One undo step. The newest of those that stay is shown when it was the one that is."""
        empty = captures.chosen(context)
        left = [one for one in captures.versions(empty) if one.job != self.job]
        if not left:
            raise errors.UserError(
                "result.gone", "The only version stays.", hint="Remove the capture to be rid of its field."
            )
        captures.set_versions(empty, left)
        if empty[captures.SCENE] == self.job:
            live_render.withdraw()
            field.choose(empty, left[-1].job)
            _look_again()
        return DONE


class MAQUETTE_OT_before_after(field_jobs.OfField, bpy.types.Operator):
    """Show the field as it was before the edit, and again as it is after it"""

    bl_idname = "maquette.before_after"
    bl_label = "Before / After"

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """From the end of the edit to its beginning and back."""
        empty = captures.chosen(context)
        field_jobs.edit_of(empty)
        found = captures.version(empty)
        at_start = empty.maquette.moment == 0
        empty.maquette.moment = len(found.moments) - 1 if at_start else 0
        _look_again()
        return DONE


class MAQUETTE_OT_edited_views(in_steps.InSteps, field_jobs.OfField, bpy.types.Operator):
    """Fetch the pictures that this edit has changed, and show them behind what the cameras of the capture see"""  # noqa: E501 - Blender shows it in one piece

    bl_idname = "maquette.edited_views"
    bl_label = "Show Edited Views"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """One undo step, when all of them are here."""
        tasks.refuse_second()
        empty = captures.chosen(context)
        job_id = field_jobs.edit_of(empty)
        given = cameras.read(context, empty, captures.cameras(empty))
        names = {view.frame.name: view.thing.name for view in given.views}
        field_jobs.connected(context)

        def finish(fetched: list[edited_pictures.Fetched]) -> str:
            live_render.withdraw()  # it remembers what cameras show, which changes now
            return edited_pictures.keep(empty, job_id, fetched)

        work = edited_pictures.fetch_steps(self.reader(), job_id, empty.name, names)
        known = pump.running().items(job_id) or ()
        total = sum(item.name.startswith(f"{edited.FOLDER}/") for item in known) or len(names)
        label = f"The edited views of '{empty.name}'"
        return self.run(label, work, total, finish, changes=False, undo=self.bl_label)


class MAQUETTE_OT_pictures_choose(field_jobs.OfField, bpy.types.Operator):
    """Choose what lies behind what the cameras of the capture see"""

    bl_idname = "maquette.pictures_choose"
    bl_label = "Choose Pictures"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    edited: BoolProperty(name="Edited", description="The edited pictures, else the photographs")

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """One undo step."""
        live_render.withdraw()
        edited_pictures.choose(captures.chosen(context), self.edited)
        return DONE


class MAQUETTE_OT_look_through(bpy.types.Operator):
    """Look through this camera, at its picture"""

    bl_idname = "maquette.look_through"
    bl_label = "Look Through Camera"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    camera: StringProperty(name="Camera", description="Name of the object")

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """It becomes the camera of the scene."""
        thing = context.scene.objects.get(self.camera)
        if thing is None or thing.type != "CAMERA":
            raise errors.UserError("target.bad", f"There is no camera '{self.camera}' in this scene.")
        context.scene.camera = thing
        if context.area is not None and context.area.type == "VIEW_3D":
            context.area.spaces.active.region_3d.view_perspective = "CAMERA"
        return DONE


def _look_again() -> None:
    """The live render follows."""
    pump.tick()
    pump.wake()


CLASSES = (
    MAQUETTE_OT_trial_show,
    MAQUETTE_OT_edited_views,
    MAQUETTE_OT_pictures_choose,
    MAQUETTE_OT_look_through,
    MAQUETTE_OT_edit_scene,
    MAQUETTE_OT_version_choose,
    MAQUETTE_OT_version_forget,
    MAQUETTE_OT_before_after,
)
