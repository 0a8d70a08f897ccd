"""What a reconstruction gives: the files of a scene's folder, and a picture to look at."""

import math
import uuid
from collections.abc import Sequence
from pathlib import PurePosixPath

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...datasets.base import DataSet, Frame
from ...media import png
from ...rendering.posed import Posed
from ...scenes import folder, runtime
from .. import base, scene_input
from .learners import Learner
from .space import Space

_PREVIEW_LONG = 480  # pixels


def named(frames: Sequence[Frame], masks: bool = False) -> list[str]:
    """A path in the scene's folder for each picture: its own name where that is one of its kind and plain."""
    top = "masks" if masks else "images"
    found: list[str] = []
    for number, frame in enumerate(frames):
        path = PurePosixPath(frame.name)
        stem = "".join(letter if letter.isalnum() and letter.isascii() else "_" for letter in path.stem)[:60]
        name = f"{top}/{number:05d}_{stem or 'picture'}{_suffix(frame, masks)}"
        found.append(name)
    return found


def _suffix(frame: Frame, masks: bool) -> str:
    with (frame.mask if masks and frame.mask is not None else frame.image).open("rb") as file:
        start = file.read(12)
    if start.startswith(b"\x89PNG"):
        return ".png"
    return ".webp" if start[8:12] == b"WEBP" else ".jpg"


def scene(
    ctx: base.RunContext,
    dataset: DataSet,
    space: Space,
    learner: Learner,
    step: int,
    earlier: dict[int, bytes],
) -> list[base.Item]:
    """All files of the scene. earlier: weights of steps before, by step."""
    name = scene_input.capture_name(ctx)
    chosen = msgspec.json.encode(ctx.params, order="sorted").decode()
    up = np.asarray(dataset.up, np.float64)
    record = folder.SceneRecord(
        format=folder.FORMAT,
        id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{ctx.seed} {name} {step} {space.domain} {chosen}")),
        name=name,
        method="reconstruct",
        created_by=scene_input.VERSION,
        field=learner.record(),
        field_from_scene=folder.matrix(space.domain.field_from_scene),
        up=folder.vector(up),
        front=folder.vector(_front(up)),
        aabb=_box(space),
        near=space.near,
        far=space.far,
        background=dataset.background if dataset.background in ("white", "black") else "black",  # type: ignore[arg-type]
        reduce=ctx.params.reduce,
        step=step,
    )
    names, masks = named(dataset.frames), named(dataset.frames, masks=True)
    depths = [f"depths/{PurePosixPath(name).stem}.exr" for name in names]
    rows = tuple(
        camera_record(
            number,
            frame,
            names[number],
            masks[number] if frame.mask is not None else None,
            depths[number] if frame.depth is not None else None,
        )
        for number, frame in enumerate(dataset.frames)
    )
    items = [
        base.Item("scene", "scene.json", folder.encode(record)),
        base.Item("scene", "cameras.json", folder.encode(folder.Cameras(frames=rows))),
    ]
    weights = {**earlier, step: learner.weights()}
    items += [base.Item("scene", folder.checkpoint_path(at), data) for at, data in weights.items()]
    for frame, name, mask, depth in zip(dataset.frames, names, masks, depths, strict=True):
        if frame.image.is_file():
            items.append(base.Item("scene", name, frame.image))
        if frame.mask is not None:
            items.append(base.Item("scene", mask, frame.mask))
        if frame.depth is not None:
            items.append(base.Item("scene", depth, frame.depth))
    return items


def camera_record(
    number: int, frame: Frame, image: str, mask: str | None, depth: str | None
) -> folder.CameraRecord:
    """A frame as a row of cameras.json."""
    lens = frame.lens
    return folder.CameraRecord(
        id=number,
        image=image,
        mask=mask,
        depth=depth,
        w=lens.width,
        h=lens.height,
        fl_x=lens.focal_x,
        fl_y=lens.focal_y,
        cx=lens.centre_x,
        cy=lens.centre_y,
        camera_model=lens.model,  # type: ignore[arg-type]
        distortion=lens.distortion,
        transform_matrix=folder.matrix(frame.world_from_camera),
        time=frame.time,
        split=frame.split,  # type: ignore[arg-type]
        level=frame.level,
        name=frame.name,
    )


def view(learner: Learner, camera: Posed, space: Space, longest: int, background: str) -> NDArray[np.uint8]:
    """The field as it is, from a camera, its long side at most `longest` pixels, u8 [H, W, 4], opaque."""
    lens = camera.lens
    quick = math.sqrt(learner.quick / (lens.width * lens.height))
    small = lens.scaled(min(1.0, longest / max(lens.width, lens.height), quick))
    field = learner.scene().draft()
    frame = runtime.look(field, Posed(camera.world_from_camera, small), space.near, space.far)
    picture = frame.over(background)
    return np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])


def preview(learner: Learner, camera: Posed, space: Space, background: str) -> base.Item:
    """preview.png."""
    picture = view(learner, camera, space, _PREVIEW_LONG, background)
    return base.Item("scene", "preview.png", png.write(picture[..., :3]))


def _front(up: NDArray[np.float64]) -> NDArray[np.float64]:
    """A direction square to up: -y where z is up, as Blender has it; +z where y is."""
    for axis in ((0.0, -1.0, 0.0), (0.0, 0.0, 1.0)):
        across = np.array(axis) - up * float(up @ np.array(axis))
        if np.linalg.norm(across) > 0.5:
            return across / np.linalg.norm(across)
    raise AssertionError("two square directions cannot both be up")


def _box(space: Space) -> tuple[folder.Vector, folder.Vector] | None:
    if space.domain.unbounded:
        return None
    centre, half = np.asarray(space.domain.centre), 1 / space.domain.scale
    return folder.vector(centre - half), folder.vector(centre + half)
