"""Where a field lies: the hull of what transparent pictures show, whatever their masks leave out."""

from pathlib import Path

import ball_captures
import numpy as np
from maquette_server.datasets import pictures
from maquette_server.datasets.base import DataSet
from maquette_server.methods.reconstruct import space
from numpy.typing import NDArray

Pictures = list[NDArray[np.uint8]]


def ball(folder: Path) -> tuple[DataSet, Pictures]:
    made = ball_captures.write(folder, 40)
    return made, [pictures.load(frame) for frame in made.frames]


def box(found: space.Space) -> NDArray[np.float64]:
    centre, half = np.asarray(found.domain.centre), 1 / found.domain.scale
    return np.stack([centre - half, centre + half])


def test_the_box_holds_the_ball_and_little_else(tmp_path: Path) -> None:
    made, loaded = ball(tmp_path)
    found = space.of(made, made.frames, loaded, "auto")
    low, high = box(found)
    assert (low <= ball_captures.MIDDLE - 1).all()
    assert (high >= ball_captures.MIDDLE + 1).all()
    assert 1 / found.domain.scale < 1.25
    assert found.bounds == "object"


def test_pixels_that_a_mask_leaves_out_carve_nothing_away(tmp_path: Path) -> None:
    made, loaded = ball(tmp_path)
    hidden = loaded[3].copy()
    hidden[:, : hidden.shape[1] // 2] = 0  # as if nothing were there
    known = np.ones(hidden.shape[:2], bool)
    known[:, : hidden.shape[1] // 2] = False
    changed = [*loaded[:3], hidden, *loaded[4:]]
    masks = [None, None, None, known, *[None] * (len(loaded) - 4)]
    whole = box(space.of(made, made.frames, loaded, "auto"))
    carved = box(space.of(made, made.frames, changed, "auto"))
    kept = box(space.of(made, made.frames, changed, "auto", known=masks))
    assert np.abs(carved - whole).max() > 0.1, "without the mask, a part of the ball is lost"
    assert (kept[0] <= ball_captures.MIDDLE - 1).all()
    assert (kept[1] >= ball_captures.MIDDLE + 1).all()


def test_transparency_that_a_mask_leaves_out_does_not_count(tmp_path: Path) -> None:
    made = ball_captures.write(tmp_path, 6, opaque=True)
    loaded: Pictures = []
    masks = []
    for frame in made.frames:
        picture = pictures.load(frame)
        alpha = np.full((*picture.shape[:2], 1), 255, np.uint8)
        alpha[:4] = 0
        loaded.append(np.concatenate([picture, alpha], -1))
        masks.append(alpha[..., 0] > 0)
    assert space.of(made, made.frames, loaded, "auto").bounds == "object"
    assert space.of(made, made.frames, loaded, "auto", known=masks).bounds == "unbounded"
