"""The story of an evaluation: render each camera of a split, compare, tell the means."""

import json
import time
from collections import defaultdict
from typing import Any

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ...media import comparison_sheet, png
from ...metrics import lpips, picture_errors
from ...rendering.grid_render import GridScene
from ...scenes import folder, runtime
from ...scenes.files import SceneFiles
from .. import base, further, judged, scene_input, scene_pictures
from . import EvaluateParams

_ROWS = 6  # of the sheet
_SAME = 100.0  # dB of equal pictures, whose PSNR is infinite, and of better ones


def run(ctx: base.RunContext) -> base.Run:
    """See `methods.base`."""
    params: EvaluateParams = ctx.params
    captions = judged.captions(params)
    ctx.timer.stage("load")
    yield base.Step(0, 0, "load")
    files = scene_input.scene_files(ctx)
    scene = runtime.open_scene(files, ctx.device)
    for note in scene.notes:
        ctx.warn("checkpoint.damaged", note)
    chosen = _chosen(scene, params)
    yield base.Step(0, 0, "load")
    distance: lpips.Lpips | None
    distance, why_no_lpips = further.find(ctx, "lpips", params.lpips)
    yield base.Step(0, 0, "load")
    reduce = params.reduce or scene.record.reduce
    ctx.timer.stage("evaluate")
    rows: list[dict[str, Any]] = []
    left_out: list[str] = []
    shown: list[tuple[NDArray[np.uint8], NDArray[np.uint8], str]] = []
    seconds = 0.0
    for number, record in enumerate(chosen):
        photograph = scene_pictures.load(files, record, reduce)
        truth, known = photograph.over(scene.record.background), photograph.known
        if known is not None and not known.any():
            left_out.append(_name(record))
            yield base.Step(number + 1, len(chosen), "evaluate")
            continue
        began = time.monotonic()
        frame = yield from base.telling(
            scene.tiles(photograph.camera), base.Step(number, len(chosen), "evaluate")
        )
        seconds += time.monotonic() - began
        render = frame.over(scene.record.background)
        if known is not None:
            render = np.where(known[..., None], render, truth)
        rows.append(_compared(record, truth, render, known, distance))
        if (len(rows) - 1) % max(1, -(-len(chosen) // _ROWS)) == 0:
            shown.append((truth, render, _name(record)))
        yield base.Step(number + 1, len(chosen), "evaluate")
    ctx.timer.stage("write")
    if left_out:
        ctx.warn("dataset.note", _left_out(left_out, len(chosen)))
    found = _means(rows)
    found |= {"why_no_lpips": why_no_lpips} if distance is None else {"lpips_network": distance.network}
    found |= {"split": params.split, "reduce": reduce, "seconds_per_picture": round(seconds / len(rows), 4)}
    found |= yield from _of_edit(ctx, files, scene, captions)
    found |= {"left_out": left_out, "images": rows}
    sheet = comparison_sheet.sheet(
        [one[0] for one in shown], [one[1] for one in shown], names=[one[2] for one in shown]
    )
    items = [
        base.Item("figures", "evaluation.json", json.dumps(found, indent=1).encode() + b"\n"),
        base.Item("images", "sheet.png", png.write(sheet)),
    ]
    told = ("psnr", "ssim", "lpips", "split", "reduce", "scales", "edit")
    return base.Result(items, {name: found[name] for name in told if name in found})


def _of_edit(
    ctx: base.RunContext, files: SceneFiles, scene: runtime.Scene, captions: tuple[str, str] | None
) -> base.Part[dict[str, Any]]:
    """What the edit has done, of a scene that was edited: it beside its first moment."""
    record = scene.record
    if record.method != "instruct_nerf2nerf" or not isinstance(scene.field, GridScene):
        return {"edit": None, "why_no_edit": "the scene was not edited"} if captions else {}
    first = files.first_moment
    if first is None:
        return {"edit": None, "why_no_edit": "the scene's first moment is not there"}
    try:
        before = runtime.open_scene(files.at(int(first.split("/")[1])), ctx.device).field
    except UserError as error:
        ctx.warn(error.code, error.sentence)
        return {"edit": None, "why_no_edit": error.sentence}
    assert isinstance(before, GridScene)
    yield base.Step(0, 0, "measure")
    fields = before, scene.field
    said = record.instruction
    found = yield from judged.figures(ctx, scene, fields, said, _of_object(files, scene), captions)
    return {"edit": {"instruction": said, **found}}


def _of_object(files: SceneFiles, scene: runtime.Scene) -> bool:
    """Whether the pictures show an object alone."""
    first = next(camera for camera in scene.cameras if camera.image)
    return scene_pictures.load(files, first, scene.record.reduce).pixels.shape[2] == 4


def _chosen(scene: runtime.Scene, params: EvaluateParams) -> list[folder.CameraRecord]:
    found = [camera for camera in scene.cameras if camera.split == params.split and camera.image]
    if not any(camera.image for camera in scene.cameras):
        raise UserError(
            "scene.bad",
            f"The scene '{scene.record.name}' was not learnt from pictures: nothing can be compared.",
            hint="Evaluate a scene that maquette reconstruct has written.",
        )
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


def _compared(
    record: folder.CameraRecord,
    truth: NDArray[np.uint8],
    render: NDArray[np.uint8],
    known: NDArray[np.bool_] | None,
    distance: lpips.Lpips | None,
) -> dict[str, Any]:
    """One row. With a mask, PSNR is of what is known alone; SSIM and LPIPS see the rest as equal."""
    first, second = truth.astype(np.float64) / 255, render.astype(np.float64) / 255
    errors = picture_errors.compare(first, second)
    psnr = errors.psnr
    row: dict[str, Any] = {"name": _name(record), "width": truth.shape[1], "height": truth.shape[0]}
    if known is not None:
        psnr = picture_errors.psnr(first[known][None], second[known][None])
        row["known"] = round(float(known.mean()), 4)
    row["psnr"] = round(min(psnr, _SAME), 4)
    row["ssim"] = None if errors.ssim is None else round(errors.ssim, 5)
    row["lpips"] = None
    if errors.ssim is None:
        row["why_no_ssim"] = errors.why_no_ssim
    if distance is not None:
        if min(truth.shape[:2]) < distance.smallest:
            row["why_no_lpips"] = f"LPIPS needs {distance.smallest} pixels a side"
        else:
            row["lpips"] = round(distance.between(first, second), 5)
    return row


def _name(record: folder.CameraRecord) -> str:
    return record.name or str(record.id)


def _left_out(names: list[str], count: int) -> str:
    """Raises UserError `scene.bad` when nothing remains."""
    if len(names) == count:
        raise UserError(
            "scene.bad",
            "The masks leave out every pixel of every picture to compare with.",
            hint="Evaluate another split, or mend the masks.",
        )
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"Nothing of {', '.join(names[:3])}{more} is left by the masks, so it is not compared."


def _means(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over all pictures at the top, then over those of each size."""
    by_size: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        by_size[row["width"], row["height"]].append(row)
    scales = [
        {"width": width, "height": height, "pictures": len(group), **_mean(group)}
        for (width, height), group in sorted(by_size.items(), reverse=True)
    ]
    return {**_mean(rows), "scales": scales}


def _mean(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "psnr": round(float(np.mean([row["psnr"] for row in rows])), 4),
        "ssim": _mean_of("ssim", rows),
        "lpips": _mean_of("lpips", rows),
    }


def _mean_of(name: str, rows: list[dict[str, Any]]) -> float | None:
    """Of the pictures that are large enough for it; None when none is."""
    found = [row[name] for row in rows if row[name] is not None]
    return round(float(np.mean(found)), 5) if found else None
