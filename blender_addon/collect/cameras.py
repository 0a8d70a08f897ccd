"""The cameras of a capture, or of the scene, as the frames of a data set.

In a capture, coordinates are those below its Empty; without one they are Blender's own. What was not changed
since the import comes out as it was in the file, to the last digit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import camera_models, captures, export_folder, transforms
from ..wire import errors


@dataclass(frozen=True, eq=False)
class View:
    """One camera that is exported."""

    thing: bpy.types.Object
    frame: transforms.Frame
    photograph: Path | None
    beside: Mapping[str, Path]
    """mask and depth of the photograph, by their paths in the data set"""
    moved: bool
    """pose or lens are not those of the frame's entry any more"""
    other_lens: bool


@dataclass(frozen=True, eq=False)
class DataSet:
    """What is exported, before its pictures."""

    header: dict[str, Any]
    views: Sequence[View]


def read(
    context: bpy.types.Context, empty: bpy.types.Object | None, things: Sequence[bpy.types.Object]
) -> DataSet:
    """The cameras as they are in this moment. Raises UserError `cameras.bad`, `target.bad`."""
    context.view_layer.update()  # matrices are old until then where nothing is drawn
    scene_from_blender = np.eye(4) if empty is None else captures.scene_from_blender(empty)
    if not things:
        where = f"'{empty.name}' has no cameras" if empty is not None else "No camera is selected"
        raise errors.UserError(
            "cameras.bad", f"{where}.", hint="Add a camera set, import a capture, or select cameras."
        )
    depsgraph = context.evaluated_depsgraph_get()
    taken: set[str] = set()
    orders: set[int] = set()
    views = []
    for thing in things:
        views.append(_view(context.scene, depsgraph, thing, empty, scene_from_blender, orders, taken))
        taken.add(views[-1].frame.name)
    header = captures.remembered(empty, captures.HEADER) if empty is not None else {**transforms.RENDERED}
    return DataSet(header, views)


def lens_of(scene: bpy.types.Scene, thing: bpy.types.Object) -> tuple[transforms.Lens, bool]:
    """The lens of a camera, and whether it is not the one that is remembered with it any more.

    Cameras of a capture keep their own size and shape of pixels, others have the scene's. Raises UserError
    `cameras.bad`.
    """
    camera, render = thing.data, scene.render
    if camera.type != "PERSP":
        raise errors.UserError(
            "cameras.bad",
            f"'{thing.name}' is not a perspective camera.",
            hint="Set its type to Perspective (Properties > Data > Lens).",
        )
    known = captures.remembered_lens(camera)
    lens = camera_models.Lens(
        camera.lens,
        camera.sensor_fit,
        camera.sensor_width,
        camera.sensor_height,
        camera.shift_x,
        camera.shift_y,
        render.resolution_x,
        render.resolution_y,
        render.resolution_percentage,
        render.pixel_aspect_x,
        render.pixel_aspect_y,
    )
    if known is None:
        return transforms.Lens(camera_models.pinhole_from_lens(lens)), True
    tall = known.pinhole.fl_x / known.pinhole.fl_y
    own = replace(
        lens,
        resolution_x=known.pinhole.w,
        resolution_y=known.pinhole.h,
        resolution_percentage=100,
        pixel_aspect_x=1.0,
        pixel_aspect_y=tall,
    )
    pinhole = camera_models.pinhole_from_lens(own)
    same = pinhole.is_near(known.pinhole)
    now = transforms.Lens(known.pinhole if same else pinhole, known.model, captures.distortion(camera))
    return now, now != known


def _view(
    scene: bpy.types.Scene,
    depsgraph: bpy.types.Depsgraph,
    thing: bpy.types.Object,
    empty: bpy.types.Object | None,
    scene_from_blender: NDArray[np.float64],
    orders: set[int],
    taken: set[str],
) -> View:
    camera = thing.data
    order = camera.get(captures.ORDER)
    own = empty is not None and captures.of(thing) == empty and order is not None and order not in orders
    if own:
        orders.add(order)
    lens, other_lens = lens_of(scene, thing)
    pose = _pose(depsgraph, thing, empty, scene_from_blender)
    entry = captures.remembered(camera, captures.ENTRY) if own else {}
    moved = "transform_matrix" not in entry
    if not moved:
        stated = camera_models.rigid(entry["transform_matrix"], f"'{thing.name}'")
        moved = not camera_models.is_same_pose(pose, stated)
    name = str(camera.get(captures.NAME, "")) if own else ""
    if not name or not transforms.is_inside(name):
        name = _free_name(thing, Path(name).suffix or ".png", taken)
    split = str(camera.get(captures.SPLIT, "")) if own else ""
    frame = transforms.Frame(name, pose, lens, split, entry)
    photograph = captures.picture(thing) if own else None
    beside = _beside(thing, captures.folder(empty), entry) if photograph is not None else {}
    return View(thing, frame, photograph, beside, moved, other_lens or not entry)


def _beside(thing: bpy.types.Object, folder: Path | None, entry: Mapping[str, Any]) -> dict[str, Path]:
    result = {}
    for name in filter(None, (entry.get(key) for key in ("mask_path", "depth_file_path"))):
        if not isinstance(name, str) or not transforms.is_inside(name) or Path(name).is_absolute():
            raise errors.UserError(
                "dataset.bad",
                f"The mask or depth of '{thing.name}' lies outside of the data set's folder.",
                hint="Put it beside the pictures.",
            )
        if folder is not None and (folder / name).is_file():
            result[name] = folder / name
    return result


def _pose(
    depsgraph: bpy.types.Depsgraph,
    thing: bpy.types.Object,
    empty: bpy.types.Object | None,
    scene_from_blender: NDArray[np.float64],
) -> NDArray[np.float64]:
    """In the coordinates of the capture. Directly below the Empty it is the camera's own matrix, which does
    not lose digits when the Empty stands far away.
    """
    alone = not thing.constraints and thing.animation_data is None and thing.parent_type == "OBJECT"
    if empty is not None and thing.parent == empty and alone:
        inverse = np.array(thing.matrix_parent_inverse, np.float64)
        matrix = inverse @ np.array(thing.matrix_basis, np.float64)
    else:
        world = np.array(thing.evaluated_get(depsgraph).matrix_world, np.float64)
        matrix = scene_from_blender @ world
    return camera_models.pose(matrix, thing.name)


def _free_name(thing: bpy.types.Object, suffix: str, taken: set[str]) -> str:
    stem = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in thing.name)
    names = [
        f"{export_folder.PICTURES}/{stem}{more}{suffix}" for more in ("", *map("_{}".format, range(2, 9)))
    ]
    return next((name for name in names if name not in taken), f"{names[0]}{len(taken)}")
