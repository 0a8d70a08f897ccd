"""Folders of scenes, as `maquette reconstruct` and `edit` write them, as Blender takes them in. No bpy.

The cameras of such a folder are those of a data set; its field and all else go to the server as they are.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import camera_models, transforms
from .wire import errors

RECORD = "scene.json"
CAMERAS = "cameras.json"
PARTS = ("images", "masks", "depths", "edited", "checkpoints", "moments")
MODELS = {"pinhole": "PINHOLE", "opencv": "OPENCV", "fisheye": transforms.FISHEYE}
TERMS = {"pinhole": (), "opencv": transforms.DISTORTION, "fisheye": transforms.DISTORTION[:4]}
MOST_FILES = 20_000
_AGAIN = "Choose a folder that maquette reconstruct or edit has written."


def name_of(folder: Path) -> str:
    """What the scene is called."""
    return str(_object(folder / RECORD).get("name") or folder.name)


def read(folder: Path) -> transforms.Capture:
    """Its cameras. Raises UserError `scene.bad`, `dataset.bad`."""
    record = _object(folder / RECORD)
    rows = _object(folder / CAMERAS).get("frames")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise _bad(f"'{folder.name}' has no cameras.")
    if len(rows) > transforms.MOST_FRAMES:
        raise _bad(f"'{folder.name}' has more than {transforms.MOST_FRAMES} cameras.")
    frames = [_frame(row, f"Camera {place + 1} of '{CAMERAS}'") for place, row in enumerate(rows)]
    header = {
        key: record[key] for key in ("up", "background", "near", "far", "aabb") if record.get(key) is not None
    }
    notes = transforms.lens_notes(frames)
    pictures = any(row.get("image") for row in rows)
    up = transforms.up_of(header, frames, [])
    return transforms.Capture(
        name_of(folder), folder.resolve() if pictures else None, frames, header, up, notes
    )


def files(folder: Path) -> dict[str, Path]:
    """What is sent of it, by paths below the folder. Raises UserError `scene.bad`."""
    found = {name: folder / name for name in (RECORD, CAMERAS, "preview.png")}
    for part in PARTS:
        for place in sorted((folder / part).rglob("*")):
            path = place.relative_to(folder)
            if not any(piece.startswith(".") for piece in path.parts):
                found[path.as_posix()] = place
    found = {path: place for path, place in found.items() if place.is_file()}
    if len(found) > MOST_FILES:
        raise _bad(f"'{folder.name}' has more than {MOST_FILES} files.")
    return found


def lens_of(row: Mapping[str, Any], what: str) -> transforms.Lens:
    """The lens of a row of cameras.json. Raises UserError `scene.bad`, `dataset.bad`."""
    model = str(row.get("camera_model", "pinhole"))
    terms = row.get("distortion", ())
    if model not in MODELS or not isinstance(terms, list | tuple) or len(terms) != len(TERMS[model]):
        raise _bad(f"{what} has a lens that this version does not know.")
    entry = {key: row.get(key) for key in ("w", "h", "fl_x", "fl_y", "cx", "cy")}
    entry |= {"camera_model": MODELS[model], **dict(zip(TERMS[model], terms, strict=True))}
    return transforms.lens_of(entry, CAMERAS, lambda: None)


def _frame(row: Mapping[str, Any], what: str) -> transforms.Frame:
    name = row.get("image") or f"{row.get('id')}.png"
    if not isinstance(name, str) or not transforms.is_inside(name) or name.startswith("/"):
        raise _bad(f"{what} has a picture outside of the scene's folder.")
    lens = lens_of(row, what)
    pose = camera_models.rigid(row.get("transform_matrix"), what)
    kept = {"file_path": name, "transform_matrix": pose.tolist(), **transforms.intrinsics(lens)}
    kept |= {"mask_path": row["mask"]} if row.get("mask") else {}
    split = row.get("split")
    return transforms.Frame(name, pose, lens, split if split in transforms.SPLITS else "", kept)


def _object(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > transforms.MOST_BYTES:
            raise _bad(f"'{path.name}' is larger than {transforms.MOST_BYTES >> 20} MiB.")
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _bad(f"'{path.parent.name}' is no scene: it holds no {path.name}.") from error
    except (ValueError, RecursionError) as error:
        raise _bad(f"'{path.name}' cannot be read as JSON: {error}.") from error
    if not isinstance(found, dict):
        raise _bad(f"'{path.name}' holds no JSON object.")
    return found


def _bad(sentence: str) -> errors.UserError:
    return errors.UserError("scene.bad", sentence, hint=_AGAIN)
