"""The synthetic scenes of NeRF."""

import math
from pathlib import Path

import numpy as np
import pytest
from maquette_server.datasets import opening
from maquette_wire.errors import UserError

from tests.server import captures


def test_lego_has_its_published_numbers(data: Path) -> None:
    lego = opening.read(data / "lego")
    assert lego.format == "blender"
    assert [len(lego.of(split)) for split in ("train", "val", "test")] == [100, 10, 25]
    assert lego.frames[0].lens.focal_x == pytest.approx(555.5555, abs=1e-4)
    assert (lego.near, lego.far, lego.background) == (2.0, 6.0, "white")
    np.testing.assert_array_equal(lego.up, (0, 0, 1))
    assert lego.frames[2].name == "train/r_2.png"
    assert all(frame.image.is_file() for frame in lego.frames)
    places = np.stack([frame.world_from_camera[:3, 3] for frame in lego.frames])
    np.testing.assert_allclose(np.linalg.norm(places, axis=-1), 4.031, atol=1e-3)


def test_any_of_the_three_files_will_do(tmp_path: Path) -> None:
    read = opening.read(captures.scene(tmp_path, {"train": 4}))
    assert {frame.split for frame in read.frames} == {"train"}
    assert read.frames[1].lens.focal_x == pytest.approx(10 / math.tan(0.35))
    assert [frame.time for frame in read.frames] == [0, 1 / 9, 2 / 9, 3 / 9]


@pytest.mark.parametrize("radius", [1e-3, 1e4])
def test_a_scene_of_another_size_keeps_its_range_open(tmp_path: Path, radius: float) -> None:
    read = opening.read(captures.scene(tmp_path, {"train": 6, "test": 2}, radius))
    assert (read.near, read.far) == (None, None)
    assert "near and far" in read.notes[0]


def test_opaque_pictures_have_no_known_background(tmp_path: Path) -> None:
    assert opening.read(captures.scene(tmp_path, {"train": 3}, channels=3)).background is None


def test_missing_pictures_do_not_hide_the_cameras(tmp_path: Path) -> None:
    folder = captures.scene(tmp_path, {"train": 3})
    (folder / "train" / "r_0.png").unlink()
    read = opening.read(folder)
    assert (read.frames[0].lens.width, read.background) == (20, "white")
    for picture in (folder / "train").iterdir():
        picture.unlink()
    with pytest.raises(UserError) as caught:
        opening.read(folder)
    assert "transforms_train.json" in caught.value.sentence
