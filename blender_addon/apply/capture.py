"""A capture into the scene: an Empty, and cameras below it in a collection of their own.

All is made in a collection that belongs to no scene and linked at the end, so that nothing is seen, undone or
saved by halves.
"""

import json

import bpy
import numpy as np

from .. import camera_models, captures, steps, transforms
from . import photographs

CAMERA_SIZE = 0.04  # of the spread of the cameras
NEAR, FAR = 0.01, 100.0  # clipping at the latest, in spreads


def build_steps(
    scene: bpy.types.Scene, capture: transforms.Capture, place: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> steps.Steps[bpy.types.Object]:
    """Adds the capture to the scene a camera at a time; the result is its Empty."""
    made: list[bpy.types.ID] = []
    whole = False
    try:
        collection = bpy.data.collections.new(capture.name)
        made.append(collection)
        empty = _empty(capture, place)
        made.append(empty)
        collection.objects.link(empty)
        spread = _spread(capture)
        for order, frame in enumerate(capture.frames):
            thing = _camera(order, frame, spread)
            made += [thing, thing.data]
            thing.parent = empty
            collection.objects.link(thing)
            if capture.folder is not None and len(capture.frames) <= photographs.AT_ONCE:
                photographs.show(thing)
            yield 1
        scene.collection.children.link(collection)
        whole = True
    finally:
        if not whole:
            photographs.hide([block for block in made if isinstance(block, bpy.types.Camera)])
            bpy.data.batch_remove(made)
    return empty


def use_resolution(scene: bpy.types.Scene, lens: transforms.Lens) -> None:
    """Lets the scene render pictures of that size."""
    settings = camera_models.lens_from_pinhole(lens.pinhole)
    render = scene.render
    render.resolution_x, render.resolution_y = settings.resolution_x, settings.resolution_y
    render.resolution_percentage = 100
    render.pixel_aspect_x, render.pixel_aspect_y = settings.pixel_aspect_x, settings.pixel_aspect_y


def choose(context: bpy.types.Context, empty: bpy.types.Object) -> None:
    """Makes the capture the active object, and the only one that is selected."""
    for thing in context.view_layer.objects.selected:
        thing.select_set(False)
    empty.select_set(True)
    context.view_layer.objects.active = empty


def _empty(capture: transforms.Capture, place: tuple[float, float, float]) -> bpy.types.Object:
    import mathutils

    empty = bpy.data.objects.new(capture.name, None)
    empty.empty_display_type = "ARROWS"
    empty.location = place
    empty.rotation_euler = mathutils.Matrix(camera_models.upright(capture.up).tolist()).to_euler()
    empty[captures.HEADER] = json.dumps(dict(capture.header))
    empty[captures.FOLDER] = str(capture.folder) if capture.folder is not None else ""
    empty[captures.NOTES] = "\n".join(capture.notes)
    return empty


def _camera(order: int, frame: transforms.Frame, spread: float) -> bpy.types.Object:
    import mathutils

    name = frame.name.rpartition("/")[2].rpartition(".")[0]
    camera = bpy.data.cameras.new(name)
    settings = camera_models.lens_from_pinhole(frame.lens.pinhole)
    camera.sensor_fit = settings.sensor_fit
    camera.sensor_width, camera.sensor_height = settings.sensor_width, settings.sensor_height
    camera.lens = settings.lens
    camera.shift_x, camera.shift_y = settings.shift_x, settings.shift_y
    if spread > 0:
        camera.display_size = CAMERA_SIZE * spread
        camera.clip_start = min(camera.clip_start, NEAR * spread)
        camera.clip_end = max(camera.clip_end, FAR * spread)
    captures.remember(camera, order, frame)
    thing = bpy.data.objects.new(name, camera)
    matrix = mathutils.Matrix(frame.world_from_camera.tolist())
    thing.rotation_mode = "QUATERNION"  # angles lose digits where two of the axes fall together
    thing.location, thing.rotation_quaternion = matrix.to_translation(), matrix.to_quaternion()
    return thing


def _spread(capture: transforms.Capture) -> float:
    places = np.stack([frame.world_from_camera[:3, 3] for frame in capture.frames])
    return float(np.linalg.norm(np.ptp(places, axis=0)))
