"""The buttons of radiance fields: reconstruct, render views, extract a mesh, live render."""

from collections.abc import Sequence
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty

from .. import captures, jobs, live_render, pump, steps
from .. import target as targets
from ..collect import capture, paths
from ..methods import limits, reconstruct
from ..wire import errors, messages
from . import field_jobs
from .told import DONE, Answer, reports

CAPTURE, SCENE = "CAPTURE", "SCENE"


class MAQUETTE_OT_reconstruct(bpy.types.Operator):
    """Learn a radiance field from the pictures of a capture; Blender renders those of a camera set first"""

    bl_idname = "maquette.reconstruct"
    bl_label = "Reconstruct"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a capture."""
        if captures.chosen(context) is None:
            cls.poll_message_set("Choose a capture: import one, or put cameras round an object.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Reads the cameras and returns; pictures are rendered, read and sent a tick at a time."""
        empty, settings = captures.chosen(context), context.scene.maquette
        plan = capture.plan(context, empty)
        params = reconstruct.params(settings.reconstruct)
        field_jobs.submit(
            context,
            reconstruct.NAME,
            steps.Work(_learning(plan), plan.size),
            params=params,
            seed=settings.seed,
            empty=empty,
            prompt=field_jobs.counted(plan.size, "picture"),
            stage="rendering views" if plan.rendered else "reading pictures",
        )
        return DONE


class _OfField(field_jobs.OfField):
    """What is made from the field of a capture, its settings asked for first."""

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Answer:
        """Shows the settings first."""
        return context.window_manager.invoke_props_dialog(self)  # type: ignore[no-any-return]


class MAQUETTE_OT_render_views(_OfField, bpy.types.Operator):
    """Render the radiance field on the server, for the capture's cameras or for the scene's own one over time"""  # noqa: E501

    bl_idname = "maquette.render_views"
    bl_label = "Render Views"

    cameras: EnumProperty(
        name="Cameras",
        description="From where the field is rendered",
        items=[
            (CAPTURE, "Of the Capture", "Each camera of the capture gets its own picture"),
            (SCENE, "Active Camera", "The scene's camera in every frame of its range gets a sequence"),
        ],
        default=CAPTURE,
    )
    scale: FloatProperty(name="Scale", soft_min=0.1, soft_max=2.0, **limits("render", "scale"))
    transparent: BoolProperty(
        name="Transparent", description="Keep alpha instead of the field's background", default=True
    )

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Reads the cameras a frame at a time; the pictures are a result to apply."""
        empty = captures.chosen(context)
        scene_of = field_jobs.field_of(empty)
        if self.cameras == CAPTURE:
            given = paths.of_capture(context, empty)
            things = captures.cameras(empty)
            work, size, first = _still(scene_of, given), 1, 1
            prompt = f"renders of {field_jobs.counted(len(things), 'camera')}"
        else:
            things = [paths.active_camera(context.scene)]
            frames = paths.frame_numbers(context.scene)
            captures.scene_from_blender(empty)  # refused now rather than later
            work = _moving(scene_of, context.scene.name, empty.name, things[0].name, frames)
            size, first = len(frames), frames[0]
            prompt = f"renders of {field_jobs.counted(len(frames), 'frame')}"
        params = {"path": "given", "scale": self.scale, "transparent": self.transparent}
        field_jobs.submit(
            context,
            "render",
            steps.Work(work, size),
            params=params,
            seed=0,
            empty=empty,
            prompt=prompt,
            stage="reading cameras",
            more={"cameras": [targets.named(t) for t in things], "kind": self.cameras, "first": first},
        )
        return DONE


class MAQUETTE_OT_extract_mesh(_OfField, bpy.types.Operator):
    """Cut the surface out of the radiance field: a mesh with a texture, where the field is"""

    bl_idname = "maquette.extract_mesh"
    bl_label = "Extract Mesh"

    use_resolution: BoolProperty(name="Own Resolution", description="Set it instead of the usual one")
    resolution: IntProperty(name="Resolution", **limits("export", "resolution", default=256))
    texture_size: IntProperty(name="Texture", subtype="PIXEL", **limits("export", "texture_size"))
    faces: IntProperty(name="Faces", **limits("export", "faces"))

    def draw(self, context: bpy.types.Context) -> None:
        """How fine."""
        layout = self.layout
        layout.use_property_split = True
        row = layout.row(align=True, heading="Resolution")
        row.prop(self, "use_resolution", text="")
        value = row.row()
        value.enabled = self.use_resolution
        value.prop(self, "resolution", text="")
        layout.prop(self, "texture_size")
        layout.prop(self, "faces")

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """The mesh is a result to apply."""
        empty = captures.chosen(context)
        params: dict[str, Any] = {"texture_size": self.texture_size, "faces": self.faces}
        if self.use_resolution:
            params["resolution"] = self.resolution
        field_jobs.submit(
            context,
            "export",
            steps.Work(field_jobs.named(field_jobs.field_of(empty)), 1),
            params=params,
            seed=0,
            empty=empty,
            prompt="mesh",
            stage="sending",
        )
        return DONE


class MAQUETTE_OT_live_render(bpy.types.Operator):
    """Show what the active camera sees of the radiance field, as its background; again to end it"""

    bl_idname = "maquette.live_render"
    bl_label = "Live Render"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a capture, unless it is to be ended."""
        if not live_render.is_on() and captures.chosen(context) is None:
            cls.poll_message_set("Choose a capture that has been reconstructed.")
            return False
        return True

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """On or off."""
        if live_render.is_on():
            live_render.stop()
        else:
            empty = captures.chosen(context)
            paths.active_camera(context.scene)
            captures.scene_from_blender(empty)
            job, _ = live_render.scene_of(pump.running(), empty)
            if not job:
                raise errors.UserError(
                    "job.wrong_state", f"'{empty.name}' has no radiance field yet.", hint="Reconstruct it."
                )
            field_jobs.connected(context)
            live_render.start(empty)
        pump.tick()
        pump.wake()
        return DONE


def _learning(plan: capture.Plan) -> steps.Steps[jobs.Package]:
    given = yield from capture.input_steps(plan)
    return jobs.Package(tuple(given.inputs), given.blobs, {}, tuple(given.notes))


def _still(scene: messages.SceneInput, given: messages.CamerasInput) -> steps.Steps[jobs.Package]:
    yield 1
    return jobs.Package((scene, given), {}, {})


def _moving(
    scene: messages.SceneInput, shown: str, empty: str, camera: str, frames: Sequence[int]
) -> steps.Steps[jobs.Package]:
    given = yield from paths.moving_steps(shown, empty, camera, frames)
    return jobs.Package((scene, given), {}, {})


CLASSES = (
    MAQUETTE_OT_reconstruct,
    MAQUETTE_OT_render_views,
    MAQUETTE_OT_extract_mesh,
    MAQUETTE_OT_live_render,
)
