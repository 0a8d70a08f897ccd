"""What can be said of an edited scene: seen from views that it has not learnt from, where there are such."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...editing import put_back, warp
from ...editing.working_size import working_size
from ...metrics import named_colours, picture_errors, sharpness
from ...rendering.grid_render import GridScene
from ...rendering.posed import Posed
from ...scenes import runtime
from .. import base
from .source import Source

_VIEWS = 8
_LONG_SIDE = 256  # pixels of the pictures that are compared
_CHANGED = 0.5  # of a pixel's share in the edit, see `put_back.change`
_TOOK = 0.1  # of what is changed in the mean over views: a view with less did not take the edit
_FILLED = 0.5  # opacity of an object's pixels
_NOTHING = 0.005  # share of all pixels
_SAME = 100.0  # dB of equal pictures


@dataclass(frozen=True)
class Seen:
    """One view before and after."""

    camera: Posed
    before: NDArray[np.float32]  # [h, w, 3], over the background
    after: NDArray[np.float32]
    depths: NDArray[np.float32]  # before
    filled: NDArray[np.bool_]  # where there is something, before
    changed: NDArray[np.bool_]


def look(source: Source, before: GridScene, after: GridScene) -> base.Part[list[Seen]]:
    """Some views of both."""
    found = []
    record = source.scene.record
    behind = 1.0 if record.background == "white" else 0.0
    for camera in _cameras(source):
        frames = []
        for field in (before, after):
            frames.append(runtime.look(field.draft(), camera, record.near, record.far))
            yield source_step()
        was, now = (one.colours + (1 - one.opacities[..., None]) * behind for one in frames)
        filled = frames[0].opacities > _FILLED
        changed = put_back.change(now, was) > _CHANGED
        found.append(Seen(camera, was, now, frames[0].depths, filled, changed))
    return found


def source_step() -> base.Step:
    """While views are looked at."""
    return base.Step(0, 0, "measure")


def _cameras(source: Source) -> list[Posed]:
    """Held-out cameras, else those it learnt from, evenly picked."""
    held = [one.posed() for one in source.scene.cameras if one.split != "train"]
    cameras = held or [one.posed() for one in source.records]
    at = np.unique(np.linspace(0, len(cameras) - 1, min(_VIEWS, len(cameras))).round().astype(int))
    found = []
    for number in at:
        lens = cameras[number].lens
        size = working_size(lens.width, lens.height, min(_LONG_SIDE, max(lens.width, lens.height)), 1)
        found.append(replace(cameras[number], lens=lens.resized(*size)))
    return found


def of(views: Sequence[Seen], prompt: str, transparent: bool) -> dict[str, Any]:
    """Figures for the report. transparent: whether the scene is an object alone."""
    changed = [float(one.changed.mean()) for one in views]
    mean = float(np.mean(changed))
    found: dict[str, Any] = {
        "measured_views": len(views),
        "changed": round(mean, 4),
        "views_that_took_it": sum(share > _TOOK * mean for share in changed),
        "psnr_outside": _rounded([_outside(one) for one in views]),
        "warp_error": round(warp_error(views, [one.after for one in views]), 5),
        "warp_error_before": round(warp_error(views, [one.before for one in views]), 5),
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


def nothing_changed(figures: dict[str, Any]) -> bool:
    """Whether the edit is as good as none."""
    return bool(figures["changed"] < _NOTHING)


def warp_error(views: Sequence[Seen], pictures: Sequence[NDArray[np.float32]]) -> float:
    """Mean absolute difference of each picture from its nearest neighbour's, warped to it by depth, over what
    both see; 0 where no two see the same.
    """
    errors = []
    for number, one in enumerate(views):
        target = warp.View(one.camera, one.depths)
        others = [
            (warp.View(other.camera, other.depths), picture)
            for place, (other, picture) in enumerate(zip(views, pictures, strict=True))
            if place != number
        ]
        for nearest in warp.nearest(target, others)[:1]:
            shown = warp.warped(target, [nearest])
            if shown.known.any():
                errors.append(np.abs(shown.values - pictures[number])[shown.known].mean())
    return float(np.mean(errors)) if errors else 0.0


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
