"""The story of a render: open the scene, find the cameras, look through each."""

import contextlib
import io
import math
import time
from collections.abc import Sequence

import numpy as np
from maquette_wire.errors import UserError

from ...cameras import paths, spiral, turntable
from ...cameras.lens import Lens
from ...cameras.pinhole import Pinhole
from ...media import depth_picture, exr, png, video
from ...rendering.posed import Posed
from ...scenes import folder, runtime
from .. import base, scene_input
from . import RenderParams

_MOST_PIXELS = 1 << 26  # of one picture
# Pictures of a film, and pixels of each, that say between which depths its colours lie.
_GLANCES, _GLANCED = 64, 4096
_LOADING = base.Step(0, 0, "load")


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`."""
    params: RenderParams = ctx.params
    ctx.timer.stage("load")
    yield _LOADING
    scene = runtime.open_scene(scene_input.scene_files(ctx), ctx.device)
    for note in scene.notes:
        ctx.warn("checkpoint.damaged", note)
    cameras = [_sized(camera, params) for camera in _cameras(ctx, params, scene)]
    if params.video:
        _check_film(cameras)
        if params.transparent:
            ctx.warn("params.ignored", "A film cannot be transparent: it shows the scene's background.")
    yield _LOADING

    ctx.timer.stage("render")
    work = _film if params.video else _pictures
    items, seconds = yield from work(params, scene, cameras)
    megapixels = sum(camera.lens.width * camera.lens.height for camera in cameras) / 1e6
    figures = {
        "frames": len(cameras),
        "megapixels": round(megapixels, 4),
        "seconds_per_megapixel": round(seconds / megapixels, 3),
        "scene": scene.record.id,
        "scene_step": scene.step,
    }
    return base.Result(items, figures, backends={"field": str(scene.record.field["type"])})


def _pictures(
    params: RenderParams, scene: runtime.Scene, cameras: Sequence[Posed]
) -> base.Part[tuple[list[base.Item], float]]:
    """A file for each picture, and the seconds that rendering took."""
    items: list[base.Item] = []
    seconds = 0.0
    for number, camera in enumerate(cameras):
        began = time.monotonic()
        frame = yield from base.telling(scene.tiles(camera), base.Step(number, len(cameras), "render"))
        seconds += time.monotonic() - began
        picture = frame.straight() if params.transparent else frame.over(scene.record.background)
        items.append(base.Item("images", f"{number:05d}.png", png.write(picture)))
        if params.depth:
            items.append(base.Item("images", f"{number:05d}.exr", exr.write(frame.depths)))
        yield base.Step(number + 1, len(cameras), "render")
    return items, seconds


def _film(
    params: RenderParams, scene: runtime.Scene, cameras: Sequence[Posed]
) -> base.Part[tuple[list[base.Item], float]]:
    """The film and that of its depths, and the seconds that rendering took; one picture is held at a time."""
    files = {name: io.BytesIO() for name in ("render.mp4", "depth.mp4")[: 1 + params.depth]}
    near, far = (yield from _span(scene, cameras)) if params.depth else (0.0, 1.0)
    seconds = 0.0
    with contextlib.ExitStack() as films:
        add = {name: films.enter_context(video.writing(file, params.fps)) for name, file in files.items()}
        for number, camera in enumerate(cameras):
            began = time.monotonic()
            frame = yield from base.telling(scene.tiles(camera), base.Step(number, len(cameras), "render"))
            seconds += time.monotonic() - began
            add["render.mp4"](frame.over(scene.record.background))
            if params.depth:
                add["depth.mp4"](depth_picture.colour(frame.depths, near=near, far=far))
            yield base.Step(number + 1, len(cameras), "render")
    return [base.Item("video", name, file.getvalue()) for name, file in files.items()], seconds


def _span(scene: runtime.Scene, cameras: Sequence[Posed]) -> base.Part[tuple[float, float]]:
    """Near and far of the colours of a film's depths: one span for all, so that it does not flicker."""
    chosen = np.unique(np.linspace(0, len(cameras) - 1, min(_GLANCES, len(cameras))).round().astype(int))
    depths = []
    for number in chosen:
        depths.append(scene.some_depths(cameras[number], _GLANCED))
        yield base.Step(0, len(cameras), "render")
    return depth_picture.span(np.concatenate(depths))


def _check_film(cameras: Sequence[Posed]) -> None:
    """Raises UserError `params.bad` for what no film shows."""
    sizes = {(camera.lens.width, camera.lens.height) for camera in cameras}
    if len(sizes) > 1:
        raise UserError(
            "params.bad",
            "The cameras have pictures of several sizes, which one film cannot show.",
            hint="Give --size, or render into a folder.",
        )
    width, height = max(sizes)
    if max(width, height) > video.MAX_SIDE:
        raise UserError(
            "params.bad",
            f"A film of {width} x {height} pixels is too large: {video.MAX_SIDE} along a side are possible.",
            hint="Choose less, or render into a folder.",
        )


def _cameras(ctx: base.RunContext, params: RenderParams, scene: runtime.Scene) -> list[Posed]:
    if params.path == "given":
        return scene_input.given_cameras(ctx)
    if params.path in ("train", "val", "test"):
        found = [camera.posed() for camera in scene.cameras if camera.split == params.path]
        if not found:
            raise UserError(
                "cameras.bad", f"The scene has no {params.path} cameras.", hint="Choose train, or a path."
            )
        return found
    if not scene.cameras:
        raise UserError("cameras.bad", "The scene has no cameras to go by.", hint="Give a camera file.")
    stops = _turntable(params, scene) if params.path == "turntable" else _spiral(params, scene)
    return [Posed(camera.world_from_camera, _lens(camera), at) for camera, at in stops]


def _turntable(params: RenderParams, scene: runtime.Scene) -> list[paths.Stop]:
    first = scene.cameras[0]
    places = np.array([np.array(camera.transform_matrix)[:3, 3] for camera in scene.cameras])
    target = np.asarray(scene.field.domain.centre)
    radius = float(np.median(np.linalg.norm(places - target, axis=-1)))
    fov = math.degrees(2 * math.atan(0.5 * first.h / first.fl_y))
    return turntable.turntable(
        target,
        radius,
        scene.record.up,
        params.frames,
        params.elevation,
        fov,
        (first.w, first.h),
        front=scene.record.front,
    )


def _spiral(params: RenderParams, scene: runtime.Scene) -> list[paths.Stop]:
    cameras = [_pinhole(camera) for camera in scene.cameras if camera.split == "train"]
    return spiral.spiral(cameras, params.frames, up=scene.record.up)


def _pinhole(camera: folder.CameraRecord) -> Pinhole:
    """The camera without its distortion."""
    return Pinhole(
        np.array(camera.transform_matrix), camera.fl_x, camera.fl_y, camera.cx, camera.cy, camera.w, camera.h
    )


def _lens(camera: Pinhole) -> Lens:
    return Lens(camera.width, camera.height, camera.focal_x, camera.focal_y, camera.centre_x, camera.centre_y)


def _sized(camera: Posed, params: RenderParams) -> Posed:
    """With the size that was asked for. One side keeps the shape; both crop or widen round the middle."""
    lens = camera.lens
    width, height = params.width, params.height
    if width is not None and height is not None:
        factor = height / lens.height
        lens = Lens(
            width,
            height,
            lens.focal_x * factor,
            lens.focal_y * factor,
            lens.centre_x * factor + (width - lens.width * factor) / 2,
            lens.centre_y * factor,
            lens.model,
            lens.distortion,
        )
    elif width is not None:
        lens = lens.scaled(width / lens.width)
    elif height is not None:
        lens = lens.scaled(height / lens.height)
    if params.scale != 1:
        lens = lens.scaled(params.scale)
    if lens.width * lens.height > _MOST_PIXELS:
        raise UserError(
            "params.bad",
            f"A picture of {lens.width} x {lens.height} pixels is too large.",
            hint="Choose less.",
        )
    return Posed(camera.world_from_camera, lens, camera.time)
