"""Where the thing is in a picture of which nobody knows: what stands out from the border's colour.

Pictures are sRGB [N, S, S, 3] in 0..1.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage, spatial

from ...metrics import colour_names

_BORDER = 2  # pixels at the frame that are taken for background
_CLOSE = 12.0  # CIELAB; a border pixel further off than this is a thing that reaches the frame
_DIFFERENT = 14.0  # CIELAB; further from the background than this is thing
_FEWEST = 0.06  # of the frame; less is a stain, and the middle is taken instead
_MOST = 0.8  # of the frame; more means that the border showed no background
_ENOUGH = 0.01  # of the frame, to tell a colour by
_DISC = 0.28  # of the side, radius of that middle


@dataclass(frozen=True)
class Found:
    """N things."""

    pixels: NDArray[np.bool_]  # [N, S, S], differs from the background; the middle where nothing does
    there: NDArray[np.bool_]  # [N], whether there is such a thing: one that fills the frame has no outline
    whole: NDArray[np.bool_]  # [N, S, S], with gaps of the background's colour filled: its convex hull


def find(pictures: NDArray[np.floating]) -> Found:
    """The thing nearest to the middle of each picture."""
    lab = colour_names.lab(pictures)
    masks, there = zip(*(_one(each) for each in lab), strict=True)
    pixels = np.stack(masks)
    return Found(pixels, np.array(there), np.stack([_hull(each) for each in pixels]))


def middles(where: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of things [N, S, S] what lies in the middle of the picture, where background is hardly ever taken for
    them; all of a thing that is not there.
    """
    inside = where & disc(where.shape[-1])
    enough = inside.sum((1, 2)) >= _ENOUGH * where.shape[-1] ** 2
    return np.where(enough[:, None, None], inside, where)


def disc(side: int) -> NDArray[np.bool_]:
    """The middle of a picture, [S, S]."""
    line = (np.arange(side) + 0.5) / side - 0.5
    return np.hypot(line[:, None], line) < _DISC


def _one(lab: NDArray[np.float64]) -> tuple[NDArray[np.bool_], bool]:
    side = len(lab)
    apart = np.linalg.norm(lab - _background(lab), axis=-1)
    labels, count = ndimage.label(apart > _DIFFERENT)
    middle = disc(side)
    inside = np.bincount(labels[middle], minlength=count + 1)[1:]
    if count == 0 or inside.max() < _FEWEST * side * side / 2:
        return middle, False
    sizes = np.bincount(labels.reshape(-1), minlength=count + 1)[1:]
    chosen = np.isin(labels, 1 + np.flatnonzero((inside >= 0.1 * inside.max()) & (inside > 0.15 * sizes)))
    small = bool(chosen.mean() < _FEWEST)
    return (middle if small or chosen.mean() > _MOST else chosen), not small


def _background(lab: NDArray[np.float64]) -> NDArray[np.float64]:
    """A colour that changes evenly over the picture, fitted to most of the border."""
    side = len(lab)
    line = np.linspace(-1, 1, side)
    plane = np.stack([np.ones((side, side)), np.tile(line, (side, 1)), np.tile(line[:, None], (1, side))], -1)
    border = np.ones((side, side), bool)
    border[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    where, colours = plane[border], lab[border]
    kept = np.linalg.norm(colours - np.median(colours, 0), axis=-1) < 2 * _CLOSE
    if kept.sum() < 0.25 * len(kept):  # no colour has most of the border
        kept = np.ones(len(kept), bool)
    for _ in range(4):
        fitted, *_ = np.linalg.lstsq(where[kept], colours[kept], rcond=None)
        near = np.linalg.norm(colours - where @ fitted, axis=-1) < _CLOSE
        if near.sum() < 0.25 * len(near):
            break
        kept = near
    return plane @ fitted


def _hull(pixels: NDArray[np.bool_]) -> NDArray[np.bool_]:
    place = np.argwhere(pixels)[:, ::-1]
    if len(place) < 3 or np.ptp(place, axis=0).min() == 0:
        return pixels
    corners = place[spatial.ConvexHull(place).vertices]
    drawn = Image.new("1", pixels.shape[::-1])
    ImageDraw.Draw(drawn).polygon([(int(x), int(y)) for x, y in corners], fill=1)
    return np.array(drawn) | pixels
