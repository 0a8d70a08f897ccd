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
from ...rendering import ndc as coordinates

_SIDE = 48  # cells of the hull along an axis
_MARGIN = 1.06  # of the box round what the pictures show
_ROOM = 2.0  # times as far from the middle as pictures show something: what is farther away looks smaller
_OBJECT_STEPS = 192  # of the box's diagonal
_FARTHEST = 64.0  # in a place without bounds, times the distance of the farthest camera
_NEAREST = 0.04  # times the middle distance to what the cameras look at
_PLANE = 5 / 6  # of the nearest depth that is stated: LLFF's 0.9 becomes the customary 0.75
_TELLING = 100.0  # a stated far beyond so many times near was stated for safety, and says nothing
_PLANE_UNSTATED = 0.25  # of the middle distance to what the cameras look at, where no depth is stated
_CLOSEST = 0.1  # of that depth: at least this far lies the plane before the middle of the cameras
_INFINITY = 1e4  # times the distance of the plane, in normalised device coordinates
_WIDEST = 3.0  # half widths of the reference picture that are learnt; the encoding asks for less than pi


@dataclass(frozen=True)
class Space:
    """Everything about the scene's size. Depths in units of the scene."""

    domain: Domain
    step: float  # between samples in a box, in the field's frame; nothing to a place without bounds
    near: float
    far: float
    ndc: coordinates.Ndc | None = None

    @property
    def bounds(self) -> str:
        """What kind it is, as users say it."""
        if self.ndc is not None:
            return "forward"
        return "unbounded" if self.domain.unbounded else "object"


def of(
    dataset: DataSet,
    frames: Sequence[Frame],
    pictures: Sequence[NDArray[np.uint8]],
    bounds: str,
    forward: bool = False,
    known: Sequence[NDArray[np.bool_] | None] = (),
) -> Space:
    """The space of a data set whose training frames and pictures these are.

    bounds: "object", "unbounded", "forward" (normalised device coordinates), or "auto": an object where the
    pictures have transparency. forward: whether "auto" otherwise takes "forward" where all cameras face one
    way. Raises UserError `dataset.bad` when the cameras do not say where to look, `params.bad` for "forward"
    with cameras that do not face one way. known: False where a picture [H, W] is to be ignored; none for all.
    """
    masks = known or (None,) * len(pictures)
    opacities = [_opacity(picture, mask) for picture, mask in zip(pictures, masks, strict=True)]
    transparent = all(picture.shape[2] == 4 for picture in pictures)
    transparent &= any(bool((opacity < 255).any()) for opacity in opacities)
    if bounds == "auto":
        one_way = forward and scale.one_way(frames)
        bounds = "object" if transparent else "forward" if one_way else "unbounded"
    centre = scale.focus_point(frames)
    away = scale.distances(frames, centre) if centre is not None else np.zeros(1)
    extent = scale.spread(frames)
    if centre is None or not float(away.max()) > 0 or _behind(frames, centre):
        if extent <= 0:
            what = "All cameras of the data set stand in one place, so no distance can be learnt."
            if len(frames) == 1:
                what = "The data set has one picture only to learn from."
            raise UserError("dataset.bad", what, hint="A field needs photographs from several places.")
        axis = -scale.poses(frames)[:, :3, 2].mean(0)
        centre = scale.poses(frames)[:, :3, 3].mean(0) + axis * extent
        away = scale.distances(frames, centre)
    if bounds == "unbounded":
        return _place(dataset, centre, away)
    if bounds == "forward":
        return _forward(dataset, frames, centre, away)
    halves = _seen_halves(frames, away)
    half = float(halves.max())
    if transparent:
        box = _hull(frames, opacities, centre, _shown_half(frames, opacities, centre, halves))
        if box is not None:
            centre, half = box.mean(0), float((box[1] - box[0]).max()) / 2 * _MARGIN
    elif dataset.aabb is not None:
        centre, half = dataset.aabb.mean(0), float((dataset.aabb[1] - dataset.aabb[0]).max()) / 2
    away = scale.distances(frames, centre)
    reach = math.sqrt(3) * half
    return Space(
        Domain((float(centre[0]), float(centre[1]), float(centre[2])), 1 / half, False),
        2 * math.sqrt(3) / _OBJECT_STEPS,
        max(0.0, float(away.min()) - reach),
        float(away.max()) + reach,
    )


def _place(dataset: DataSet, centre: NDArray[np.float64], away: NDArray[np.float64]) -> Space:
    farthest = float(away.max())
    near = dataset.near if dataset.near is not None else _NEAREST * float(np.median(away))
    far = _FARTHEST * farthest
    return Space(
        Domain((float(centre[0]), float(centre[1]), float(centre[2])), 1 / farthest, True),
        0.0,
        near,
        max(far, 2 * near),
    )


