"""`transforms.json` as nerfstudio and instant-ngp write it, and as `writing.py` does.

Intrinsics stand in the file, or in each frame, which wins. `camera_angle_x` (radians) serves where `fl_x` is
missing. Frames are sorted by file name. Of our own are `up`, `near`, `far`, `background`, `ndc` and a frame's
`loss_weight` and `level`; other programs ignore them.
"""

import math
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..cameras import conventions
from ..cameras.lens import Lens
from . import scale
from .base import (
    BACKGROUNDS,
    SPLITS,
    DataSet,
    Floats,
    Frame,
    bad,
    first_header,
    found,
    load_json,
    named,
    near_and_far,
    number,
    numbers,
    relative,
    split_evenly,
    unit,
)

FILE = "transforms.json"
MODELS = {
    "OPENCV": "opencv",
    "SIMPLE_RADIAL": "opencv",
    "RADIAL": "opencv",
    "PINHOLE": "opencv",
    "SIMPLE_PINHOLE": "opencv",
    "PERSPECTIVE": "opencv",
    "OPENCV_FISHEYE": "fisheye",
}
NGP_SCALE = 0.33  # instant-ngp's cube of side `aabb_scale`, in units of 1 / 0.33 of the data set's
ORIENTATIONS = ("up", "vertical", "pca", "none")
_SIZES = ("w", "h", "fl_x", "fl_y", "cx", "cy", "camera_angle_x", "camera_angle_y")
_TERMS = ("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2")

Size = Callable[[], tuple[int, int, bool] | None]


def read(folder: Path) -> DataSet:
    """The data set of a folder with transforms.json. Raises UserError `dataset.bad`, `dataset.not_found`."""
    fields = load_json(folder / FILE)
    notes: list[str] = []
    rows = rows_of(fields, FILE)
    rows.sort(key=lambda row: row[0])
    size = first_header(found(folder, path)[1] for path, _ in rows)
    lenses: dict[Lens, Lens] = {}
    frames: list[Frame] = []
    for path, entry in rows:
        lens = lens_of(fields, entry, FILE, size)
        frames.append(frame_of(folder, path, entry, FILE, lenses.setdefault(lens, lens)))
    if "fisheye_crop_radius" in fields:
        notes.append("fisheye_crop_radius is not used; give masks that leave out the dark corners.")
    near, far = near_and_far(fields, FILE)
    background = fields.get("background")
    if background is not None and background not in BACKGROUNDS:
        raise bad(f"background of {FILE!r} is {background!r}, neither white nor black.")
    transform = fields.get("applied_transform")
    if transform is not None:
        transform = numbers(transform, (3, 4), f"applied_transform of {FILE!r}")
    kept = _split(folder, fields, frames, notes)
    return DataSet(
        folder,
        "nerfstudio",
        kept,
        up_of(fields, kept, notes),
        near,
        far,
        background,
        fields.get("ndc") is True,
        _aabb(fields),
        transform,
        tuple(notes),
    )


def rows_of(fields: Mapping[str, Any], file: str) -> list[tuple[str, dict[str, Any]]]:
    """The path and the entry of each frame of a file, in its order."""
    entries = fields.get("frames")
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise bad(f"{file!r} has no list of frames.")
    if not entries:
        raise bad(f"{file!r} names no pictures.")
    return [
        (relative(entry.get("file_path"), f"Frame {i + 1} of {file!r}"), entry)
        for i, entry in enumerate(entries)
    ]


def frame_of(
    folder: Path, path: str, entry: Mapping[str, Any], file: str, lens: Lens, split: str = "train"
) -> Frame:
    """One frame of a file. Its poses are checked, its pictures are not opened."""
    name, image = found(folder, path)
    what = f"{path!r} of {file!r}"
    beside = {
        key: folder / relative(entry[key], f"{key} of {what}")
        for key in ("mask_path", "depth_file_path")
        if entry.get(key) is not None
    }
    time = entry.get("time")
    weight, level = (number(entry.get(key, start), key) for key, start in (("loss_weight", 1), ("level", 0)))
    if weight < 0 or level < 0:
        raise bad(f"{what} has a loss_weight or a level below 0.")
    return Frame(
        name,
        image,
        conventions.rigid(entry.get("transform_matrix"), what),  # type: ignore[arg-type]
        lens,
        beside.get("mask_path"),
        beside.get("depth_file_path"),
        None if time is None else number(time, f"time of {what}"),
        split,
        weight,
        int(level),
    )


