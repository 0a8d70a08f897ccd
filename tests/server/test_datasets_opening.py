"""A folder is recognised by what it holds, and one that holds nothing is told so."""

from pathlib import Path

import numpy as np
import pytest
from maquette_server.datasets import opening
from maquette_wire.errors import UserError

from tests.server import captures


def refusal(folder: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        opening.read(folder)
    assert "\n" not in caught.value.line()
    return caught.value


def test_a_folder_without_a_data_set_says_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    error = refusal(tmp_path / "notes")
    assert error.code == "dataset.not_found"
    assert error.sentence == "'notes' is no data set."
    for name in ("transforms.json", "poses_bounds.npy", "sparse/0", "metadata.json", "transforms_train.json"):
        assert name in error.hint
    missing = refusal(tmp_path / "nowhere")
    assert (missing.code, "nowhere" in missing.sentence) == ("dataset.not_found", True)
    assert refusal(tmp_path / "a\0b").code == "dataset.not_found"


def test_pictures_without_cameras_are_told_apart(tmp_path: Path) -> None:
    captures.save(tmp_path / "images" / "a.png", captures.noise())
    assert "COLMAP" in refusal(tmp_path).hint
    assert "without cameras" in refusal(tmp_path).hint


def test_a_folder_of_data_sets_names_the_one_inside(tmp_path: Path) -> None:
    captures.transforms(tmp_path / "many" / "lego", captures.ring(2))
    assert "'lego'" in refusal(tmp_path / "many").hint


def test_a_file_of_the_data_set_stands_for_its_folder(tmp_path: Path) -> None:
    folder = captures.transforms(tmp_path / "a", captures.ring(2))
    assert opening.read(folder / "transforms.json").folder == folder
    assert opening.read(str(folder)).format == "nerfstudio"


def test_a_file_that_no_data_set_has_is_not_taken_for_its_folder(tmp_path: Path) -> None:
    captures.transforms(tmp_path, captures.ring(3))
    (tmp_path / "notes.md").write_text("Monday")
    error = refusal(tmp_path / "notes.md")
    assert error.code == "dataset.not_found"
    assert "'notes.md' is a file" in error.sentence


def test_transforms_come_before_what_a_solver_left(tmp_path: Path) -> None:
    folder = captures.transforms(tmp_path, captures.ring(3))
    np.save(folder / "poses_bounds.npy", np.zeros((3, 17)))
    assert opening.read(folder).format == "nerfstudio"