def _forward(
    dataset: DataSet, frames: Sequence[Frame], centre: NDArray[np.float64], away: NDArray[np.float64]
) -> Space:
    if not scale.one_way(frames):
        raise UserError(
            "params.bad",
            "The cameras do not all face one way, within 60 degrees.",
            hint="Use --bounds object or unbounded.",
        )
    poses = scale.poses(frames)
    place, axes = coordinates.facing(poses[:, :3, 3], poses[:, :3, 2], poses[:, :3, 1])
    nearest = _PLANE_UNSTATED / _PLANE * float(np.median(away))
    if dataset.near and dataset.far is not None and dataset.far < _TELLING * dataset.near:
        nearest = dataset.near
    # what is nearest to the camera farthest back is nearer still to the middle
    back = float(((poses[:, :3, 3] - place) @ axes[2]).max())
    plane = _PLANE * max(nearest - back, _CLOSEST * nearest)
    domain = _place(dataset, centre, away).domain
    slopes = (
        float(max(0.5 * frame.lens.width / frame.lens.focal_x for frame in frames)),
        float(max(0.5 * frame.lens.height / frame.lens.focal_y for frame in frames)),
    )
    reach = np.clip(_widest(frames, place, axes, plane) / slopes, 1.0, _WIDEST)
    ndc = coordinates.Ndc(
        tuple((domain.scale * (place - domain.centre)).tolist()),
        tuple(map(tuple, axes.tolist())),
        float(domain.scale * plane),
        slopes,
        (float(reach[0]), float(reach[1])),
    )
    return Space(domain, 0.0, 0.0, float(_INFINITY * plane), ndc)


def _widest(
    frames: Sequence[Frame], place: NDArray[np.float64], axes: NDArray[np.float64], plane: float
) -> NDArray[np.float64]:
    """How far to the sides and up and down the pictures' corners reach, [2], over the distance along the
    reference camera's axis: on its plane, or at infinity.
    """
    widest = np.ones(2) * 1e-9
    for frame in frames:
        lens = frame.lens
        corners = np.array([[0, 0], [lens.width, 0], [0, lens.height], [lens.width, lens.height]], np.float64)
        rays = lens.directions(corners) @ frame.world_from_camera[:3, :3].T @ axes.T
        start = (frame.world_from_camera[:3, 3] - place) @ axes.T
        rays = rays[rays[:, 2] < 0]
        far = rays[:, :2] / -rays[:, 2:]
        near = (start[:2] + far * (plane + start[2])) / plane
        widest = np.maximum(widest, np.abs(np.concatenate([far, near, widest[None]])).max(0))
    return widest


def _behind(frames: Sequence[Frame], centre: NDArray[np.float64]) -> bool:
    """Whether most cameras look away from the point: axes meet behind them in a room seen from within."""
    poses = scale.poses(frames)
    ahead = ((centre - poses[:, :3, 3]) * -poses[:, :3, 2]).sum(-1)
    return float((ahead > 0).mean()) < 0.5


def _seen_halves(frames: Sequence[Frame], away: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the side [N] of the largest cube round the middle that each picture shows across."""
    halves = [
        distance * 0.5 * max(frame.lens.width / frame.lens.focal_x, frame.lens.height / frame.lens.focal_y)
        for frame, distance in zip(frames, away, strict=True)
    ]
    return np.array(halves)


def _shown_half(
    frames: Sequence[Frame],
    opacities: Sequence[NDArray[np.uint8]],
    centre: NDArray[np.float64],
    halves: NDArray[np.float64],
) -> float:
    """Half the side of a cube round the middle that holds all that pictures show; 0: they show nothing.

    A picture from far away shows much more across than that, a close one may show less of it than there is.
    halves: what each picture shows across.
    """
    largest = 0.0
    for frame, opacity, half in zip(frames, opacities, halves, strict=True):
        rows, columns = (np.flatnonzero((opacity > 0).any(axis)) for axis in (1, 0))
        if not len(rows):
            continue
        camera_from_world = np.linalg.inv(frame.world_from_camera)
        pixel, depth = frame.lens.project(camera_from_world[:3, :3] @ centre + camera_from_world[:3, 3])
        x, y = pixel
        aside = max(x - columns[0], columns[-1] + 1 - x) / frame.lens.focal_x
        above = max(y - rows[0], rows[-1] + 1 - y) / frame.lens.focal_y
        reach = _ROOM * float(depth) * max(aside, above)
        largest = max(largest, min(float(half), reach) if reach > 0 else float(half))
    return largest


def _opacity(picture: NDArray[np.uint8], known: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
    """Alpha [H, W] of a picture; what is to be ignored may be anything, so it counts as opaque."""
    alpha = picture[..., 3] if picture.shape[2] == 4 else np.full(picture.shape[:2], 255, np.uint8)
    return alpha if known is None else np.where(known, alpha, np.uint8(255))


def _hull(
    frames: Sequence[Frame], opacities: Sequence[NDArray[np.uint8]], centre: NDArray[np.float64], half: float
) -> NDArray[np.float64] | None:
    """The box [2, 3] round all that no picture shows as empty; None when nothing remains.

    A cell counts as empty when a picture that shows it has nothing within a cell's distance there.
    """
    if half <= 0:
        return None
    ticks = (np.arange(_SIDE) + 0.5) / _SIDE * 2 - 1
    cells = centre + half * np.stack(np.meshgrid(ticks, ticks, ticks, indexing="ij"), -1).reshape(-1, 3)
    alive = np.ones(len(cells), bool)
    for frame, opacity in zip(frames, opacities, strict=True):
        camera_from_world = np.linalg.inv(frame.world_from_camera)
        local = cells[alive] @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
        pixels, depth = frame.lens.project(local)
        height, width = opacity.shape
        inside = (depth > 0) & np.isfinite(pixels).all(-1)
        inside &= (np.nan_to_num(pixels) >= 0).all(-1) & (np.nan_to_num(pixels) < (width, height)).all(-1)
        focal = max(frame.lens.focal_x, frame.lens.focal_y)
        radius = math.ceil(half * math.sqrt(3) / _SIDE * focal / max(float(depth.min()), 1e-9))
        shown = _grown(opacity > 0, min(radius, max(width, height)))
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
