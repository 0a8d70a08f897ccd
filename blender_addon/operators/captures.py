"""The buttons of captures: import, camera sets, export, and the end of what is under way.

What an import changes is seen when all of it is done.
"""

import math
from pathlib import Path

import bpy
import numpy as np
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    StringProperty,
)

from .. import camera_models, camera_sets, captures, pump, steps, tasks, transforms
from ..apply import capture as placing
from ..collect import bounds, cameras, edited_views, views
from ..wire import errors
from . import field_jobs, in_steps
from .told import DONE, Answer, reports

MOST_CAMERAS = 1000
UNDO = "Import Capture"
# Only from Blender 4.5 on a property has to say that it takes paths beside the blend file.
BESIDE = {"PATH_SUPPORTS_BLEND_RELATIVE"} if bpy.app.version >= (4, 5, 0) else set()


class MAQUETTE_OT_capture_import(in_steps.FromFolder, bpy.types.Operator):
    """Add the cameras of a data set (transforms.json, or transforms_train.json and its like) with their photographs, below an Empty that places the capture"""  # noqa: E501 - Blender shows it in one piece

    bl_idname = "maquette.capture_import"
    bl_label = UNDO
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own way of saying it

    filepath: StringProperty(
        name="Data Set",
        description="A transforms file, or the folder of one",
        subtype="FILE_PATH",
        options=BESIDE,
    )
    filter_glob: StringProperty(
        name="Shown Files", description="Which files are shown", default="*.json", options={"HIDDEN"}
    )
    set_resolution: BoolProperty(
        name="Set Resolution",
        description="Let the scene render pictures of the size of the photographs",
        default=False,
    )

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """One undo step, when all is there."""
        tasks.refuse_second()
        path = path_of(self.filepath, "Choose a transforms.json, or the folder of one.")
        capture = transforms.read(path)
        scene, set_resolution = context.scene, self.set_resolution

        def finish(empty: bpy.types.Object) -> str:  # the operator may be gone by then
            show(bpy.context, empty)
            if set_resolution:
                placing.use_resolution(scene, capture.frames[0].lens)
            return ""

        self.report({"INFO"}, " ".join([f"{len(capture.frames)} cameras.", *capture.notes]))
        work = placing.build_steps(scene, capture)
        label = f"The import of '{capture.name}'"
        return self.run(label, work, len(capture.frames), finish, changes=True, undo=UNDO)


