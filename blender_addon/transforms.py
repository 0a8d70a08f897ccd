"""Data sets of pictures with cameras, as Blender takes them in and gives them out. No bpy.

Read are `transforms.json` (nerfstudio, instant-ngp, Maquette) and `transforms_{train,val,test}.json` (the
synthetic scenes of NeRF). What such a file holds beside its frames is its *header*; a frame is an *entry*.
Both are kept as they are, so that what nobody changed is written back as it was. Written is one
`transforms.json`.

World coordinates are those of the file. Poses are world_from_camera with OpenGL axes, which are Blender's.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import camera_models, picture_files, steps
from .wire import errors

Floats = NDArray[np.float64]

FILE = "transforms.json"
SPLITS = ("train", "val", "test")
MOST_BYTES = 16 << 20  # of a file, which is read in one go: a quarter of a second
MOST_FRAMES = 10_000
SIZES = ("w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x", "camera_angle_y")
DISTORTION = ("k1", "k2", "k3", "k4", "p1", "p2")
LENS_KEYS = (*SIZES, *DISTORTION, "camera_model", "is_fisheye")
PLAIN = ("PINHOLE", "SIMPLE_PINHOLE", "PERSPECTIVE")
FISHEYE = "OPENCV_FISHEYE"
MODELS = (*PLAIN, "OPENCV", "SIMPLE_RADIAL", "RADIAL", FISHEYE)
Z_UP = np.array([0.0, 0.0, 1.0])
RENDERED = {"up": [0.0, 0.0, 1.0], "background": "white"}
"""the header of what Blender renders: transparent pictures, to be put over white as synthetic scenes are"""


@dataclass(frozen=True)
class Lens:
    """Intrinsics of a frame, and what Blender has no place for."""

    pinhole: camera_models.Pinhole
    model: str = "PINHOLE"
    """of MODELS"""
    distortion: Mapping[str, float] = field(default_factory=dict)
    """terms that are not 0, by their names in DISTORTION"""

    @property
    def is_plain(self) -> bool:
        """Whether Blender can render with it."""
        return not self.distortion and self.model != FISHEYE

    def bends_as(self, other: "Lens") -> bool:
        """Whether the two differ in nothing but their pinholes; a model without terms is none."""
        if (self.model == FISHEYE) != (other.model == FISHEYE):
            return False
        return all(
            math.isclose(self.distortion.get(key, 0.0), other.distortion.get(key, 0.0), rel_tol=1e-6)
            for key in DISTORTION
        )


@dataclass(frozen=True, eq=False)
class Frame:
    """One camera and its picture."""

    name: str
    """path of the picture below the folder, with its ending"""
    world_from_camera: Floats  # [4, 4]
    lens: Lens
    split: str = ""
    """of SPLITS, or empty when the file says nothing"""
    entry: Mapping[str, Any] = field(default_factory=dict)
    """as it stands in the file, if it comes from one"""


@dataclass(frozen=True, eq=False)
class Capture:
    """A data set as it is read, or a set of cameras that was made."""

    name: str
    folder: Path | None
    """where its pictures are; None when it has none"""
    frames: Sequence[Frame]
    header: Mapping[str, Any] = field(default_factory=dict)
    up: Floats = field(default_factory=lambda: Z_UP)
    notes: Sequence[str] = ()


def files_of(path: Path) -> list[Path]:
    """The files that make the data set of a folder, or the one file that was named. Raises UserError."""
    if not path.is_dir():
        return [path]
    if (path / FILE).is_file():
        return [path / FILE]
    files = [path / f"transforms_{split}.json" for split in SPLITS]
    files = [file for file in files if file.is_file()]
    if not files:
        raise errors.UserError(
            "dataset.not_found",
            f"'{path.name}' holds neither {FILE} nor transforms_train.json.",
            hint="Choose the folder of a data set, or such a file.",
        )
    return files


def read(path: Path) -> Capture:
    """The data set of a file or folder. Raises UserError `dataset.bad` or `dataset.not_found`."""
    return steps.at_once(read_steps(path))


def read_steps(path: Path) -> steps.Steps[Capture]:
    """The same, a frame at a time. No picture is opened further than its header."""
    files = files_of(path)
    header: dict[str, Any] = {}
    frames: list[Frame] = []
    notes: list[str] = []
    for file in files:
        fields = _load(file)
        entries = _entries(fields.pop("frames", None), file.name)
        if len(frames) + len(entries) > MOST_FRAMES:
            raise _bad(f"'{file.name}' has more than {MOST_FRAMES} frames.", "Choose fewer pictures.")
        yield 0
        header = header or fields
        # One header is kept; frames of a file with other cameras carry theirs with them.
        other = any(fields.get(key) != header.get(key) for key in LENS_KEYS)
        size = _first_size(file.parent, entries)
        splits = _splits(fields, file.name)
        for place, entry in enumerate(entries):
            what = f"Frame {place + 1} of '{file.name}'"
            name = picture_files.found(file.parent, _relative(entry.get("file_path"), what))
            pose = camera_models.rigid(entry.get("transform_matrix"), what)
            lens = lens_of({**fields, **entry}, file.name, size)
            split = splits(name, entry["file_path"])
            frames.append(Frame(name, pose, lens, split, {**entry, **intrinsics(lens)} if other else entry))
            yield 1
    if files[0].name.startswith("transforms_"):
        # What goes without saying in that format, but not in a transforms.json.
        header.setdefault("up", Z_UP.tolist())
        if picture_files.has_alpha(files[0].parent / frames[0].name):
            header.setdefault("background", "white")
    up = up_of(header, frames, notes)
    notes += lens_notes(frames)
    folder = files[0].parent.resolve()
    missing = sum(not (folder / frame.name).is_file() for frame in frames)
    if missing:
        notes.append(f"{missing} of {len(frames)} photographs are not in their place.")
    return Capture(folder.name or "Capture", folder, frames, header, up, notes)


def is_inside(name: str) -> bool:
    """Whether a picture's name stays below the folder of its data set."""
    return ".." not in Path(name).parts


