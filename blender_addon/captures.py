"""Captures in a file: an Empty that places a radiance field, and the cameras of its pictures below it.

`scene_from_blender` is the inverse of the Empty's world matrix: what stands below it is in the coordinates of
the capture, whatever is done to the Empty. What Blender has no place for is kept in custom properties, of the
Empty (HEADER, FOLDER, NOTES, and of its radiance field SCENE and what follows) and of the cameras (the rest).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from . import camera_models, transforms
from .wire import errors

HEADER = "maquette_header"  # JSON: what stands in the file beside its frames; marks the Empty of a capture
FOLDER = "maquette_folder"  # where the pictures are; empty for a set of cameras
NOTES = "maquette_notes"
SCENE = "maquette_scene"  # id of the job whose result is the radiance field of the capture, on the server
SCENE_ID = "maquette_scene_id"  # what the field's own scene.json calls it
SCENE_TOLD = "maquette_scene_told"  # JSON: settings and report of that job
VERSIONS = "maquette_versions"  # JSON: all fields that the capture has had, see `Version`
MOMENT = "maquette_moment"  # step of the moment of the field that is shown; absent: as the edit ended
TRIAL = "maquette_trial"  # the image that is the sheet of the newest trial of an edit
SHOWS_EDITED = "maquette_shows_edited"  # whether cameras show what the edit made of their photographs

NAME = "maquette_picture"  # path of the picture below FOLDER
ORDER = "maquette_order"  # number of the frame in its file
SPLIT = "maquette_split"
LENS = "maquette_lens"  # JSON: intrinsics as they stand in the file, in pixels
TERM = "maquette_"  # and the name of a term of the distortion, such as maquette_k1
ENTRY = "maquette_entry"  # JSON: the frame as it stands in the file
EDITED = "maquette_edited"  # JSON: by job, path of the edited picture and of the one before, or ""

UNEVEN = 1e-4  # of the scale: what single precision leaves of three equal numbers that were turned


@dataclass(frozen=True)
class Version:
    """A field that a capture has or had."""

    job: str  # whose result it is
    name: str  # what was asked for
    moments: tuple[int, ...]  # steps of its moments; none unless it is an edit


def versions(empty: bpy.types.Object) -> list[Version]:
    """The fields of a capture, oldest first; none where they cannot be read."""
    try:
        rows = json.loads(str(empty.get(VERSIONS, "[]")))
        return [Version(str(job), str(name), tuple(map(int, moments))) for job, name, moments in rows]
    except (ValueError, TypeError):
        return []


def set_versions(empty: bpy.types.Object, kept: Sequence[Version]) -> None:
    """Writes them."""
    empty[VERSIONS] = json.dumps([[one.job, one.name, list(one.moments)] for one in kept])


def version(empty: bpy.types.Object) -> Version | None:
    """The field that the capture has now."""
    return next((one for one in versions(empty) if one.job == empty.get(SCENE)), None)


def moment(empty: bpy.types.Object) -> int | None:
    """Step of the moment that is shown; None: the field as it ended."""
    found = empty.get(MOMENT)
    return None if found is None else int(found)


def show_moment(empty: bpy.types.Object, number: int) -> None:
    """Shows a moment of the version by its number; the last one is the field as it ended."""
    found = version(empty)
    moments = found.moments if found is not None else ()
    if moments and number >= len(moments):
        empty.maquette.moment = len(moments) - 1  # there is no later one; this comes back here
        return
    if number >= len(moments) - 1:
        empty.pop(MOMENT, None)
    else:
        empty[MOMENT] = moments[number]


def is_capture(thing: bpy.types.Object | None) -> bool:
    """Whether it is the Empty of a capture."""
    return thing is not None and thing.type == "EMPTY" and HEADER in thing


def of(thing: bpy.types.Object | None) -> bpy.types.Object | None:
    """The Empty of the capture that an object belongs to, itself included."""
    while thing is not None and not is_capture(thing):
        thing = thing.parent
    return thing


def chosen(context: bpy.types.Context) -> bpy.types.Object | None:
    """The capture that buttons mean: the active object's, else the one of the panel, else the only one."""
    found = of(context.object)
    if found is not None:
        return found
    picked = context.scene.maquette.capture
    if is_capture(picked) and picked.name in context.scene.objects:
        return picked
    everywhere = [thing for thing in context.scene.objects if is_capture(thing)]
    return everywhere[0] if len(everywhere) == 1 else None


def find(record: Mapping[str, Any]) -> bpy.types.Object:
    """The Empty that a job's target names by `uid` and `name`. Raises UserError `result.gone`."""
    everywhere = [thing for thing in bpy.data.objects if is_capture(thing)]
    found = [thing for thing in everywhere if thing.maquette.uid == record["uid"]]
    if len(found) != 1:  # duplicated, or the id was undone: the name decides
        found = [thing for thing in found or everywhere if thing.name == record["name"]]
    if len(found) != 1:
        raise errors.UserError(
            "result.gone",
            f"The capture '{record['name']}' is no longer in this file.",
            hint="The result stays in Results; open the file that has it.",
        )
    return found[0]


