"""The multi-scale set of mip-NeRF: every picture at 1, 1/2, 1/4 ... of its size, in `metadata.json`.

Written and read as its `convert_blender_data.py` does: per split, lists of the same length; `label` is the
level, `lossmult` = 4^level, so that every level has the same total weight; `pix2cam` is the inverse of the
intrinsics with y and z flipped. Beside the splits, `up` and `background` are ours. Levels are exact 2 x 2
means of sRGB values that are not rounded in between.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ..cameras import conventions
from ..cameras.lens import Lens
from ..media import png
from . import pictures
from .base import (
    BACKGROUNDS,
    SPLITS,
    DataSet,
    Floats,
    Frame,
    bad,
    load_json,
    named,
    number,
    numbers,
    relative,
    unit,
)

FILE = "metadata.json"
MAX_LEVELS = 8
_LISTS = ("file_path", "cam2world", "width", "height", "focal", "label", "near", "far", "lossmult")


def read(folder: Path) -> DataSet:
    """The data set of a folder with metadata.json. Raises UserError `dataset.bad`."""
    fields = load_json(folder / FILE)
    frames = [frame for split in SPLITS if split in fields for frame in _split(folder, fields[split], split)]
    if not frames:
        raise bad(f"{FILE!r} names no pictures.")
    ranges = [row for split in SPLITS if split in fields for row in _ranges(fields[split])]
    near, far = (min(r[0] for r in ranges), max(r[1] for r in ranges)) if ranges else (None, None)
    up = unit(fields["up"], f"up of {FILE!r}") if "up" in fields else np.array([0.0, 0.0, 1.0])
    background = fields.get("background", "white")
    if background is not None and background not in BACKGROUNDS:
        raise bad(f"background of {FILE!r} is {background!r}, neither white nor black.")
    return DataSet(folder, "multiscale", tuple(frames), up, near, far, background)


def _split(folder: Path, lists: Any, split: str) -> Iterator[Frame]:
    what = f"{split} of {FILE!r}"
    if not isinstance(lists, dict) or not all(isinstance(lists.get(key), list) for key in _LISTS):
        raise bad(f"{what} lacks one of {', '.join(_LISTS)}.")
    if len({len(lists[key]) for key in _LISTS}) != 1:
        raise bad(f"{what} has lists of different lengths.")
    inverses = lists.get("pix2cam", [None] * len(lists["file_path"]))
    if not isinstance(inverses, list) or len(inverses) != len(lists["file_path"]):
        raise bad(f"{what} has a pix2cam of another length.")
    for i, path in enumerate(lists["file_path"]):
        name = relative(path, f"Row {i + 1} of {what}")
        row = {key: number(lists[key][i], f"{key} of {name!r}") for key in ("width", "height", "focal")}
        row |= {key: number(lists[key][i], f"{key} of {name!r}") for key in ("label", "lossmult")}
        yield Frame(
            name,
            folder / name,
            conventions.rigid(lists["cam2world"][i], repr(name)),
            _lens(int(row["width"]), int(row["height"]), row["focal"], inverses[i], name),
            split=split,
            loss_weight=row["lossmult"],
            level=int(row["label"]),
        )


def _ranges(lists: dict[str, Any]) -> list[tuple[float, float]]:
    pairs = zip(lists["near"], lists["far"], strict=True)
    return [(number(n, "near"), number(f, "far")) for n, f in pairs if n is not None and f is not None]


def _lens(width: int, height: int, focal: float, inverse: Any, name: str) -> Lens:
    """The lens that pix2cam says, else one with the centre in the middle."""
    with named(FILE):
        if inverse is None:
            return Lens(width, height, focal, focal, 0.5 * width, 0.5 * height)
        rows = numbers(inverse, (3, 3), f"pix2cam of {name!r}")
        if rows[0, 0] <= 0 or rows[1, 1] >= 0 or rows[0, 1] != 0 or rows[1, 0] != 0:
            raise bad(f"pix2cam of {name!r} is not the inverse of a pinhole camera's intrinsics.")
        focal_x, focal_y = 1.0 / float(rows[0, 0]), -1.0 / float(rows[1, 1])
        return Lens(
            width, height, focal_x, focal_y, -float(rows[0, 2]) * focal_x, float(rows[1, 2]) * focal_y
        )


def box_mean(image: NDArray[np.floating]) -> NDArray[np.floating]:
    """Exact means of 2 x 2 pixels: [2H, 2W, C] -> [H, W, C], in the type of the image."""
    height, width, channels = image.shape
    return image.reshape(height // 2, 2, width // 2, 2, channels).mean((1, 3))


def levels_of(picture: NDArray[np.uint8], levels: int, parity: bool) -> Iterator[NDArray[np.uint8]]:
    """A picture u8 [H, W, 3 or 4] at 1, 1/2, 1/4 ... of its size, u8.

    parity: as the published set, straight alpha averaged like a colour in float32, cut off to 8 bits.
    Else colours are averaged weighted by alpha and rounded, so that silhouettes get no dark rim.
    """
    transparent = picture.shape[2] == 4 and not parity
    image: NDArray[np.floating] = picture.astype(np.float32) / np.float32(255.0)
    if not parity:
        image = picture.astype(np.float64) / 255.0
    if transparent:
        image[..., :3] *= image[..., 3:]
    for level in range(levels):
        image = box_mean(image) if level else image
        if parity:
            yield (image * 255).astype(np.uint8)
            continue
        straight = image.copy()
        if transparent:
            alpha = image[..., 3:]
            straight[..., :3] = np.where(alpha > 0, image[..., :3] / np.where(alpha > 0, alpha, 1.0), 0.0)
        yield (straight * 255 + 0.5).clip(0, 255).astype(np.uint8)


def convert(source: DataSet, destination: Path, levels: int = 4, parity: bool = False) -> DataSet:
    """Writes the multi-scale set of a data set of undistorted pictures and reads it back.

    Times and masks are not part of the format and are left out. `metadata.json` is written last, so a broken
    conversion is no data set. Raises UserError `dataset.bad`, `dataset.picture` or `output.unusable`.
    """
    if not 1 <= levels <= MAX_LEVELS:
        raise bad(f"{levels} levels are asked for.", f"Ask for 1 to {MAX_LEVELS} levels.")
    content: dict[str, Any] = {"up": source.up.tolist(), "background": source.background}
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UserError(
            "output.unusable", f"{str(destination)!r} is there and not empty.", hint="Name a new folder."
        )
    try:
        for split in SPLITS:
            lists: dict[str, list[Any]] = {key: [] for key in (*_LISTS, "pix2cam")}
            for number_, frame in enumerate(source.of(split)):
                picture = pictures.load(frame)
                lens = _halvable(frame, picture, levels)
                for level, image in enumerate(levels_of(picture, levels, parity)):
                    name = f"images_{split}/{number_:03d}_d{level}.png"
                    (destination / name).parent.mkdir(parents=True, exist_ok=True)
                    (destination / name).write_bytes(png.write(image))
                    _append(lists, name, frame.world_from_camera, lens, level, source)
            content[split] = lists
        (destination / FILE).write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
    except OSError as error:
        raise UserError(
            "output.unusable",
            f"{str(destination)!r} cannot be written: {error.strerror or error}.",
            hint="Name another folder, or free some space.",
        ) from error
    return read(destination)


def _halvable(frame: Frame, picture: NDArray[np.uint8], levels: int) -> Lens:
    height, width = picture.shape[:2]
    if width % (1 << levels - 1) or height % (1 << levels - 1):
        raise bad(
            f"{frame.name!r} of {width} x {height} pixels cannot be halved {levels - 1} times.",
            "Ask for fewer levels, or crop the pictures.",
        )
    if any(frame.lens.distortion):
        raise bad(f"{frame.name!r} has a distorted lens, which the format cannot say.", "Undistort first.")
    return frame.lens.resized(width, height)


def _append(
    lists: dict[str, list[Any]], name: str, pose: Floats, lens: Lens, level: int, source: DataSet
) -> None:
    small = lens.resized(lens.width >> level, lens.height >> level)
    values = (name, pose.tolist(), small.width, small.height, small.focal_x, level, source.near, source.far)
    for key, value in zip(_LISTS, (*values, 4.0**level), strict=True):
        lists[key].append(value)
    x, y = 1.0 / small.focal_x, 1.0 / small.focal_y
    lists["pix2cam"].append([[x, 0.0, -small.centre_x * x], [0.0, -y, small.centre_y * y], [0.0, 0.0, -1.0]])
