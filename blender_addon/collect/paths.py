"""Cameras that a radiance field is rendered from: those of its capture, or the scene's own over time.

All is in the coordinates of the capture, as it stands in that frame.
"""

from collections.abc import Sequence

import bpy
import numpy as np

from .. import camera_models, captures, steps, transforms
from ..wire import errors, messages
from . import cameras, capture


def of_capture(context: bpy.types.Context, empty: bpy.types.Object) -> messages.CamerasInput:
    """All cameras of a capture as they are now. Raises UserError `cameras.bad`, `target.bad`."""
    found = cameras.read(context, empty, captures.cameras(empty)).views
    return messages.CamerasInput(
        cameras=tuple(capture.wire_camera(view.frame) for view in found), name=empty.name
    )


def frame_numbers(scene: bpy.types.Scene) -> Sequence[int]:
    """All frames of the scene's range: Blender shows a sequence of pictures with one a frame."""
    return range(scene.frame_start, scene.frame_end + 1)


def moving_steps(
    scene: str, empty: str, camera: str, frames: Sequence[int]
) -> steps.Steps[messages.CamerasInput]:
    """A camera in each of those frames; between two steps the scene stands in the artist's frame.

    Raises UserError `cameras.bad`, `target.bad`.
    """
    result = []
    for frame in frames:
        shown = yield from capture.when_free(scene)
        thing, place = capture.thing_of(camera), capture.thing_of(empty)
        before, part = shown.frame_current, shown.frame_subframe
        try:
            if frame != before:
                shown.frame_set(frame)
            pose = captures.scene_from_blender(place) @ np.array(thing.matrix_world, np.float64)
            lens, _ = cameras.lens_of(shown, thing)
        finally:
            if frame != before:
                shown.frame_set(before, subframe=part)
        seen = transforms.Frame(f"{frame}", camera_models.pose(pose, camera), lens)
        result.append(capture.wire_camera(seen))
        yield 1
    return messages.CamerasInput(cameras=tuple(result), name=camera)


def active_camera(scene: bpy.types.Scene) -> bpy.types.Object:
    """The camera that the scene renders from. Raises UserError `cameras.bad`."""
    if scene.camera is None or scene.camera.type != "CAMERA":
        raise errors.UserError(
            "cameras.bad",
            f"The scene '{scene.name}' has no active camera.",
            hint="Make a camera active (Ctrl+Numpad 0), or add one.",
        )
    return scene.camera