def cameras(empty: bpy.types.Object) -> list[bpy.types.Object]:
    """The cameras of a capture in the order of its file; those that were added after it, by name."""
    found = [thing for thing in empty.children_recursive if thing.type == "CAMERA"]
    return sorted(found, key=lambda thing: (thing.data.get(ORDER, transforms.MOST_FRAMES), thing.name))


def scene_from_blender(empty: bpy.types.Object) -> NDArray[np.float64]:
    """Coordinates of the capture from Blender's world, [4, 4]. Raises UserError `target.bad`."""
    world = np.array(empty.matrix_world, np.float64)
    axes = world[:3, :3]
    lengths = np.linalg.norm(axes, axis=0)
    size = float(lengths.mean())
    if not np.isfinite(world).all() or size <= 0:
        raise errors.UserError(
            "target.bad", f"'{empty.name}' has no size or stands nowhere.", hint="Clear its scale (Alt+S)."
        )
    if np.abs(axes.T @ axes / size**2 - np.eye(3)).max() > UNEVEN:
        scale = ", ".join(f"{length:.4g}" for length in lengths)
        raise errors.UserError(
            "target.bad",
            f"'{empty.name}' is not scaled equally along its axes ({scale}), which a capture cannot be.",
            hint="Give all three axes the same scale, those of its parents as well.",
        )
    if np.linalg.det(axes) < 0:
        raise errors.UserError(
            "target.bad", f"'{empty.name}' is mirrored.", hint="Make its scale positive (Alt+S clears it)."
        )
    return np.linalg.inv(world)


def folder(empty: bpy.types.Object | None) -> Path | None:
    """Where the pictures of a capture are; None when it has none."""
    text = str(empty.get(FOLDER, "")) if empty is not None else ""
    return Path(bpy.path.abspath(text)) if text else None


def picture(thing: bpy.types.Object) -> Path | None:
    """The photograph that belongs to a camera, whether the file is there or not."""
    place = folder(of(thing))
    name = str(thing.data.get(NAME, ""))
    return place / name if place is not None and name else None


def set_edited(thing: bpy.types.Object, job: str, edited: str, before: str) -> None:
    """Notes where the edited picture of a camera is, and the one before where there is no photograph."""
    kept = remembered(thing.data, EDITED)
    thing.data[EDITED] = json.dumps({**kept, job: [edited, before]})


def edited(thing: bpy.types.Object) -> tuple[Path, Path | None] | None:
    """The edited picture of a camera in the version that is shown and the one before it; None where that
    edit made none of it, or nobody has fetched it. The files may be gone.
    """
    empty = of(thing)
    row = remembered(thing.data, EDITED).get(str(empty.get(SCENE))) if empty is not None else None
    if not isinstance(row, list) or len(row) != 2:
        return None
    after, before = (Path(bpy.path.abspath(str(path))) if path else None for path in row)
    return (after, before or picture(thing)) if after is not None else None


def shown_picture(thing: bpy.types.Object) -> Path | None:
    """What lies behind what a camera sees: its photograph, or what has become of that."""
    empty = of(thing)
    found = edited(thing) if empty is not None and empty.get(SHOWS_EDITED) else None
    return found[0] if found is not None else picture(thing)


def remember(camera: bpy.types.Camera, order: int, frame: transforms.Frame) -> None:
    """Writes what Blender has no place for on a camera."""
    camera[NAME], camera[ORDER], camera[SPLIT] = frame.name, order, frame.split
    camera[LENS] = json.dumps(transforms.intrinsics(frame.lens))
    for key, value in frame.lens.distortion.items():
        camera[TERM + key] = value
    if frame.entry:
        camera[ENTRY] = json.dumps(dict(frame.entry))


def remembered_lens(camera: bpy.types.Camera) -> transforms.Lens | None:
    """The lens that `remember` wrote, as it was; None when there is none that can be read."""
    try:
        stated = remembered(camera, LENS)
        focal = [float(stated[key]) for key in ("fl_x", "fl_y", "cx", "cy")]
        pinhole = camera_models.Pinhole(int(stated["w"]), int(stated["h"]), *focal)
        terms = {key: float(stated[key]) for key in transforms.DISTORTION if key in stated}
    except (KeyError, TypeError, ValueError):
        return None
    return transforms.Lens(pinhole, str(stated.get("camera_model", "PINHOLE")), terms)


def distortion(camera: bpy.types.Camera) -> dict[str, float]:
    """The terms that are not 0 in the custom properties of a camera, as they are now."""
    terms = {key: float(camera.get(TERM + key, 0.0)) for key in transforms.DISTORTION}
    return {key: value for key, value in terms.items() if value}


def remembered(block: bpy.types.ID, key: str) -> dict[str, Any]:
    """The object of one of the JSON properties; empty when it is not readable."""
    try:
        content = json.loads(str(block.get(key, "{}")))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
