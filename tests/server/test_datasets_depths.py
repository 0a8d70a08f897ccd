"""Depths beside pictures: units, what is not known, and what is no depth."""

import dataclasses
from pathlib import Path

import captures
import numpy as np
import pytest
from maquette_server.datasets import check, depths, opening, reducing
from maquette_server.datasets.base import DataSet
from maquette_server.media import exr, png
from maquette_wire.errors import UserError


def with_depth(folder: Path, name: str, data: bytes | None) -> DataSet:
    """A data set whose second picture has that depth."""
    captures.transforms(
        folder, captures.ring(3), per_frame=lambda i: {"depth_file_path": f"depths/{name}"} if i == 1 else {}
    )
    if data is not None:
        (folder / "depths").mkdir()
        (folder / "depths" / name).write_bytes(data)
    return opening.read(folder)


def refusal(dataset: DataSet) -> UserError:
    with pytest.raises(UserError) as caught:
        depths.load(dataset.frames[1])
    assert "\n" not in caught.value.line()
    return caught.value


def test_a_png_holds_thousandths_of_a_unit(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (16, 24, 1)).astype(np.uint16)
    values[0, 0] = 0
    dataset = with_depth(tmp_path, "1.png", captures.png16(values))
    found = depths.load(dataset.frames[1])
    assert found is not None
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, values[..., 0] / 1000, rtol=1e-6)
    assert found[0, 0] == 0  # not known
    assert depths.load(dataset.frames[0]) is None


def test_an_exr_holds_units_as_they_are(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((16, 24), np.float32) * 70
    values[2, 3], values[4, 5] = np.inf, 0
    found = depths.load(with_depth(tmp_path, "1.exr", exr.write(values)).frames[1])
    np.testing.assert_array_equal(found, values)


@pytest.mark.parametrize(
    ("name", "data", "code", "says"),
    [
        ("1.png", None, "dataset.picture", "missing"),
        ("1.png", png.write(captures.noise()), "dataset.picture", "16 bits"),
        ("1.png", b"\x89PNG\r\n\x1a\n" + b"x" * 60, "dataset.picture", "damaged"),
        ("1.png", captures.png16(np.ones((16, 24, 1), np.uint16))[:-30], "dataset.picture", "cut short"),
        ("1.exr", b"nothing", "image.bad", "not an OpenEXR"),
        ("1.npy", b"\x93NUMPY", "dataset.picture", "neither"),
        ("1.exr", exr.write(np.ones((24, 16), np.float32)), "dataset.picture", "16 x 24 pixels"),
        ("1.exr", exr.write(np.full((16, 24), -1, np.float32)), "dataset.picture", "behind"),
    ],
)
def test_what_is_no_depth_is_refused_and_found_by_the_check(
    tmp_path: Path, name: str, data: bytes | None, code: str, says: str
) -> None:
    dataset = with_depth(tmp_path, name, data)
    error = refusal(dataset)
    assert (error.code, says in error.sentence) == (code, True), error.sentence
    (found,) = [finding for finding in check.examine(dataset) if finding.severity == "error"]
    assert found.file == dataset.frames[1].name
    without = dataclasses.replace(dataset.frames[1], depth=None)
    assert depths.load(without) is None


@pytest.mark.parametrize("size", [(24, 16), (7, 5), (12, 8), (100, 60)])
def test_depths_are_picked_and_never_mixed(size: tuple[int, int]) -> None:
    values = np.where(np.arange(24) < 12, 1.0, np.inf).astype(np.float32)[None].repeat(16, 0)
    found = reducing.nearest(values, *size)
    assert found.shape == size[::-1]
    centres = (np.arange(size[0]) + 0.5) / size[0]
    np.testing.assert_array_equal(found, np.where(centres < 0.5, 1.0, np.inf)[None].repeat(size[1], 0))
