"""The button that opens a scene's folder: its cameras into Blender, its field to the server."""

from pathlib import Path

import bpy
from bpy.props import StringProperty

from .. import jobs, scene_folders, steps, tasks
from ..apply import capture as placing
from ..collect import inputs
from ..wire import errors, messages
from . import captures, field_jobs, in_steps
from .told import Answer, reports


class MAQUETTE_OT_scene_open(in_steps.FromFolder, bpy.types.Operator):
    """Open the folder of a scene that maquette reconstruct or edit has written: its cameras below an Empty, its field on the server"""  # noqa: E501 - Blender shows it in one piece

    bl_idname = "maquette.scene_open"
    bl_label = "Open Scene"
    bl_options = {"REGISTER", "UNDO"}  # noqa: RUF012 - Blender's own way of saying it

    filepath: StringProperty(
        name="Scene",
        description="The folder of a scene, or its scene.json",
        subtype="FILE_PATH",
        options=captures.BESIDE,
    )
    filter_glob: StringProperty(
        name="Shown Files", description="Which files are shown", default="scene.json", options={"HIDDEN"}
    )

    @reports
    def execute(self, context: bpy.types.Context) -> Answer:
        """The cameras are one undo step; the field is a result to apply."""
        tasks.refuse_second()
        path = captures.path_of(self.filepath, "Choose the folder of a scene.")
        folder = path if path.is_dir() else path.parent
        capture, sent = scene_folders.read(folder), scene_folders.files(folder)

        def finish(empty: bpy.types.Object) -> str:  # the operator may be gone by then
            captures.show(bpy.context, empty)
            field_jobs.submit(
                bpy.context,
                jobs.OPEN,
                steps.Work(_sending(sent), len(sent)),
                params={},
                seed=0,
                empty=empty,
                prompt=capture.name,
                stage="reading the scene",
            )
            return ""

        self.report({"INFO"}, " ".join([f"{len(capture.frames)} cameras.", *capture.notes]))
        work = placing.build_steps(context.scene, capture)
        return self.run(
            f"The cameras of '{capture.name}'",
            work,
            len(capture.frames),
            finish,
            changes=True,
            undo=self.bl_label,
        )


def _sending(sent: dict[str, Path]) -> steps.Steps[jobs.Package]:
    """The files by their digests, a file at a time. Raises UserError `scene.bad`."""
    made = inputs.Inputs()
    files = []
    for path, place in sent.items():
        try:
            ref = yield from steps.quietly(made.on_disk(place))
        except OSError as error:
            raise errors.UserError(
                "scene.bad",
                f"'{path}' of the scene cannot be read: {error.strerror or error}.",
                hint="Put it back in its place.",
            ) from error
        files.append(messages.SceneFile(path=path, file=ref))
        yield 1
    return jobs.Package((messages.SceneInput(files=tuple(files)),), made.blobs, {})


CLASSES = (MAQUETTE_OT_scene_open,)