def lens_of(fields: Mapping[str, Any], entry: Mapping[str, Any], file: str, size: Size) -> Lens:
    """The intrinsics of a frame: its own, else the file's; the picture's size where neither states one."""
    both: Mapping[str, Any] = ChainMap(dict(entry), dict(fields))
    stated = {
        key: number(both[key], f"{key} of {file!r}")
        for key in (*_SIZES, *_TERMS)
        if both.get(key) is not None
    }
    model = "OPENCV_FISHEYE" if both.get("is_fisheye") is True else both.get("camera_model", "OPENCV")
    if not isinstance(model, str) or model not in MODELS or stated.get("k5") or stated.get("k6"):
        known = ", ".join(MODELS)
        raise bad(f"{file!r} has cameras of the model {model!r}, which is not known.", f"Use one of {known}.")
    if not ("w" in stated and "h" in stated):
        head = size()
        if head is None:
            raise bad(
                f"{file!r} states no picture size and none of its pictures can be read.",
                "Put the pictures in their place, or add w and h.",
            )
        stated["w"], stated["h"] = head[0], head[1]
    width, height = int(stated["w"]), int(stated["h"])
    for key in ("fl_x", "fl_y"):
        if stated.get(key, 1.0) <= 0:
            raise bad(f"{key} of {file!r} is {stated[key]:g}; a focal length is above 0.")
    focal_x = stated.get("fl_x") or _focal(stated.get("camera_angle_x"), width)
    focal_y = stated.get("fl_y") or (
        None if "fl_x" in stated else _focal(stated.get("camera_angle_y"), height)
    )
    if focal_x is None and focal_y is None:
        raise bad(f"{file!r} states no focal length.", "Add fl_x, or camera_angle_x in radians.")
    kind = MODELS[model]
    distortion = tuple(stated.get(key, 0.0) for key in ("k1", "k2", "k3", "k4", "p1", "p2"))
    if kind == "fisheye":
        distortion = distortion[:4]
    elif not any(distortion):
        kind, distortion = "pinhole", ()
    with named(file):
        return Lens(
            width,
            height,
            focal_x or focal_y or 0.0,
            focal_y or focal_x or 0.0,
            stated.get("cx", 0.5 * width),
            stated.get("cy", 0.5 * height),
            kind,
            distortion,
        )


def _focal(angle: float | None, pixels: int) -> float | None:
    if angle is None or not 0 < angle < math.pi:
        return None
    return 0.5 * pixels / math.tan(0.5 * angle)


def up_of(fields: Mapping[str, Any], frames: Sequence[Frame], notes: list[str]) -> Floats:
    """The stated `up`, else +z where `orientation_override` is none, else the mean camera up."""
    if fields.get("up") is not None:
        return unit(fields["up"], f"up of {FILE!r}")
    method = fields.get("orientation_override", "up")
    if method not in ORIENTATIONS:
        notes.append(f"orientation_override {str(method)[:40]!r} is not known; up is the mean camera up.")
    elif method == "none":
        return np.array([0.0, 0.0, 1.0])
    return scale.up_of(frames)


def _aabb(fields: Mapping[str, Any]) -> Floats | None:
    """The box that matters: stated as [least, greatest] corner, or instant-ngp's cube."""
    if fields.get("aabb") is not None:
        box = numbers(fields["aabb"], (2, 3), f"aabb of {FILE!r}")
        if not (box[0] < box[1]).all():
            raise bad(f"aabb of {FILE!r} has no volume.")
        return box
    if fields.get("aabb_scale") is None:
        return None
    side = number(fields["aabb_scale"], f"aabb_scale of {FILE!r}")
    factor = number(fields.get("scale", NGP_SCALE), f"scale of {FILE!r}")
    offset = fields.get("offset", 0.5)
    shift = numbers(offset if isinstance(offset, list) else [offset] * 3, (3,), f"offset of {FILE!r}")
    if side <= 0 or factor <= 0:
        raise bad(f"aabb_scale or scale of {FILE!r} is not above 0.")
    return np.stack([(0.5 - shift - 0.5 * side) / factor, (0.5 - shift + 0.5 * side) / factor])


def _split(
    folder: Path, fields: Mapping[str, Any], frames: list[Frame], notes: list[str]
) -> tuple[Frame, ...]:
    """The frames with their splits; frames that are in none of the lists are left out, as nerfstudio does."""
    if not any(f"{split}_filenames" in fields for split in SPLITS):
        return split_evenly(frames)
    known = {frame.name for frame in frames}
    of: dict[str, str] = {}
    twice = 0
    for split in SPLITS:
        listed = fields.get(f"{split}_filenames", [])
        if not isinstance(listed, list):
            raise bad(f"{split}_filenames of {FILE!r} is not a list.")
        for path in listed:
            what = f"{split}_filenames of {FILE!r}"
            name = found(folder, relative(path, what))[0]
            if name not in known:
                raise bad(f"{what} names {path!r}, which is not among the frames.")
            twice += split != "train" and of.get(name) == "train"
            of[name] = split  # what is trained on tells nothing in a test, so the later list wins
    kept = tuple(replace(frame, split=of[frame.name]) for frame in frames if frame.name in of)
    if twice:
        notes.append(
            f"Of the pictures, {twice} are listed both for training and for testing; these are held out."
        )
    if len(kept) < len(frames):
        notes.append(f"{len(frames) - len(kept)} of {len(frames)} frames are in no split and are left out.")
    if not any(frame.split == "train" for frame in kept):
        raise bad(f"{FILE!r} leaves no picture to train on.", "Put pictures in train_filenames alone.")
    return kept
