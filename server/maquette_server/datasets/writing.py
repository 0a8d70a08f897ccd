"""Writes a data set as `transforms.json`: what `nerfstudio.read` reads back is the same, to the last bit."""

import json
import os
from pathlib import Path
from typing import Any

from maquette_wire.errors import UserError

from ..cameras.lens import Lens
from .base import SPLITS, DataSet, Frame
from .nerfstudio import FILE

_TERMS = ("k1", "k2", "k3", "k4", "p1", "p2")


def write(dataset: DataSet, folder: Path) -> Path:
    """Writes transforms.json into a folder, which becomes a data set beside or above the pictures.

    Pictures are not copied: their paths are relative to the folder. Frames come out sorted by path, as the
    format has it. An existing file is replaced as a whole. Raises UserError `output.unusable`.
    """
    content = content_of(dataset, folder)
    target, draft = folder / FILE, folder / (FILE + ".part")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
        os.replace(draft, target)
    except OSError as error:
        raise UserError(
            "output.unusable",
            f"{str(target)!r} cannot be written: {error.strerror or error}.",
            hint="Name another folder, or free some space.",
        ) from error
    return target


def content_of(dataset: DataSet, folder: Path) -> dict[str, Any]:
    """The JSON object of a data set whose transforms.json stands in the folder."""
    lenses = {frame.lens for frame in dataset.frames}
    shared = lenses.pop() if len(lenses) == 1 else None
    content: dict[str, Any] = {} if shared is None else _intrinsics(shared)
    content["up"] = dataset.up.tolist()
    for key in ("near", "far", "background"):
        if getattr(dataset, key) is not None:
            content[key] = getattr(dataset, key)
    if dataset.ndc:
        content["ndc"] = True
    for key in ("aabb", "applied_transform"):
        if getattr(dataset, key) is not None:
            content[key] = getattr(dataset, key).tolist()
    for split in SPLITS:
        content[f"{split}_filenames"] = [_path(frame.image, folder) for frame in dataset.of(split)]
    content["frames"] = [_entry(frame, folder, shared) for frame in dataset.frames]
    return content


def _intrinsics(lens: Lens) -> dict[str, Any]:
    values: dict[str, Any] = {
        "camera_model": {"pinhole": "PINHOLE", "opencv": "OPENCV", "fisheye": "OPENCV_FISHEYE"}[lens.model],
        "w": lens.width,
        "h": lens.height,
        "fl_x": lens.focal_x,
        "fl_y": lens.focal_y,
        "cx": lens.centre_x,
        "cy": lens.centre_y,
    }
    return values | dict(zip(_TERMS, lens.distortion, strict=False))


def _entry(frame: Frame, folder: Path, shared: Lens | None) -> dict[str, Any]:
    entry: dict[str, Any] = {"file_path": _path(frame.image, folder)}
    if shared is None:
        entry |= _intrinsics(frame.lens)
    if frame.mask is not None:
        entry["mask_path"] = _path(frame.mask, folder)
    if frame.depth is not None:
        entry["depth_file_path"] = _path(frame.depth, folder)
    if frame.time is not None:
        entry["time"] = frame.time
    if frame.loss_weight != 1.0:
        entry["loss_weight"] = frame.loss_weight
    if frame.level:
        entry["level"] = frame.level
    entry["transform_matrix"] = frame.world_from_camera.tolist()
    return entry


def _path(path: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError as error:  # Windows: another drive
        raise UserError(
            "output.unusable",
            f"{path.name!r} is on another drive than {folder.name!r}.",
            hint="Write the data set on the drive of its pictures.",
        ) from error
