"""COLMAP models, binary and text, with the same cameras."""

import struct
from pathlib import Path

import numpy as np
import pytest
from maquette_server.cameras import conventions
from maquette_server.datasets import colmap, opening
from maquette_wire.errors import UserError

from tests.server import captures

POSES = captures.ring(12, 3.0, (1.0, 2.0, 0.5))
CAMERAS = {  # id -> model number, name, parameters
    1: (0, "SIMPLE_PINHOLE", (30.0, 12.5, 8.0)),
    2: (1, "PINHOLE", (30.0, 31.0, 12.5, 8.0)),
    3: (2, "SIMPLE_RADIAL", (30.0, 12.5, 8.0, 0.1)),
    4: (3, "RADIAL", (30.0, 12.5, 8.0, 0.1, -0.02)),
    5: (4, "OPENCV", (30.0, 31.0, 12.5, 8.0, 0.1, -0.02, 0.003, 0.004)),
    7: (5, "OPENCV_FISHEYE", (30.0, 31.0, 12.5, 8.0, 0.1, -0.02, 0.003, 0.004)),
}
POINTS = np.random.default_rng(0).normal(size=(50, 3))


def solved(i: int) -> tuple[str, int, np.ndarray, np.ndarray]:
    return f"b{11 - i:02d}.png", list(CAMERAS)[i % 6], *conventions.colmap_from_opengl(POSES[i])


def binary(folder: Path) -> Path:
    place = folder / "sparse" / "0"
    place.mkdir(parents=True)
    data = struct.pack("<Q", len(CAMERAS))
    for number, (model, _, values) in CAMERAS.items():
        data += struct.pack(f"<iiQQ{len(values)}d", number, model, 24, 16, *values)
    (place / "cameras.bin").write_bytes(data)
    data = struct.pack("<Q", len(POSES))
    for i in range(len(POSES)):
        name, camera, quaternion, translation = solved(i)
        data += struct.pack("<i7di", i, *quaternion, *translation, camera) + name.encode() + b"\0"
        data += struct.pack("<Q", i) + struct.pack("<ddq", 1.0, 2.0, -1) * i
    (place / "images.bin").write_bytes(data)
    data = struct.pack("<Q", len(POINTS))
    for i, point in enumerate(POINTS):
        data += struct.pack("<Q3d3Bd", i, *point, 1, 2, 3, 0.5)
        data += struct.pack("<Q", i % 3) + struct.pack("<ii", 1, 2) * (i % 3)
    (place / "points3D.bin").write_bytes(data)
    (folder / "images").mkdir()
    return folder


def text(folder: Path) -> Path:
    place = folder / "sparse"
    place.mkdir(parents=True)
    rows = [f"{n} {name} 24 16 {' '.join(map(repr, values))}" for n, (_, name, values) in CAMERAS.items()]
    (place / "cameras.txt").write_text("# Camera list\n" + "\n".join(rows) + "\n")
    lines = ["# Image list", "#   IMAGE_ID, QW, ..."]
    for i in range(len(POSES)):
        name, camera, quaternion, translation = solved(i)
        numbers = " ".join(map(repr, [*quaternion.tolist(), *translation.tolist()]))
        lines += [f"{i} {numbers} {camera} {name}", "1.0 2.0 -1" if i % 2 else ""]
    (place / "images.txt").write_text("\n".join(lines) + "\n")
    (folder / "images").mkdir()
    return folder


