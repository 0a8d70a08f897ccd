"""Where a field lies: the hull of what transparent pictures show, whatever their masks leave out."""

import dataclasses
from pathlib import Path

import ball_captures
import numpy as np
import pytest
from maquette_server.cameras.lens import Lens
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


def test_one_camera_far_away_makes_the_box_no_larger(tmp_path: Path) -> None:
    made, loaded = ball(tmp_path)
    near = 1 / space.of(made, made.frames, loaded, "auto").domain.scale
    pose = made.frames[7].world_from_camera.copy()
    pose[:3, 3] += 36 * pose[:3, 2]  # ten times as far
    frames = list(made.frames)
    frames[7] = dataclasses.replace(frames[7], world_from_camera=pose)
    loaded[7] = ball_captures.picture(pose, frames[7].lens)
    found = space.of(made, frames, loaded, "auto")
    low, high = box(found)
    assert (low <= ball_captures.MIDDLE - 1).all()
    assert (high >= ball_captures.MIDDLE + 1).all()
    assert 1 / found.domain.scale < 1.15 * near


def test_a_close_picture_cuts_nothing_off(tmp_path: Path) -> None:
    made, loaded = ball(tmp_path)
    frames = list(made.frames)
    for number in range(0, len(frames), 2):
        close = dataclasses.replace(frames[number].lens, focal_x=200.0, focal_y=200.0)
        frames[number] = dataclasses.replace(frames[number], lens=close)
        loaded[number] = ball_captures.picture(frames[number].world_from_camera, close)
    low, high = box(space.of(made, frames, loaded, "auto"))
    assert (low <= ball_captures.MIDDLE - 1).all()
    assert (high >= ball_captures.MIDDLE + 1).all()


@pytest.mark.parametrize("turned", [False, True])
def test_a_speck_smaller_than_a_cell_is_kept_whatever_shape_pixels_have(tmp_path: Path, turned: bool) -> None:
    side = ball_captures.SIDE
    square, fine = (side, 46.0, side / 2), (12 * side, 12 * 46.0, 6 * side)
    across, down = (fine, square) if turned else (square, fine)
    lens = Lens(across[0], down[0], across[1], down[1], across[2], down[2])
    made = ball_captures.write(tmp_path, 12)
    frames = [dataclasses.replace(frame, lens=lens) for frame in made.frames]
    for speck in ball_captures.MIDDLE + np.random.default_rng(1).uniform(-0.6, 0.6, (5, 3)):
        loaded = []
        for frame in frames:
            camera_from_world = np.linalg.inv(frame.world_from_camera)
            pixel, _ = lens.project(camera_from_world[:3, :3] @ speck + camera_from_world[:3, 3])
            loaded.append(np.zeros((lens.height, lens.width, 4), np.uint8))
            loaded[-1][int(pixel[1]), int(pixel[0])] = 255
        found = space.of(made, frames, loaded, "auto")
        low, high = box(found)
        assert (low <= speck).all()
        assert (high >= speck).all()
        assert 1 / found.domain.scale < 1, "a hull was found"


@pytest.mark.parametrize("centre", [ball_captures.SIDE / 2, 500.0])
def test_pictures_that_show_nothing_have_the_box_that_they_see(tmp_path: Path, centre: float) -> None:
    made, loaded = ball(tmp_path)
    frames = [  # the middle lies in all pictures, or in none
        dataclasses.replace(frame, lens=dataclasses.replace(frame.lens, centre_x=centre))
        for frame in made.frames
    ]
    found = space.of(made, frames, [np.zeros_like(each) for each in loaded], "auto")
    assert 1 / found.domain.scale == pytest.approx(4 * 0.5 * ball_captures.SIDE / 46, rel=0.01)