def entry_of(frame: Frame, header: Mapping[str, Any], *, moved: bool, other_lens: bool) -> dict[str, Any]:
    """The frame's entry; pose and intrinsics are those of its file unless they were changed since."""
    entry = dict(frame.entry)
    stated = entry.get("file_path")
    if not isinstance(stated, str) or Path(stated.replace("\\", "/")).as_posix() != frame.name:
        entry["file_path"] = frame.name
    if other_lens:
        for key in LENS_KEYS:
            entry.pop(key, None)
        # What the header says holds where an entry says nothing, so its terms are contradicted.
        entry |= {key: 0.0 for key in DISTORTION if header.get(key)}
        entry |= {"is_fisheye": False} if header.get("is_fisheye") else {}
        entry |= intrinsics(frame.lens)
    if moved:
        entry["transform_matrix"] = frame.world_from_camera.tolist()
    return entry


def intrinsics(lens: Lens) -> dict[str, Any]:
    """The keys that state a lens in full."""
    values: dict[str, Any] = {"camera_model": "PINHOLE" if lens.is_plain else lens.model}
    values |= {key: getattr(lens.pinhole, key) for key in ("w", "h", "fl_x", "fl_y", "cx", "cy")}
    return values | dict(lens.distortion)


def without_lens(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The same without what states a lens."""
    return {key: value for key, value in fields.items() if key not in LENS_KEYS}


def header_of(header: Mapping[str, Any], frames: Sequence[tuple[str, Frame]]) -> dict[str, Any]:
    """The header with its lists of splits brought up to date. `frames` has each path as it is written.

    Lists that say the same as before stay in their order.
    """
    result = dict(header)
    if not any(frame.split for _, frame in frames):
        return {k: v for k, v in result.items() if k not in [f"{split}_filenames" for split in SPLITS]}
    for split in SPLITS:
        key = f"{split}_filenames"
        names = [path for path, frame in frames if frame.split == split]
        if (names or key in result) and sorted(names) != sorted(map(str, result.get(key, []))):
            result[key] = names
    return result


def text_steps(header: Mapping[str, Any], entries: Sequence[Mapping[str, Any]]) -> steps.Steps[str]:
    """The contents of a `transforms.json`, a frame at a time."""
    parts = []
    for entry in entries:
        parts.append("  " + json.dumps(entry, indent=1, allow_nan=False).replace("\n", "\n  "))
        yield 0
    head = json.dumps(header, indent=1, allow_nan=False).removesuffix("}").rstrip()
    comma = "," if header else ""
    frames = ",\n".join(parts)
    return f'{head}{comma}\n "frames": [\n{frames}\n ]\n}}\n'


def up_of(header: Mapping[str, Any], frames: Sequence[Frame], notes: list[str]) -> Floats:
    """The stated up vector, else z where the file says so, else the axis nearest to the cameras' own up."""
    if header.get("up") is not None:
        try:
            up = np.array(header["up"], np.float64)
        except (TypeError, ValueError):
            up = np.empty(0)
        if up.shape != (3,) or not 1e-12 < float(np.linalg.norm(up)) < camera_models.LARGEST:
            raise _bad("up of the data set is not a direction.")
        return up / np.linalg.norm(up)
    if header.get("orientation_override") == "none":
        return Z_UP
    mean = np.mean([frame.world_from_camera[:3, 1] for frame in frames], axis=0)
    axis = int(np.abs(mean).argmax())
    if (axis == 2 and mean[2] > 0) or np.linalg.norm(mean) < 0.1:
        return Z_UP
    up = np.zeros(3)
    up[axis] = math.copysign(1.0, mean[axis])
    notes.append(
        f"By its cameras {'-' if mean[axis] < 0 else '+'}{'xyz'[axis]} is up; it was turned upright."
    )
    return up


def _load(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise _bad(f"'{path.name}' is larger than {MOST_BYTES >> 20} MiB.", "Choose fewer pictures.")
        content = json.loads(path.read_text(encoding="utf-8-sig"), parse_constant=_refuse_constant)
    except OSError as error:
        raise errors.UserError(
            "dataset.not_found",
            f"'{path.name}' cannot be read: {error.strerror or error}.",
            hint="Choose a transforms.json, or the folder of one.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise _bad(f"'{path.name}' cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise _bad(f"'{path.name}' holds no JSON object.")
    return content


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _entries(entries: object, file: str) -> list[dict[str, Any]]:
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _bad(f"'{file}' has no list of frames.", "Choose a transforms.json of a data set.")
    if not entries:
        raise _bad(f"'{file}' names no pictures.")
    return entries


def _first_size(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Callable[[], tuple[int, int] | None]:
    """What asks, once and only if it is needed, for the size of the first picture that can be read."""
    answer: list[tuple[int, int] | None] = []

    def ask() -> tuple[int, int] | None:
        if not answer:
            names = (entry.get("file_path") for entry in entries[:100])
            paths = (folder / picture_files.found(folder, n) for n in names if isinstance(n, str))
            answer.append(next(filter(None, map(picture_files.size, paths)), None))
        return answer[0]

    return ask


def _relative(value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise _bad(f"{what} names no picture.")
    if value.startswith(("/", "\\")) or PureWindowsPath(value).drive:
        raise _bad(
            f"{what} names the absolute path '{value}'.", "Write paths relative to the data set's folder."
        )
    return Path(value.replace("\\", "/")).as_posix()


def _number(value: object, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _bad(f"{what} is {str(value)[:40]!r}, not a number.")
    if not abs(value) < camera_models.LARGEST:
        raise _bad(f"{what} is not a finite number.")
    return float(value)


def lens_of(fields: Mapping[str, Any], file: str, size: Callable[[], tuple[int, int] | None]) -> Lens:
    """Intrinsics of a frame, by its own fields before those of the file."""
    stated = {
        key: _number(fields[key], f"{key} of '{file}'")
        for key in (*SIZES, *DISTORTION)
        if fields.get(key) is not None
    }
    model = FISHEYE if fields.get("is_fisheye") is True else fields.get("camera_model", "OPENCV")
    if model not in MODELS:
        raise _bad(
            f"'{file}' has cameras of the model '{str(model)[:40]}', which Blender has not.",
            f"Use one of {', '.join(MODELS)}.",
        )
    if not ("w" in stated and "h" in stated):
        known = size()
        if known is None:
            raise _bad(
                f"'{file}' states no picture size and its pictures cannot be read.",
                "Put the pictures in their place, or add w and h.",
            )
        stated["w"], stated["h"] = known
    width, height = int(stated["w"]), int(stated["h"])
    focal_x = stated.get("fl_x") or _focal(stated.get("camera_angle_x"), width)
    focal_y = stated.get("fl_y") or (
        None if "fl_x" in stated else _focal(stated.get("camera_angle_y"), height)
    )
    focal_x, focal_y = focal_x or focal_y or 0.0, focal_y or focal_x or 0.0
    if not (focal_x > 0 and focal_y > 0):
        raise _bad(f"'{file}' states no focal length.", "Add fl_x, or camera_angle_x in radians.")
    if not (0 < width <= 65536 and 0 < height <= 65536):
        raise _bad(f"'{file}' has pictures of {width} x {height} pixels.")
    pinhole = camera_models.Pinhole(
        width, height, focal_x, focal_y, stated.get("cx", 0.5 * width), stated.get("cy", 0.5 * height)
    )
    camera_models.lens_from_pinhole(pinhole)  # refuses what Blender cannot hold
    return Lens(pinhole, str(model), {key: stated[key] for key in DISTORTION if stated.get(key)})


def _focal(angle: float | None, pixels: int) -> float | None:
    return 0.5 * pixels / math.tan(0.5 * angle) if angle is not None and 0 < angle < math.pi else None


def _splits(fields: Mapping[str, Any], file: str) -> Callable[[str, str], str]:
    """What tells the split of a picture: the file's name, or the lists in the file."""
    if file != FILE and file.startswith("transforms_"):
        named = file.removeprefix("transforms_").removesuffix(".json")
        return lambda name, stated: named if named in SPLITS else ""
    of: dict[str, str] = {}
    for split in SPLITS:
        listed = fields.get(f"{split}_filenames", [])
        if not isinstance(listed, list):
            raise _bad(f"{split}_filenames of '{file}' is not a list.")
        # The later list wins, as on the server: what is held out is not trained on.
        of |= {str(path): split for path in listed}
    return lambda name, stated: of.get(stated) or of.get(name, "")


def lens_notes(frames: Sequence[Frame]) -> list[str]:
    """What Blender has no place for, in sentences."""
    bent = sum(not frame.lens.is_plain for frame in frames)
    if not bent:
        return []
    how = "all cameras" if bent == len(frames) else f"{bent} of {len(frames)} cameras"
    return [
        f"The lenses of {how} distort, which Blender's cameras cannot: what is seen through them differs at "
        "the edges. The terms are kept as custom properties and are exported."
    ]


def _bad(sentence: str, hint: str = "Export the data set again.") -> errors.UserError:
    return errors.UserError("dataset.bad", sentence, hint=hint)