class MAQUETTE_OT_cameras_add(bpy.types.Operator):
    """Put cameras round the selected objects, below an Empty that places what is captured with them"""

    bl_idname = "maquette.cameras_add"
    bl_label = "Add Camera Set"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012

    kind: EnumProperty(
        name="Set",
        description="How the cameras stand",
        items=[
            ("RING", "Ring", "In a circle at one elevation"),
            ("DOME", "Dome", "Evenly over the upper half of a sphere"),
            ("VIEW", "From View", "About the direction from which the 3D view looks, which comes first"),
        ],
        default="RING",
    )
    count: IntProperty(name="Cameras", description="How many", min=1, max=MOST_CAMERAS, default=24)
    elevation: FloatProperty(
        name="Elevation",
        description="Angle of a ring above the horizon",
        subtype="ANGLE",
        min=-0.5 * math.pi,
        max=0.5 * math.pi,
        default=math.radians(20),
    )
    opening: FloatProperty(
        name="Opening",
        description="How far cameras stand from the direction of the view at most",
        subtype="ANGLE",
        min=0.0,
        max=math.pi,
        default=math.radians(30),
    )
    width: IntProperty(name="Width", description="Pixels of a picture", min=4, max=16384, default=512)
    height: IntProperty(name="Height", description="Pixels of a picture", min=4, max=16384, default=512)
    direction: FloatVectorProperty(
        name="Direction",
        description="Where the view stands, from the object; without any it is asked of the 3D view",
        size=3,
        default=(0.0, 0.0, 0.0),
        options={"HIDDEN", "SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs something to look at."""
        if not any(thing.type in bounds.SOLID for thing in context.selected_objects):
            cls.poll_message_set("Select an object that cameras can be put round.")
            return False
        return True

    def draw(self, context: bpy.types.Context) -> None:
        """What the chosen kind asks for."""
        self.layout.use_property_split = True
        own = {"RING": ["elevation"], "VIEW": ["opening"]}.get(self.kind, [])
        for name in ("kind", "count", *own, "width", "height"):
            self.layout.prop(self, name)

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """The same settings give the same cameras."""
        context.view_layer.update()
        centre, radius = bounds.sphere(context.evaluated_depsgraph_get(), context.selected_objects)
        pinhole = camera_sets.pinhole(self.width, self.height)
        distance = camera_models.fitting_distance(radius, pinhole, camera_sets.FILL)
        poses = camera_sets.poses(self._directions(context), distance)
        lens = transforms.Lens(pinhole)
        frames = [
            transforms.Frame(f"images/{number:04}.png", pose, lens) for number, pose in enumerate(poses)
        ]
        capture = transforms.Capture("Capture", None, frames, {**transforms.RENDERED})
        place = tuple(float(value) for value in centre)
        empty = steps.at_once(placing.build_steps(context.scene, capture, place))
        show(context, empty)
        return DONE

    def _directions(self, context: bpy.types.Context) -> np.ndarray:
        if self.kind == "RING":
            return camera_sets.ring(self.count, self.elevation)
        if self.kind == "DOME":
            return camera_sets.dome(self.count)
        direction = np.array(self.direction, np.float64)
        if not direction.any():
            direction = self._view_direction(context)
        return camera_sets.cap(self.count, direction / np.linalg.norm(direction), self.opening)

    def _view_direction(self, context: bpy.types.Context) -> np.ndarray:
        areas = [context.area, *(context.screen.areas if context.screen is not None else ())]
        for area in areas:
            if area is not None and area.type == "VIEW_3D":
                seen = area.spaces.active.region_3d.view_matrix.inverted()
                self.direction = seen.col[2].xyz  # kept, so that a repetition gives the same cameras
                return np.array(seen.col[2].xyz, np.float64)
        raise errors.UserError(
            "cameras.bad", "There is no 3D view to look from.", hint="Open one, or add a ring."
        )


class MAQUETTE_OT_capture_export(in_steps.FromFolder, bpy.types.Operator):
    """Write a capture, or the selected cameras, as a data set: photographs or edited pictures are copied, other views are rendered by Blender"""  # noqa: E501

    bl_idname = "maquette.capture_export"
    bl_label = "Export Data Set"

    directory: StringProperty(
        name="Folder", description="Where the data set is written", subtype="DIR_PATH", options=BESIDE
    )
    filter_folder: BoolProperty(
        name="Folders", description="Show folders", default=True, options={"HIDDEN", "SKIP_SAVE"}
    )
    capture: StringProperty(
        name="Capture",
        description="Name of the Empty; without one it is the active object's, else the only one",
        options={"SKIP_SAVE"},
    )
    pictures: EnumProperty(
        name="Pictures",
        description="Where the pictures come from",
        items=[
            ("COPY", "Photographs", "Copy photographs; what cameras without one see is rendered"),
            ("RENDER", "Render", "Render what all cameras see"),
            ("EDITED", "Edited", "What the edit that is shown made of the pictures, from the server"),
            ("NONE", "None", "Write transforms.json only"),
        ],
        default="COPY",
        options={"SKIP_SAVE"},
    )
    all_views: BoolProperty(
        name="All Views",
        description="Beside the edited pictures also views that were not edited, as they are",
        default=False,
        options={"SKIP_SAVE"},
    )
    only_selected: BoolProperty(
        name="Only Selected", description="Only cameras that are selected", default=False
    )
    overwrite: BoolProperty(
        name="Replace", description="Replace a data set that is there", default=False, options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a camera."""
        if not any(thing.type == "CAMERA" for thing in context.scene.objects):
            cls.poll_message_set("There is no camera: add a camera set, or import a capture.")
            return False
        return True

    def draw(self, context: bpy.types.Context) -> None:
        """What the chosen pictures ask for."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "pictures")
        if self.pictures == "EDITED":
            layout.prop(self, "all_views")
        layout.prop(self, "only_selected")
        layout.prop(self, "overwrite")

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """Changes nothing in the scene."""
        tasks.refuse_second()
        folder = path_of(self.directory, "Choose a folder.")
        empty = self._capture(context)
        if empty is None or self.only_selected:
            things = [thing for thing in context.selected_objects if thing.type == "CAMERA"]
            things.sort(key=lambda thing: (thing.data.get(captures.ORDER, 0), thing.name))
        else:
            things = captures.cameras(empty)
        given = cameras.read(context, empty, things)
        label = f"The export to '{folder.name}'"
        if self.pictures != "EDITED":
            work = views.export_steps(context.scene, given, folder, self.pictures, overwrite=self.overwrite)
            return self.run(label, work, len(things), lambda _: "", changes=False)
        job_id = field_jobs.edit_of(empty)
        field_jobs.connected(context)
        fetching = edited_views.export_steps(
            context.scene,
            given,
            folder,
            self.reader(),
            job_id,
            everything=self.all_views,
            overwrite=self.overwrite,
        )
        return self.run(label, fetching, len(things), str, changes=False)

    def _capture(self, context: bpy.types.Context) -> bpy.types.Object | None:
        """The capture that is meant, if any. Raises UserError `target.bad`."""
        if self.capture:
            named = context.scene.objects.get(self.capture)
            if not captures.is_capture(named):
                raise errors.UserError(
                    "target.bad", f"There is no capture '{self.capture}'.", hint="Name the Empty of one."
                )
            return named
        found = captures.of(context.object)
        if found is None and not any(thing.type == "CAMERA" for thing in context.selected_objects):
            everywhere = [thing for thing in context.scene.objects if captures.is_capture(thing)]
            found = everywhere[0] if len(everywhere) == 1 else None
        return found


class MAQUETTE_OT_task_cancel(bpy.types.Operator):
    """End the import or export that is under way; what it has done so far is taken back"""

    bl_idname = "maquette.task_cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs something under way."""
        if tasks.running() is None:
            cls.poll_message_set("Nothing is under way.")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> Answer:
        """Between two steps, so that nothing is left by halves."""
        tasks.cancel()
        pump.mirror_task()
        return DONE


def path_of(text: str, hint: str) -> Path:
    """The place that a file chooser or script named. Raises UserError `output.unusable`."""
    if not text.strip():
        raise errors.UserError("output.unusable", "No file or folder was chosen.", hint=hint)
    if text.startswith("//") and not bpy.data.filepath:
        raise errors.UserError(
            "output.unusable",
            f"'{text}' is beside the blend file, which is not saved yet.",
            hint="Save the file first, or name the whole path.",
        )
    return Path(bpy.path.abspath(text))


def show(context: bpy.types.Context, empty: bpy.types.Object) -> None:
    """Makes it the active object, unless the artist is busy with another."""
    if context.mode == "OBJECT":
        placing.choose(context, empty)


CLASSES = (
    MAQUETTE_OT_capture_import,
    MAQUETTE_OT_cameras_add,
    MAQUETTE_OT_capture_export,
    MAQUETTE_OT_task_cancel,
)
