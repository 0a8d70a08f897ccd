"""The story of an evaluation: render each camera of a split, compare, tell the means."""

import json
import time
from collections import defaultdict
from typing import Any

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ...datasets import base as datasets
from ...datasets import pictures
from ...media import comparison_sheet, png
from ...metrics import picture_errors
from ...rendering.posed import Posed
from ...scenes import folder, runtime
from ...scenes.files import SceneFiles
from .. import base, scene_input
from . import EvaluateParams

_ROWS = 6  # of the sheet
_NO_LPIPS = "no weights for LPIPS are configured"


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`."""
    params: EvaluateParams = ctx.params
    ctx.timer.stage("load")
    yield base.Step(0, 0, "load")
    files = scene_input.scene_files(ctx)
    scene = runtime.open_scene(files, ctx.device)
    for note in scene.notes:
        ctx.warn("checkpoint.damaged", note)
    chosen = _chosen(scene, params)
    ctx.timer.stage("evaluate")
    rows: list[dict[str, Any]] = []
    shown: list[tuple[NDArray[np.uint8], NDArray[np.uint8], str]] = []
    seconds = 0.0
    for number, record in enumerate(chosen):
        truth, camera, known = _truth(files, record, scene.record.background)
        began = time.monotonic()
        frame: runtime.Frame | None = None
        for frame in scene.tiles(camera):
            if frame is None:
                yield base.Step(number, len(chosen), "evaluate")
        assert frame is not None
        seconds += time.monotonic() - began
        render = frame.over(scene.record.background)
        if known is not None:
            render = np.where(known[..., None], render, truth)
        rows.append(_compared(record, truth, render, known))
        if number % max(1, -(-len(chosen) // _ROWS)) == 0:
            shown.append((truth, render, record.name or str(record.id)))
        yield base.Step(number + 1, len(chosen), "evaluate")
    ctx.timer.stage("write")
    found = _means(rows)
    found |= {"split": params.split, "seconds_per_picture": round(seconds / len(rows), 4), "images": rows}
    sheet = comparison_sheet.sheet(
        [one[0] for one in shown], [one[1] for one in shown], names=[one[2] for one in shown]
    )
    items = [
        base.Item("figures", "evaluation.json", json.dumps(found, indent=1).encode() + b"\n"),
        base.Item("images", "sheet.png", png.write(sheet)),
    ]
    return base.Result(items, {name: found[name] for name in ("psnr", "ssim", "lpips", "split", "scales")})


def _chosen(scene: runtime.Scene, params: EvaluateParams) -> list[folder.CameraRecord]:
    found = [camera for camera in scene.cameras if camera.split == params.split and camera.image]
    if not found:
        raise UserError(
            "scene.bad",
            f"The scene has no pictures of the split {params.split}.",
            hint="Evaluate another split, such as train.",
        )
    if params.most is not None and params.most < len(found):
        at = np.linspace(0, len(found) - 1, params.most).round().astype(int)
        found = [found[k] for k in at]
    return found


def _truth(
    files: SceneFiles, record: folder.CameraRecord, background: str
) -> tuple[NDArray[np.uint8], Posed, NDArray[np.bool_] | None]:
    """The photograph over the background, u8 [H, W, 3], its camera, and where it is known."""
    camera = record.posed()
    frame = datasets.Frame(
        name=record.name or str(record.image),
        image=files.place(record.image or ""),
        world_from_camera=camera.world_from_camera,
        lens=camera.lens,
        mask=None if record.mask is None else files.place(record.mask),
    )
    picture = pictures.load(frame)
    height, width = picture.shape[:2]
    lens = scene_input.loaded(frame, (width, height)).lens
    known = pictures.load_mask(frame, width, height)
    if picture.shape[2] == 4:
        alpha = picture[..., 3:].astype(np.float32) / 255
        behind = 1.0 if background == "white" else 0.0
        picture = runtime.to_u8(picture[..., :3] / 255 * alpha + behind * (1 - alpha))
    return picture, Posed(camera.world_from_camera, lens, camera.time), known


def _compared(
    record: folder.CameraRecord,
    truth: NDArray[np.uint8],
    render: NDArray[np.uint8],
    known: NDArray[np.bool_] | None,
) -> dict[str, Any]:
    """One row. With a mask, errors count where the picture is known."""
    first, second = truth.astype(np.float64) / 255, render.astype(np.float64) / 255
    errors = picture_errors.compare(first, second)
    psnr = errors.psnr
    if known is not None and known.any():
        psnr = picture_errors.psnr(first[known][None], second[known][None])
    return {
        "name": record.name or str(record.id),
        "width": truth.shape[1],
        "height": truth.shape[0],
        "psnr": round(min(psnr, 100.0), 4),
        "ssim": None if errors.ssim is None else round(errors.ssim, 5),
        "lpips": None,
        **({"why_no_ssim": errors.why_no_ssim} if errors.ssim is None else {}),
    }


def _means(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over all pictures at the top, then over those of each size."""
    by_size: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_size[row["width"], row["height"]].append(row)
    scales = [
        {"width": width, "height": height, "pictures": len(group), **_mean(group)}
        for (width, height), group in sorted(by_size.items(), reverse=True)
    ]
    return {**_mean(rows), "why_no_lpips": _NO_LPIPS, "scales": scales}


def _mean(rows: list[dict[str, Any]]) -> dict[str, Any]:
    ssims = [row["ssim"] for row in rows if row["ssim"] is not None]
    return {
        "psnr": round(float(np.mean([row["psnr"] for row in rows])), 4),
        "ssim": round(float(np.mean(ssims)), 5) if ssims else None,
        "lpips": None,
    }
