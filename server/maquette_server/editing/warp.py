"""Colours of some views seen from another one, by the depths of both (arXiv:2402.00864, section 3.2 does so).

A view is small: w x h pixels. A pixel of the target is known where a source sees the very point of the scene
that the target sees there: the depth at which the source looks through it must be that of the point.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ..cameras.lens import Lens
from ..rendering.posed import Posed

_SAME = 0.02  # share of its depth by which a point may be missed
_SOURCES = 4  # nearest in direction, that a pixel is mixed of
_SHARPNESS = 8  # power of the cosine between the directions of target and source


@dataclass(frozen=True)
class View:
    """What a camera sees of a scene's shape."""

    camera: Posed
    depths: NDArray[np.float32]  # [h, w], along the viewing axis; infinite where nothing is


@dataclass(frozen=True)
class Warped:
    """What a target's sources have where the target looks."""

    values: NDArray[np.float32]  # [h, w, C]; 0 where nothing is known
    known: NDArray[np.bool_]  # [h, w]


def warped(target: View, sources: Sequence[tuple[View, NDArray[np.float32]]]) -> Warped:
    """The target's picture put together of the sources' [h, w, C], which are one or more: the nearer a
    source's direction to the target's own, the more it counts.
    """
    height, width = target.depths.shape
    channels = sources[0][1].shape[2] if sources else 1
    total = np.zeros((height, width, channels))
    weight = np.zeros((height, width))
    seen = np.isfinite(target.depths)
    points = _points(target)[seen]
    eye = target.camera.world_from_camera[:3, 3]
    for view, values in nearest(target, sources):
        where, share = _looked_up(view, points, eye)
        found = [
            ndimage.map_coordinates(values[..., k], where, order=1, mode="nearest") for k in range(channels)
        ]
        total[seen] += np.stack(found, -1) * share[:, None]
        weight[seen] += share
    known = weight > 0
    total[known] /= weight[known][:, None]
    return Warped(total.astype(np.float32), known)


def nearest(
    target: View, sources: Sequence[tuple[View, NDArray[np.float32]]]
) -> list[tuple[View, NDArray[np.float32]]]:
    """The few sources that stand and look most like the target."""
    if not sources:
        return []
    places = np.array([view.camera.world_from_camera[:3, 3] for view, _ in sources])
    axes = np.array([view.camera.world_from_camera[:3, 2] for view, _ in sources])
    own = target.camera.world_from_camera
    away = np.linalg.norm(places - own[:3, 3], axis=1)
    apart = away / (away.mean() or 1.0) + np.linalg.norm(axes - own[:3, 2], axis=1)
    return [sources[k] for k in np.argsort(apart, kind="stable")[:_SOURCES]]


def error(views: Sequence[View], pictures: Sequence[NDArray[np.floating]]) -> float:
    """Mean absolute difference of each picture [h, w, 3] from its nearest neighbour's, warped to it by depth,
    over what both see; 0 where no two see the same.
    """
    errors = []
    for number, target in enumerate(views):
        others = [
            (view, np.asarray(picture, np.float32))
            for place, (view, picture) in enumerate(zip(views, pictures, strict=True))
            if place != number
        ]
        for one in nearest(target, others)[:1]:
            shown = warped(target, [one])
            if shown.known.any():
                errors.append(np.abs(shown.values - pictures[number])[shown.known].mean())
    return float(np.mean(errors)) if errors else 0.0


def _points(view: View) -> NDArray[np.float64]:
    """The points of the scene [h, w, 3] that a view sees, in its world."""
    lens = view.camera.lens
    directions = lens.directions(lens.pixel_centres())
    lengths = view.depths.astype(np.float64)
    if lens.model == "fisheye":
        ahead = -directions[..., 2]
        lengths = np.divide(lengths, ahead, out=np.full_like(lengths, np.inf), where=np.abs(ahead) > 1e-3)
    lengths = np.where(np.isfinite(lengths), lengths, 0.0)
    pose = view.camera.world_from_camera
    found: NDArray[np.float64] = (directions * lengths[..., None]) @ pose[:3, :3].T + pose[:3, 3]
    return found


def _looked_up(
    view: View, points: NDArray[np.float64], eye: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Where a view shows points [P, 3], rows and columns [2, P] for `map_coordinates`, and how much each
    counts [P]; 0 where something hides it or the view ends.
    """
    pose, lens = view.camera.world_from_camera, view.camera.lens
    pixels, depths = lens.project((points - pose[:3, 3]) @ pose[:3, :3])
    inside = _inside(lens, pixels)
    at = np.where(inside[:, None], pixels, 0.0)
    there = view.depths[at[:, 1].astype(np.intp), at[:, 0].astype(np.intp)]
    same = inside & (np.abs(there - depths) <= _SAME * np.abs(depths))
    from_here, from_there = points - eye, points - pose[:3, 3]
    lengths = np.linalg.norm(from_here, axis=1) * np.linalg.norm(from_there, axis=1)
    cosine = (from_here * from_there).sum(1) / np.maximum(lengths, 1e-12)
    share = np.where(same, np.clip(cosine, 0.01, 1) ** _SHARPNESS, 0.0)
    return np.stack([at[:, 1] - 0.5, at[:, 0] - 0.5]), share


def _inside(lens: Lens, pixels: NDArray[np.float64]) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):  # NaN where the lens sees nothing
        found: NDArray[np.bool_] = (
            (pixels >= 0).all(1) & (pixels[:, 0] < lens.width) & (pixels[:, 1] < lens.height)
        )
    return found
