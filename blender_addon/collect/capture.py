"""A capture as inputs of a job: its cameras, and their pictures as they came or as Blender renders them, then
with depths.

All is in the coordinates of the capture. Things are found again by name in each step, as undo may replace
them in between; a step is a picture, and what it takes in all is `Plan.size`.
"""

import tempfile
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import axes, captures, steps, transforms
from ..wire import errors, messages
from . import cameras, depths, inputs, views

OPENCV = ("k1", "k2", "k3", "k4", "p1", "p2")
FISHEYE = ("k1", "k2", "k3", "k4")
NO_DEPTHS = "The render engine says nothing of depth, so edits go by the depths of the field."


@dataclass(frozen=True, eq=False)
class Shot:
    """One camera. Without a photograph its picture is rendered, and its pose is that of this moment."""

    camera: str
    frame: transforms.Frame
    photograph: Path | None
    mask: Path | None


@dataclass(frozen=True, eq=False)
class Plan:
    """What is learnt from, by names."""

    scene: str
    empty: str
    header: Mapping[str, Any]
    shots: Sequence[Shot]

    @property
    def rendered(self) -> int:
        """How many pictures Blender has to render."""
        return sum(shot.photograph is None for shot in self.shots)

    @property
    def size(self) -> int:
        """Steps that `input_steps` counts."""
        return len(self.shots)


def plan(context: bpy.types.Context, empty: bpy.types.Object) -> Plan:
    """The capture as it is now. Raises UserError `cameras.bad`, `target.bad`, `dataset.picture`."""
    given = cameras.read(context, empty, captures.cameras(empty))
    views.refuse_missing(given.views, "COPY")
    shots = [Shot(view.thing.name, view.frame, view.photograph, _mask(view)) for view in given.views]
    return Plan(context.scene.name, empty.name, given.header, shots)


def input_steps(given: Plan) -> steps.Steps[inputs.Inputs]:
    """Cameras and pictures, a picture at a time. Raises UserError `cameras.bad`, `dataset.picture`,
    `target.bad`, `output.unusable`.
    """
    made = inputs.Inputs()
    frames, images, masks, ranges = [], [], [], []
    with tempfile.TemporaryDirectory(prefix="maquette-views-") as folder:
        for number, shot in enumerate(given.shots):
            if shot.photograph is None:
                path = Path(folder) / f"{number:05}.png"
                frame, found = yield from _rendered(given, shot, path)
                picture = yield from steps.quietly(made.file(path.read_bytes()))
                mask = None
                depth = None if found is None else (yield from steps.quietly(made.array(found)))
            else:
                frame = shot.frame
                picture = yield from steps.quietly(_noted(made, shot.photograph))
                mask = None if shot.mask is None else (yield from steps.quietly(_noted(made, shot.mask)))
                depth = None
            frames.append(frame)
            images.append(picture)
            masks.append(mask)
            ranges.append(depth)
            yield 1
    made.inputs.append(cameras_input(given, frames))
    beside = tuple(masks) if any(mask is not None for mask in masks) else ()
    made.inputs.append(messages.ImagesInput(images=tuple(images), masks=beside))
    known = sum(depth is not None for depth in ranges)
    if known:
        made.inputs.append(messages.DepthsInput(depths=tuple(ranges)))
    if known < given.rendered:
        made.notes.append(NO_DEPTHS)
    return made


def cameras_input(given: Plan, frames: Sequence[transforms.Frame]) -> messages.CamerasInput:
    """The cameras with what the header of the data set says of all of them."""
    header = given.header
    background = header.get("background")
    box = _box(header.get("aabb"))
    up = transforms.up_of(header, frames, [])
    return messages.CamerasInput(
        cameras=tuple(wire_camera(frame) for frame in frames),
        name=given.empty,
        up=_vector(up),
        near=_number(header.get("near")),
        far=_number(header.get("far")),
        background=background if background in ("white", "black") else None,
        low=None if box is None else _vector(box[0]),
        high=None if box is None else _vector(box[1]),
    )


def wire_camera(frame: transforms.Frame) -> messages.Camera:
    """A camera as the wire has it."""
    pinhole, lens = frame.lens.pinhole, frame.lens
    model, terms = "opencv", OPENCV
    if lens.is_plain:
        model, terms = "pinhole", ()
    elif lens.model == transforms.FISHEYE:
        model, terms = "fisheye", FISHEYE
    return messages.Camera(
        world_from_camera=axes.matrix_rows(frame.world_from_camera),
        fl_x=pinhole.fl_x,
        fl_y=pinhole.fl_y,
        cx=pinhole.cx,
        cy=pinhole.cy,
        width=pinhole.w,
        height=pinhole.h,
        name=frame.name,
        model=model,  # type: ignore[arg-type]
        distortion=tuple(float(lens.distortion.get(term, 0.0)) for term in terms),
        split=frame.split or "train",  # type: ignore[arg-type]
        loss_weight=_number(frame.entry.get("loss_weight")) or 1.0,
    )


def when_free(scene: str) -> Generator[int, None, bpy.types.Scene]:
    """The scene, once no render of the artist's runs. Raises UserError `target.bad` when it is not shown."""
    while bpy.app.is_job_running("RENDER"):
        yield 0
    found = bpy.data.scenes.get(scene)
    if found is None or bpy.context.scene != found:
        raise errors.UserError(
            "target.bad",
            f"The scene '{scene}' is not shown any more.",
            hint="Stay in it until its pictures are there.",
        )
    return found


def thing_of(name: str) -> bpy.types.Object:
    """The object of that name. Raises UserError `target.bad`."""
    found = bpy.data.objects.get(name)
    if found is None:
        raise errors.UserError(
            "target.bad", f"'{name}' was removed or renamed.", hint="Leave it until its pictures are there."
        )
    return found


def _rendered(
    given: Plan, shot: Shot, path: Path
) -> steps.Steps[tuple[transforms.Frame, NDArray[np.float32] | None]]:
    """Renders one picture; the frame has the pose that the camera has meanwhile, and no distortion. Depths
    are in the units of the capture; None where there are none.
    """
    scene = yield from when_free(given.scene)
    empty, thing = thing_of(given.empty), thing_of(shot.camera)
    (now,) = cameras.read(bpy.context, empty, [thing]).views
    lens = transforms.Lens(now.frame.lens.pinhole)
    unit = np.linalg.norm(captures.scene_from_blender(empty)[:3, 0])  # Blender's, in those of the capture
    found = depths.render(scene, thing, lens.pinhole, path)
    if found is not None:
        found = depths.reduced(found) * np.float32(unit)
    return transforms.Frame(shot.frame.name, now.frame.world_from_camera, lens, shot.frame.split), found


def _noted(made: inputs.Inputs, path: Path) -> steps.Steps[messages.BlobRef]:
    try:
        return (yield from made.on_disk(path))
    except OSError as error:
        raise errors.UserError(
            "dataset.picture",
            f"'{path}' cannot be read: {error.strerror or error}.",
            hint="Put it back in its place.",
        ) from error


def _mask(view: cameras.View) -> Path | None:
    return view.beside.get(str(view.frame.entry.get("mask_path")))


def _box(value: Any) -> np.ndarray | None:
    try:
        box = np.array(value, np.float64)
    except (TypeError, ValueError):
        return None
    return box if box.shape == (2, 3) and (box[0] < box[1]).all() else None


def _number(value: Any) -> float | None:
    stated = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if stated and value > 0 else None


def _vector(values: Any) -> messages.Vector:
    x, y, z = (float(value) for value in values)
    return x, y, z
