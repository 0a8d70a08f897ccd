"""Captures and scenes as they come over the wire, as the libraries want them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from maquette_wire import __version__, messages
from maquette_wire.errors import UserError

from ..cameras import conventions, lens
from ..datasets import base as datasets
from ..datasets import scale
from ..rendering.posed import Posed
from ..scenes.files import SceneFiles
from . import base

VERSION = __version__


def capture_name(ctx: base.RunContext) -> str:
    """What the data set of a job is called."""
    cameras: messages.CamerasInput = ctx.inputs["cameras"]
    return cameras.name


def given_cameras(ctx: base.RunContext) -> list[Posed]:
    """The cameras of a job to look through. Raises UserError `input.bad`, `dataset.bad`."""
    given: messages.CamerasInput | None = ctx.inputs.get("cameras")
    if given is None or not given.cameras:
        raise UserError("input.bad", "No cameras were given to render from.", hint="Give a camera path.")
    return [
        Posed(
            conventions.rigid(np.array(one.world_from_camera), "A camera of the path"),
            lens_of(one),
            one.time,
        )
        for one in given.cameras
    ]


def data_set(ctx: base.RunContext) -> datasets.DataSet:
    """The cameras and pictures of a job as a data set whose files are the stored ones.

    Raises UserError `dataset.bad`, `input.bad`.
    """
    cameras: messages.CamerasInput = ctx.inputs["cameras"]
    images: messages.ImagesInput = ctx.inputs["images"]
    count = len(cameras.cameras)
    if len(images.images) != count or len(images.masks) not in (0, count):
        raise UserError(
            "input.bad",
            f"{count} cameras came with {len(images.images)} pictures.",
            hint="Send one for each.",
        )
    masks = images.masks or (None,) * count
    frames = tuple(
        datasets.Frame(
            name=camera.name or f"{number:05d}",
            image=_path(ctx, image),
            world_from_camera=conventions.rigid(
                np.array(camera.world_from_camera), f"The camera of {camera.name!r}"
            ),
            lens=lens_of(camera),
            mask=None if mask is None else _path(ctx, mask),
            time=camera.time,
            split=camera.split,
            loss_weight=camera.loss_weight,
        )
        for number, (camera, image, mask) in enumerate(
            zip(cameras.cameras, images.images, masks, strict=True)
        )
    )
    if not frames:
        raise UserError("dataset.bad", "The data set has no cameras.", hint="Export it again.")
    up = np.array(cameras.up) if cameras.up is not None else scale.up_of(frames)
    box = None
    if cameras.low is not None and cameras.high is not None:
        box = np.array([cameras.low, cameras.high])
    return datasets.DataSet(
        folder=Path(),
        format="wire",
        frames=frames,
        up=up,
        near=cameras.near,
        far=cameras.far,
        background=cameras.background,
        aabb=box,
    )


def lens_of(camera: messages.Camera) -> lens.Lens:
    """The lens of a camera on the wire. Raises UserError `dataset.bad`."""
    wanted = lens.MODELS[camera.model]
    distortion = camera.distortion if camera.distortion else (0.0,) * wanted
    if len(distortion) != wanted:
        raise UserError(
            "dataset.bad", f"A {camera.model} lens has {wanted} distortion numbers, not {len(distortion)}."
        )
    return lens.Lens(
        camera.width, camera.height, camera.fl_x, camera.fl_y, camera.cx, camera.cy, camera.model, distortion
    )


def scene_files(ctx: base.RunContext) -> SceneFiles:
    """The scene of a job, at the moment that was asked for. Raises UserError `scene.bad`."""
    given: messages.SceneInput = ctx.inputs["scene"]
    return SceneFiles({one.path: _path(ctx, one.file) for one in given.files}).at(given.moment)


def loaded(frame: datasets.Frame, size: tuple[int, int]) -> datasets.Frame:
    """The frame with the lens of its picture as it is, `size` = (width, height)."""
    if (frame.lens.width, frame.lens.height) == size:
        return frame
    return replace(frame, lens=frame.lens.resized(*size))


def _path(ctx: base.RunContext, ref: messages.BlobRef) -> Path:
    assert ctx.path is not None
    place: Path = ctx.path(ref)
    return place
