"""LLFF: axes, bounds, pictures by the order of their names."""

from pathlib import Path

import numpy as np
import pytest
from maquette_server.cameras.pinhole import look_at
from maquette_server.datasets import llff, opening
from maquette_wire.errors import UserError

from tests.server import captures


def forward(count: int) -> list[np.ndarray]:
    """Cameras in a row that look along -z, y up."""
    places = np.linspace(-1, 1, count)
    return [look_at(np.array([x, 0.1 * x, 0]), np.array([0, 0, -8.0]), np.array([0, 1.0, 0])) for x in places]


def capture(folder: Path, poses: list[np.ndarray], reduced: int = 1) -> Path:
    rows = []
    for i, pose in enumerate(poses):
        matrix = np.stack([-pose[:3, 1], pose[:3, 0], pose[:3, 2], pose[:3, 3], (32, 48, 60.0)], -1)
        rows.append([*matrix.ravel(), 2.0 + i, 10.0 + i])
        captures.save(folder / "images" / f"IMG_{i:03d}.png", captures.noise(48 // reduced, 32 // reduced))
    np.save(folder / "poses_bounds.npy", np.array(rows))
    return folder


def test_poses_bounds_and_the_customary_hold_out(tmp_path: Path) -> None:
    poses = forward(10)
    read = opening.read(capture(tmp_path, poses))
    assert (read.format, read.ndc) == ("llff", True)
    for frame, pose in zip(read.frames, poses, strict=True):
        np.testing.assert_allclose(frame.world_from_camera, pose, atol=1e-15)
    assert [i for i, frame in enumerate(read.frames) if frame.split == "test"] == [0, 8]
    assert (read.near, read.far) == (pytest.approx(1.8), 19)
    lens = read.frames[0].lens
    assert (lens.width, lens.height, lens.focal_x, lens.centre_x, lens.centre_y) == (48, 32, 60, 24, 16)
    assert read.up[1] > 0.99


def test_cameras_all_round_are_not_forward_facing(tmp_path: Path) -> None:
    read = opening.read(capture(tmp_path, captures.ring(6)))
    assert not read.ndc
    assert read.notes


def test_reduced_pictures_bring_their_own_lens(tmp_path: Path) -> None:
    folder = capture(tmp_path, forward(3))
    for i in range(3):
        captures.save(folder / "images_4" / f"IMG_{i:03d}.png", captures.noise(12, 8))
        captures.save(folder / "images_8" / f"IMG_{i:03d}.png", captures.noise(6, 4))
    assert llff.read(folder, 4).frames[0].lens.focal_x == 15
    (folder / "images").rename(folder / "kept")
    read = opening.read(folder)
    assert read.frames[0].name == "images_4/IMG_000.png"
    assert (read.frames[0].lens.width, read.frames[0].lens.focal_y) == (12, 15)
    with pytest.raises(UserError, match="images_2"):
        llff.read(folder, 2)


def test_what_is_no_such_array_is_refused(tmp_path: Path) -> None:
    folder = capture(tmp_path, forward(3))
    rows = np.load(folder / "poses_bounds.npy")

    def refused(value: object, allow_pickle: bool = False) -> str:
        np.save(folder / "poses_bounds.npy", value, allow_pickle=allow_pickle)  # type: ignore[arg-type]
        with pytest.raises(UserError) as caught:
            opening.read(folder)
        assert caught.value.code == "dataset.bad"
        return caught.value.sentence

    assert "2 cameras" in refused(rows[:2])
    assert "N x 17" in refused(rows[:, :15])
    assert "N x 17" in refused(rows.astype(complex))
    assert "N x 17" in refused(rows[:0])
    assert "poses_bounds.npy" in refused(np.array([{}], dtype=object), allow_pickle=True)  # never unpickled
    broken = rows.copy()
    broken[1, 3] = np.nan
    assert "finite" in refused(broken)
    broken = rows.copy()
    broken[1, 0] = 3.0
    assert "IMG_001.png" in refused(broken)
    broken = rows.copy()
    broken[1, 15] = 99.0
    assert "range" in refused(broken)
    broken = rows.copy()
    broken[0, 9] = 0.0
    assert "size" in refused(broken)


def test_a_header_that_promises_too_much_allocates_nothing(tmp_path: Path) -> None:
    folder = capture(tmp_path, forward(3))
    file = folder / "poses_bounds.npy"
    data = file.read_bytes()
    promising = data.replace(b"(3, 17), }        ", b"(300000000, 17), }")
    assert len(promising) == len(data)
    assert promising != data
    file.write_bytes(promising)
    with pytest.raises(UserError) as caught:
        opening.read(folder)
    assert caught.value.code == "dataset.bad"
    for damaged in (data[:40], data.replace(b"descr", b"'\0'('"), b""):
        file.write_bytes(damaged)
        with pytest.raises(UserError, match=r"poses_bounds\.npy"):
            opening.read(folder)