@pytest.mark.parametrize("make", [binary, text])
def test_a_model_has_its_cameras(tmp_path: Path, make: object) -> None:
    read = opening.read(make(tmp_path))  # type: ignore[operator]
    assert read.format == "colmap"
    assert [frame.name for frame in read.frames] == [f"images/b{i:02d}.png" for i in range(12)]
    for i, frame in enumerate(reversed(read.frames)):
        np.testing.assert_allclose(frame.world_from_camera, POSES[i], atol=1e-9)
        assert (frame.lens.width, frame.lens.height, frame.lens.centre_x) == (24, 16, 12.5)
    lenses = {frame.lens.model: frame.lens.distortion for frame in read.frames[-6:]}
    assert lenses["pinhole"] == ()
    assert lenses["fisheye"] == (0.1, -0.02, 0.003, 0.004)
    assert {frame.lens.distortion for frame in read.frames if frame.lens.model == "opencv"} == {
        (0.1, 0, 0, 0, 0, 0),
        (0.1, -0.02, 0, 0, 0, 0),
        (0.1, -0.02, 0, 0, 0.003, 0.004),
    }
    assert read.up[2] > 0.9


def test_points_make_the_box(tmp_path: Path) -> None:
    read = opening.read(binary(tmp_path))
    np.testing.assert_array_equal(colmap.points(tmp_path / "sparse" / "0"), POINTS)
    assert read.aabb is not None
    inside = ((read.aabb[0] < POINTS) & (read.aabb[1] > POINTS)).mean(0)
    assert (inside > 0.9).all()
    (tmp_path / "sparse" / "0" / "points3D.bin").unlink()
    assert opening.read(tmp_path).aabb is None


def test_points_as_text(tmp_path: Path) -> None:
    rows = [f"{i} {x!r} {y!r} {z!r} 1 2 3 0.5 1 2" for i, (x, y, z) in enumerate(POINTS.tolist())]
    (tmp_path / "points3D.txt").write_text("# points\n" + "\n".join(rows))
    np.testing.assert_array_equal(colmap.points(tmp_path), POINTS)
    (tmp_path / "points3D.txt").write_text("1 a b c\n")
    with pytest.raises(UserError):
        colmap.points(tmp_path)


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        opening.read(folder)
    assert caught.value.code == "dataset.bad"
    return caught.value.sentence


def test_other_models_are_refused_by_name(tmp_path: Path) -> None:
    folder = text(tmp_path / "text")
    (folder / "sparse" / "cameras.txt").write_text("1 FULL_OPENCV 24 16 1 2 3 4 5 6 7 8 9 10 11 12\n")
    assert "FULL_OPENCV" in refusal(folder)
    (folder / "sparse" / "cameras.txt").write_text("1 PINHOLE 24 16 30 30\n")
    assert "2 instead of 4" in refusal(folder)
    (folder / "sparse" / "cameras.txt").write_text("1 PINHOLE many 16 30 30 1 1\n")
    assert "many" in refusal(folder)
    (folder / "sparse" / "cameras.txt").write_text("9 PINHOLE 24 16 30 30 1 1\n")
    assert "which the model does not hold" in refusal(folder)
    folder = binary(tmp_path / "binary")
    for number, name in ((10, "THIN_PRISM_FISHEYE"), (99, "number 99")):
        (folder / "sparse" / "0" / "cameras.bin").write_bytes(struct.pack("<QiiQQ", 1, 1, number, 24, 16))
        assert name in refusal(folder)


@pytest.mark.parametrize("name", ["cameras.bin", "images.bin", "points3D.bin"])
def test_files_that_are_cut_short_are_refused(tmp_path: Path, name: str) -> None:
    file = binary(tmp_path) / "sparse" / "0" / name
    whole = file.read_bytes()
    for size in (0, 5, 9, 60, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:size])
        assert name in refusal(tmp_path)
    file.write_bytes(struct.pack("<Q", 1 << 62) + whole[8:])  # a count beyond the file
    assert name in refusal(tmp_path)


def test_a_quaternion_without_length_is_refused(tmp_path: Path) -> None:
    folder = text(tmp_path)
    (folder / "sparse" / "images.txt").write_text("1 0 0 0 0 1 2 3 1 a b.png\n\n")
    assert "a b.png" in refusal(folder)
    (folder / "sparse" / "images.txt").write_text("1 nan 0 0 0 1 2 3 1 a.png\n\n")
    refusal(folder)
    (folder / "sparse" / "images.txt").write_text("# none\n")
    assert "names no pictures" in refusal(folder)
