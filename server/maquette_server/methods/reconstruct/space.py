"""Where the field lies: how large a piece of the world it spans, how finely rays are stepped through it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ...datasets import scale
from ...datasets.base import DataSet, Frame
from ...fields.domain import Domain
from ...rendering.marching import Steps

_SIDE = 48  # cells of the hull along an axis
_MARGIN = 1.06  # of the box round what the pictures show
_OBJECT_STEPS = 192  # of the box's diagonal
_GROWTH = 1 / 64  # of a step by distance, in a place without bounds
_FARTHEST = 64.0  # in a place without bounds, times the distance of the farthest camera
_NEAREST = 0.04  # times the middle distance to what the cameras look at


@dataclass(frozen=True)
class Space:
    """Everything about the scene's size. Depths in units of the scene."""

    domain: Domain
    steps: Steps
    near: float
    far: float


def of(
    dataset: DataSet, frames: Sequence[Frame], pictures: Sequence[NDArray[np.uint8]], bounds: str
) -> Space:
    """The space of a data set whose training frames and pictures these are.

    bounds: "object", "unbounded", or "auto": an object where the pictures have transparency.
    Raises UserError `dataset.bad` when the cameras do not say where to look.
    """
    transparent = all(picture.shape[2] == 4 for picture in pictures)
    transparent &= any(bool((picture[..., 3] < 255).any()) for picture in pictures if transparent)
    if bounds == "auto":
        bounds = "object" if transparent else "unbounded"
    centre = scale.focus_point(frames)
    away = scale.distances(frames, centre) if centre is not None else np.zeros(1)
    extent = scale.spread(frames)
    if centre is None or not float(away.max()) > 0 or _behind(frames, centre):
        if extent <= 0:
            raise UserError(
                "dataset.bad",
                "All cameras of the data set stand in one place and look the same way.",
                hint="A field needs photographs from several places.",
            )
        axis = -scale.poses(frames)[:, :3, 2].mean(0)
        centre = scale.poses(frames)[:, :3, 3].mean(0) + axis * extent
        away = scale.distances(frames, centre)
    if bounds == "unbounded":
        return _place(dataset, centre, away)
    half = _seen_half(frames, away)
    if transparent:
        box = _hull(frames, pictures, centre, half)
        if box is not None:
            centre, half = box.mean(0), float((box[1] - box[0]).max()) / 2 * _MARGIN
    elif dataset.aabb is not None:
        centre, half = dataset.aabb.mean(0), float((dataset.aabb[1] - dataset.aabb[0]).max()) / 2
    away = scale.distances(frames, centre)
    reach = math.sqrt(3) * half
    return Space(
        Domain((float(centre[0]), float(centre[1]), float(centre[2])), 1 / half, False),
        Steps(2 * math.sqrt(3) / _OBJECT_STEPS),
        max(0.0, float(away.min()) - reach),
        float(away.max()) + reach,
    )


def _place(dataset: DataSet, centre: NDArray[np.float64], away: NDArray[np.float64]) -> Space:
    farthest = float(away.max())
    near = dataset.near if dataset.near is not None else _NEAREST * float(np.median(away))
    far = _FARTHEST * farthest
    return Space(
        Domain((float(centre[0]), float(centre[1]), float(centre[2])), 1 / farthest, True),
        Steps(2 / 192, _GROWTH),
        near,
        max(far, 2 * near),
    )


def _behind(frames: Sequence[Frame], centre: NDArray[np.float64]) -> bool:
    """Whether most cameras look away from the point: axes meet behind them in a room seen from within."""
    poses = scale.poses(frames)
    ahead = ((centre - poses[:, :3, 3]) * -poses[:, :3, 2]).sum(-1)
    return float((ahead > 0).mean()) < 0.5


def _seen_half(frames: Sequence[Frame], away: NDArray[np.float64]) -> float:
    """Half the side of the largest cube round the middle that the narrowest picture shows across."""
    halves = [
        distance * 0.5 * max(frame.lens.width / frame.lens.focal_x, frame.lens.height / frame.lens.focal_y)
        for frame, distance in zip(frames, away, strict=True)
    ]
    return float(np.max(halves))


def _hull(
    frames: Sequence[Frame], pictures: Sequence[NDArray[np.uint8]], centre: NDArray[np.float64], half: float
) -> NDArray[np.float64] | None:
    """The box [2, 3] round all that no picture shows as empty; None when nothing remains.

    A cell counts as empty when a picture that shows it has nothing within a cell's distance there.
    """
    ticks = (np.arange(_SIDE) + 0.5) / _SIDE * 2 - 1
    cells = centre + half * np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), -1).reshape(-1, 3)
    alive = np.ones(len(cells), bool)
    for frame, picture in zip(frames, pictures, strict=True):
        camera_from_world = np.linalg.inv(frame.world_from_camera)
        local = cells[alive] @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
        pixels, depth = frame.lens.project(local)
        height, width = picture.shape[:2]
        inside = (depth > 0) & np.isfinite(pixels).all(-1)
        inside &= (np.nan_to_num(pixels) >= 0).all(-1) & (np.nan_to_num(pixels) < (width, height)).all(-1)
        radius = math.ceil(half * math.sqrt(3) / _SIDE * frame.lens.focal_x / max(float(depth.min()), 1e-9))
        shown = _grown(picture[..., 3] > 0, min(radius, max(width, height)))
        x, y = np.nan_to_num(pixels[inside]).astype(int).T
        kept = np.ones(len(local), bool)
        kept[inside] = shown[y, x]
        alive[np.flatnonzero(alive)[~kept]] = False
        if not alive.any():
            return None
    cell = half / _SIDE
    return np.stack([cells[alive].min(0) - cell, cells[alive].max(0) + cell])


def _grown(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    from scipy import ndimage

    return ndimage.maximum_filter(mask, 2 * radius + 1) if radius else mask
