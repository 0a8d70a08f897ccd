"""What can be said of an edited scene: seen from views that it has not learnt from, where there are such."""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from ..metrics import clip, named_colours, picture_errors, sharpness
from ..rendering.grid_render import GridScene
from ..rendering.posed import Posed
from ..scenes import runtime
from . import put_back, warp
from .working_size import working_size

_VIEWS = 8
_LONG_SIDE = 256  # pixels of the pictures that are compared
_CHANGED = 0.5  # of a pixel's share in the edit, see `put_back.change`
_TOOK = 0.1  # of what is changed in the mean over views: a view with less did not take the edit
_FILLED = 0.5  # opacity of an object's pixels
_NOTHING = 0.005  # share of all pixels
_SAME = 100.0  # dB of equal pictures
_BESIDE = 0.1  # of the way to the nearest other view: where a film would show its next pictures

Pictures = NDArray[np.float32]


@dataclass(frozen=True)
class Seen:
    """One view before and after."""

    camera: Posed
    before: Pictures  # [h, w, 3], over the background
    after: Pictures
    depths: NDArray[np.float32]  # before
    filled: NDArray[np.bool_]  # where there is something, before
    changed: NDArray[np.bool_]


@dataclass(frozen=True)
class Beside:
    """The same from a little to the side."""

    before: Pictures
    after: Pictures


def look(scene: runtime.Scene, before: GridScene, after: GridScene) -> Generator[None, None, list[Seen]]:
    """Some views of both fields of a scene; pauses after each picture."""
    found = []
    for camera in _cameras(scene):
        frames = yield from _both(scene, camera, before, after)
        was, now = (_over(one, scene) for one in frames)
        filled = frames[0].opacities > _FILLED
        changed = put_back.change(now, was) > _CHANGED
        found.append(Seen(camera, was, now, frames[0].depths, filled, changed))
    return found


def beside(
    scene: runtime.Scene, seen: Sequence[Seen], before: GridScene, after: GridScene
) -> Generator[None, None, list[Beside]]:
    """What a camera shows a moment later that goes from each view towards its nearest neighbour; pauses."""
    found = []
    for camera in _moved([one.camera for one in seen]):
        was, now = yield from _both(scene, camera, before, after)
        found.append(Beside(_over(was, scene), _over(now, scene)))
    return found


def _both(
    scene: runtime.Scene, camera: Posed, before: GridScene, after: GridScene
) -> Generator[None, None, list[runtime.Frame]]:
    frames = []
    for field in (before, after):
        frames.append(runtime.look(field.draft(), camera, scene.record.near, scene.record.far))
        yield
    return frames


def _over(frame: runtime.Frame, scene: runtime.Scene) -> Pictures:
    return frame.opaque(scene.record.background)


def _cameras(scene: runtime.Scene) -> list[Posed]:
    """Held-out cameras, else those it learnt from, evenly picked."""
    held = [one.posed() for one in scene.cameras if one.split != "train"]
    cameras = held or [one.posed() for one in scene.cameras if one.image]
    at = np.unique(np.linspace(0, len(cameras) - 1, min(_VIEWS, len(cameras))).round().astype(int))
    found = []
    for number in at:
        lens = cameras[number].lens
        size = working_size(lens.width, lens.height, min(_LONG_SIDE, max(lens.width, lens.height)), 1)
        found.append(replace(cameras[number], lens=lens.resized(*size)))
    return found


def _moved(cameras: Sequence[Posed]) -> list[Posed]:
    """Each camera some way towards its nearest other one; a single one stays where it is."""
    found = []
    for number, one in enumerate(cameras):
        others = [other.world_from_camera for place, other in enumerate(cameras) if place != number]
        pose = one.world_from_camera.copy()
        if others:
            away = [float(np.linalg.norm(other[:3, 3] - pose[:3, 3])) for other in others]
            target = others[int(np.argmin(away))]
            turns = Slerp([0, 1], Rotation.from_matrix(np.stack([pose[:3, :3], target[:3, :3]])))
            pose[:3, :3] = turns(_BESIDE).as_matrix()
            pose[:3, 3] += _BESIDE * (target[:3, 3] - pose[:3, 3])
        found.append(replace(one, world_from_camera=pose))
    return found


def of(views: Sequence[Seen], prompt: str, transparent: bool) -> dict[str, Any]:
    """Figures for a report. transparent: whether the scene is an object alone."""
    changed = [float(one.changed.mean()) for one in views]
    mean = float(np.mean(changed))
    cameras = [warp.View(one.camera, one.depths) for one in views]
    found: dict[str, Any] = {
        "measured_views": len(views),
        "changed": round(mean, 4),
        "views_that_took_it": sum(share > _TOOK * mean for share in changed),
        "psnr_outside": _rounded([_outside(one) for one in views]),
        "warp_error": round(warp.error(cameras, [one.after for one in views]), 5),
        "warp_error_before": round(warp.error(cameras, [one.before for one in views]), 5),
        "sharpness": _rounded([sharpness.mean_gradient(one.after, one.changed) for one in views], 5),
        "sharpness_before": _rounded([sharpness.mean_gradient(one.before, one.changed) for one in views], 5),
    }
    named = named_colours.the_one_named(prompt)
    if named is not None:
        moved = []
        for one in views:
            where = one.filled if transparent else one.changed
            if where.any():
                moved.append(named_colours.moved_towards(one.before[where], one.after[where], named))
        found["moved_towards"] = {named: [round(each, 2) for each in moved]}
    return found


def by_clip(
    seen: Sequence[Seen], later: Sequence[Beside], judge: clip.Clip, captions: tuple[str, str] | None
) -> Generator[None, None, dict[str, Any]]:
    """What CLIP says; pauses after each view. captions: of the scene before and after the edit, where there
    are such.
    """
    rows = []
    for one, next_one in zip(seen, later, strict=True):
        pictures = np.stack([one.before, one.after, next_one.before, next_one.after])
        rows.append(judge.pictures(torch.from_numpy(pictures).permute(0, 3, 1, 2)))
        yield
    embedded = torch.stack(rows, 1)  # [4, N, D]
    texts = None if captions is None else judge.texts(captions)
    return {
        "text_image_direction": None if texts is None else _short(clip.direction(*embedded[:2], *texts)),
        "consistency": {name: _short(value) for name, value in clip.consistency(*embedded).items()},
        "model": judge.name,
    }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 5)


def nothing_changed(figures: dict[str, Any]) -> bool:
    """Whether the edit is as good as none."""
    return bool(figures["changed"] < _NOTHING)


def _outside(one: Seen) -> float | None:
    outside = ~one.changed
    if not outside.any():
        return None
    before, after = (each[outside][None].astype(np.float64) for each in (one.before, one.after))
    return min(picture_errors.psnr(before, after), _SAME)


def _rounded(values: Sequence[float | None], digits: int = 2) -> float | None:
    """The mean of those that there are."""
    found = [value for value in values if value is not None]
    return round(float(np.mean(found)), digits) if found else None
