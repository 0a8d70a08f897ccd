"""What the check finds, and the drawing of the cameras."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from maquette_server.cameras.pinhole import look_at
from maquette_server.datasets import check, opening, scale
from maquette_server.datasets.base import DataSet

from tests.server import captures


def capture(folder: Path, poses: Sequence[np.ndarray]) -> DataSet:
    return opening.read(captures.transforms(folder, list(poses)))


def sentences(dataset: DataSet) -> list[str]:
    return [finding.sentence for finding in check.examine(dataset)]


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_a_sound_capture_has_no_findings(tmp_path: Path, size: float) -> None:
    assert check.examine(capture(tmp_path, captures.ring(8, size, (3 * size, 0, 0)))) == []


def test_the_fox_is_sound(data: Path) -> None:
    assert check.examine(opening.read(data / "fox")) == []


def test_each_bad_picture_is_named(tmp_path: Path) -> None:
    read = capture(tmp_path, captures.ring(6))
    (tmp_path / "images/0001.png").unlink()
    whole = (tmp_path / "images/0002.png").read_bytes()
    (tmp_path / "images/0002.png").write_bytes(whole[:-300])
    captures.save(tmp_path / "images/0003.png", captures.noise(25, 16))
    found = check.examine(read)
    assert [(finding.file, finding.severity) for finding in found] == [
        (f"images/000{i}.png", "error") for i in (1, 2, 3)
    ]
    for finding, word in zip(found, ("missing", "cut short", "25 x 16"), strict=True):
        assert word in finding.sentence


def test_a_bad_mask_is_found(tmp_path: Path) -> None:
    read = capture(tmp_path, captures.ring(3))
    broken = replace(read, frames=(*read.frames[:2], replace(read.frames[2], mask=tmp_path / "gone.png")))
    assert "gone.png" in sentences(broken)[0]


def test_one_camera_is_not_enough(tmp_path: Path) -> None:
    assert "one camera" in sentences(capture(tmp_path, captures.ring(1)))[0]


def test_few_pictures_are_told(tmp_path: Path) -> None:
    few = capture(tmp_path, captures.ring(4))
    (sentence,) = sentences(few)
    assert sentence.startswith("Only 4 pictures")


def test_cameras_that_are_all_alike_or_in_one_place(tmp_path: Path) -> None:
    ring = captures.ring(5, 1e4)
    assert "alike" in sentences(capture(tmp_path / "a", [ring[0]] * 5))[0]
    turned = [pose.copy() for pose in ring]
    for pose in turned:
        pose[:3, 3] = ring[0][:3, 3]
    assert "one place" in sentences(capture(tmp_path / "b", turned))[0]


def test_poses_that_are_none_are_found_in_a_set_made_by_hand(tmp_path: Path) -> None:
    read = capture(tmp_path, captures.ring(4))
    skewed, empty = read.frames[0].world_from_camera.copy(), read.frames[1].world_from_camera.copy()
    skewed[0, 0] += 0.1
    empty[:] = np.nan
    frames = (
        replace(read.frames[0], world_from_camera=skewed),
        replace(read.frames[1], world_from_camera=empty),
        *read.frames[2:],
    )
    broken = replace(read, frames=frames)
    found = check.examine(broken)
    assert [finding.file for finding in found if finding.severity == "error"] == [
        "images/0000.png",
        "images/0001.png",
    ]
    assert check.picture(broken).dtype == np.uint8


def test_cameras_that_look_away_are_told(tmp_path: Path) -> None:
    away = [pose * [-1, 1, -1, 1] for pose in captures.ring(8)]  # as if +z were the view
    found = check.examine(capture(tmp_path, away))
    assert [finding.severity for finding in found] == ["warning"]
    assert "0 of 8" in found[0].sentence


def test_parallel_cameras_are_no_fault(tmp_path: Path) -> None:
    places = np.linspace(-1, 1, 6)
    row = [look_at(np.array([x, 0, 0]), np.array([x, 0, -1.0]), np.array([0, 1.0, 0])) for x in places]
    read = capture(tmp_path, row)
    assert scale.focus_point(read.frames) is None
    assert check.examine(read) == []
    assert check.picture(read).shape == (check.PANEL, 3 * check.PANEL, 3)


def test_a_picture_named_twice_is_told(tmp_path: Path) -> None:
    read = capture(tmp_path, captures.ring(4))
    twice = replace(read, frames=(*read.frames, replace(read.frames[0], split="val")))
    assert "more than once" in sentences(twice)[0]


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_the_focus_is_where_all_look_and_up_is_theirs(tmp_path: Path, size: float) -> None:
    read = capture(tmp_path, captures.ring(7, size, (100 * size, -3 * size, size)))
    focus = scale.focus_point(read.frames)
    assert focus is not None
    np.testing.assert_allclose(focus, np.array([100, -3, 1]) * size, atol=1e-9 * size)
    np.testing.assert_allclose(scale.up_of(read.frames), (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(scale.distances(read.frames, focus), size * np.sqrt(0.97), rtol=1e-9)
    assert size < scale.spread(read.frames) < 3 * size


def test_cameras_whose_ups_cancel_fall_back_to_the_worlds(tmp_path: Path) -> None:
    ring = captures.ring(2)
    over = [ring[0], ring[0] * [-1, -1, 1, 1]]
    np.testing.assert_array_equal(scale.up_of(capture(tmp_path, over).frames), (0, 0, 1))


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_the_drawing_is_the_same_at_any_size(tmp_path: Path, size: float) -> None:
    read = capture(tmp_path, captures.ring(20, size))
    picture = check.picture(read)
    assert picture.shape == (check.PANEL, 3 * check.PANEL, 3)
    colours = Counter(map(tuple, picture.reshape(-1, 3).tolist()))
    assert colours[(255, 255, 255)] > 0.7 * picture.size / 3
    reddish = (picture[..., 0].astype(int) - picture[..., 1]) > 100
    left = reddish[:, : check.PANEL]
    rows, columns = np.nonzero(left & (np.arange(check.PANEL) > 40))
    assert np.ptp(rows) > 2 * np.ptp(columns)  # seen from the front, the arrow stands
    reference = check.picture(capture(tmp_path / "other", captures.ring(20, 1.0)))
    assert (np.abs(picture.astype(int) - reference).max(-1) > 60).mean() < 0.002


def test_up_is_drawn_upright_whatever_the_axes(tmp_path: Path) -> None:
    standing = capture(tmp_path / "z", captures.ring(9))
    lying = capture(tmp_path / "y", [pose[[0, 2, 1, 3]] * [[1], [1], [-1], [1]] for pose in captures.ring(9)])
    np.testing.assert_allclose(lying.up, (0, 1, 0), atol=1e-12)
    apart = np.abs(check.picture(standing).astype(int) - check.picture(lying)).max(-1) > 60
    assert apart.mean() < 0.01
