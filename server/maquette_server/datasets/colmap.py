"""A COLMAP model, binary or text: `cameras`, `images` and, if there, `points3D`, usually in `sparse/0`.

https://colmap.github.io/format.html. An image has the quaternion (w first) and translation of
camera-from-world with OpenCV axes; intrinsics are in pixels, with the first pixel's centre at (0.5, 0.5), as
ours are.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..cameras import conventions
from ..cameras.lens import Lens
from . import scale
from .base import DataSet, Floats, Frame, bad, found, named, numbers, relative, split_evenly, unreadable

Parsed = TypeVar("Parsed")

PLACES = ("sparse/0", "sparse", "colmap/sparse/0", ".")
MAX_BYTES = 2 << 30
# name -> (number of parameters, our model, the columns of fx, fy, cx, cy, the columns of its distortion)
_READ: dict[str, tuple[int, str, tuple[int, int, int, int], tuple[int | None, ...]]] = {
    "SIMPLE_PINHOLE": (3, "pinhole", (0, 0, 1, 2), ()),
    "PINHOLE": (4, "pinhole", (0, 1, 2, 3), ()),
    "SIMPLE_RADIAL": (4, "opencv", (0, 0, 1, 2), (3, None, None, None, None, None)),
    "RADIAL": (5, "opencv", (0, 0, 1, 2), (3, 4, None, None, None, None)),
    "OPENCV": (8, "opencv", (0, 1, 2, 3), (4, 5, None, None, 6, 7)),
    "OPENCV_FISHEYE": (8, "fisheye", (0, 1, 2, 3), (4, 5, 6, 7)),
}
_NAMES = (  # by their number in the binary file
    *(
        "SIMPLE_PINHOLE",
        "PINHOLE",
        "SIMPLE_RADIAL",
        "RADIAL",
        "OPENCV",
        "OPENCV_FISHEYE",
        "FULL_OPENCV",
        "FOV",
    ),
    *("SIMPLE_RADIAL_FISHEYE", "RADIAL_FISHEYE", "THIN_PRISM_FISHEYE", "RAD_TAN_THIN_PRISM_FISHEYE"),
)
MARGIN = 0.02  # share of the points on each side that the box leaves out: strays


@dataclass(frozen=True)
class _Image:
    name: str
    camera: int
    quaternion: tuple[float, ...]  # w first
    translation: tuple[float, ...]


def model_of(folder: Path) -> Path | None:
    """Where in the folder a model lies."""
    for place in PLACES:
        for suffix in (".bin", ".txt"):
            if all((folder / place / (name + suffix)).is_file() for name in ("cameras", "images")):
                return folder / place
    return None


def read(folder: Path) -> DataSet:
    """The data set of a folder with a model and its pictures, which are in `images` or in the folder itself.

    Raises UserError `dataset.bad` or `dataset.not_found`.
    """
    place = model_of(folder)
    if place is None:
        raise bad(f"{folder.name!r} holds no COLMAP model.", "Name the folder that holds sparse/0.")
    binary = (place / "cameras.bin").is_file() and (place / "images.bin").is_file()
    cameras = (
        _in_file(place / "cameras.bin", _cameras_bin) if binary else _cameras_text(place / "cameras.txt")
    )
    images = _in_file(place / "images.bin", _images_bin) if binary else _images_text(place / "images.txt")
    if not images:
        raise bad(f"{place.name!r} of {folder.name!r} names no pictures.", "Solve the cameras again.")
    beside = not (folder / "images").is_dir() and any((folder / one.name).is_file() for one in images)
    below = "" if beside else "images/"
    frames = []
    for image in sorted(images, key=lambda image: image.name):
        if image.camera not in cameras:
            raise bad(f"{image.name!r} has the camera {image.camera}, which the model does not hold.")
        quaternion = numbers(image.quaternion, (4,), f"The quaternion of {image.name!r}")
        if np.linalg.norm(quaternion) < 1e-9:
            raise bad(f"{image.name!r} has a quaternion of no length.")
        translation = numbers(image.translation, (3,), f"The translation of {image.name!r}")
        pose = conventions.opengl_from_colmap(quaternion, translation)
        name, path = found(folder, below + relative(image.name, "A picture of the model"))
        frames.append(Frame(name, path, conventions.rigid(pose, repr(name)), cameras[image.camera]))
    solid = points(place)
    box = None if len(solid) < 8 else np.quantile(solid, (MARGIN, 1 - MARGIN), axis=0)
    return DataSet(folder, "colmap", split_evenly(frames), scale.up_of(frames), aabb=box)


def points(place: Path) -> Floats:
    """Positions [P, 3] of the points of a model; none where the file is missing."""
    if (place / "points3D.bin").is_file():
        return _in_file(place / "points3D.bin", _points_bin)
    if not (place / "points3D.txt").is_file():
        return np.zeros((0, 3))
    rows = [line.split()[1:4] for line in _lines(place / "points3D.txt") if line.strip()]
    try:
        return _finite(np.array(rows, np.float64).reshape(-1, 3), "points3D.txt")
    except ValueError as error:
        raise bad("'points3D.txt' cannot be read.") from error


def _finite(values: Floats, file: str) -> Floats:
    if not (np.abs(values) < conventions.LARGEST).all():
        raise bad(f"{file!r} holds numbers that are not finite.")
    return values


class _Reader:
    """Numbers off the front of a file's bytes; whatever is beyond its end raises struct.error."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from("<" + layout, self.data, self.at)
        self.at += struct.calcsize("<" + layout)
        return values

    def skip(self, size: int) -> None:
        if not 0 <= size <= len(self.data) - self.at:
            raise struct.error("the file ends too early")
        self.at += size

    def word(self) -> str:
        end = self.data.index(b"\0", self.at)
        word, self.at = self.data[self.at : end].decode(), end + 1
        return word


def _bytes(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise bad(f"{path.name!r} is larger than 2 GiB.", "Reduce the model.")
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from error


def _in_file(path: Path, parse: Callable[[_Reader], Parsed]) -> Parsed:
    try:
        return parse(_Reader(_bytes(path)))
    except (struct.error, ValueError, IndexError) as error:
        raise bad(f"{path.name!r} is cut short or no COLMAP file.", "Copy the model again.") from error


def _lens(model: str, width: int, height: int, values: Sequence[float], file: str) -> Lens:
    if model not in _READ:
        raise bad(
            f"{file!r} has a camera of the model {model}, which is not known.",
            f"Solve or undistort with one of {', '.join(_READ)}.",
        )
    count, kind, where, terms = _READ[model]
    if len(values) != count:
        raise bad(f"{file!r} has a camera {model} with {len(values)} instead of {count} numbers.")
    focal_x, focal_y, centre_x, centre_y = (values[i] for i in where)
    distortion = tuple(0.0 if i is None else values[i] for i in terms)
    with named(file):
        return Lens(width, height, focal_x, focal_y, centre_x, centre_y, kind, distortion)


def _cameras_bin(file: _Reader) -> dict[int, Lens]:
    cameras = {}
    for _ in range(file.take("Q")[0]):
        number, model, width, height = file.take("iiQQ")
        name = _NAMES[model] if 0 <= model < len(_NAMES) else f"number {model}"
        values = file.take(f"{_READ[name][0] if name in _READ else 0}d")
        cameras[number] = _lens(name, width, height, values, "cameras.bin")
    return cameras


def _images_bin(file: _Reader) -> list[_Image]:
    images = []
    for _ in range(file.take("Q")[0]):
        _, *pose, camera = file.take("i7di")
        name = file.word()
        file.skip(24 * file.take("Q")[0])  # x, y and point of each feature
        images.append(_Image(name, camera, tuple(pose[:4]), tuple(pose[4:])))
    return images


def _points_bin(file: _Reader) -> Floats:
    rows = []
    for _ in range(file.take("Q")[0]):
        rows.append(file.take("Q3d3Bd")[1:4])
        file.skip(8 * file.take("Q")[0])  # the features that see it
    return _finite(np.array(rows, np.float64).reshape(-1, 3), "points3D.bin")


def _lines(path: Path) -> list[str]:
    try:
        lines = _bytes(path).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise bad(f"{path.name!r} is not text.") from error
    return [line for line in lines if not line.startswith("#")]


def _cameras_text(path: Path) -> dict[int, Lens]:
    cameras = {}
    for line in _lines(path):
        if words := line.split():
            try:
                number, width, height, values = int(words[0]), int(words[2]), int(words[3]), words[4:]
                cameras[number] = _lens(words[1], width, height, [float(v) for v in values], path.name)
            except (ValueError, IndexError) as error:
                raise bad(f"{path.name!r} has a line that cannot be read: {line[:60]!r}.") from error
    return cameras


def _images_text(path: Path) -> list[_Image]:
    images = []
    lines = iter(_lines(path))
    for line in lines:
        if not line.strip():
            continue
        next(lines, "")  # the features, an empty line where there are none
        words = line.split(maxsplit=9)
        try:
            pose = tuple(float(word) for word in words[1:8])
            images.append(_Image(words[9].strip(), int(words[8]), pose[:4], pose[4:]))
        except (ValueError, IndexError) as error:
            raise bad(f"{path.name!r} has a line that cannot be read: {line[:60]!r}.") from error
    return images
