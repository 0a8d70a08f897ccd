"""The synthetic scenes of NeRF: `transforms_{train,val,test}.json`, z up, transparent pictures over white.

A frame's `file_path` has no ending (`.png` is meant), its focal length is `camera_angle_x` (radians). Files
of the same name that other exporters write may state full intrinsics; these are followed.
"""

from pathlib import Path

import numpy as np

from ..cameras.lens import Lens
from . import scale
from .base import SPLITS, DataSet, Frame, bad, first_header, found, load_json, near_and_far, unit
from .nerfstudio import frame_of, lens_of, rows_of

NEAR, FAR = 2.0, 6.0  # of the published scenes, whose cameras stand about 4 away


def file_of(split: str) -> str:
    return f"transforms_{split}.json"


def read(folder: Path) -> DataSet:
    """The data set of a folder with at least one such file. Raises UserError `dataset.bad`."""
    frames: list[Frame] = []
    notes: list[str] = []
    stated: tuple[float | None, float | None] = (None, None)
    up = np.array([0.0, 0.0, 1.0])
    lenses: dict[Lens, Lens] = {}
    for split in SPLITS:
        file = file_of(split)
        if not (folder / file).is_file():
            continue
        fields = load_json(folder / file)
        rows = rows_of(fields, file)
        size = first_header(found(folder, path)[1] for path, _ in rows)
        for path, entry in rows:
            lens = lens_of(fields, entry, file, size)
            frames.append(frame_of(folder, path, entry, file, lenses.setdefault(lens, lens), split))
        near_far = near_and_far(fields, file)
        stated = near_far if near_far[0] is not None else stated
        up = unit(fields["up"], f"up of {file!r}") if fields.get("up") is not None else up
    if not frames:
        raise bad(f"{folder.name!r} has none of transforms_train.json, _val.json, _test.json.")
    if stated[0] is None:
        focus = scale.focus_point(frames)
        middle = None if focus is None else float(np.median(scale.distances(frames, focus)))
        if middle is not None and NEAR < middle < FAR:
            stated = NEAR, FAR
        else:
            notes.append(
                "The cameras do not stand 2 to 6 away from what they look at, so near and far are open."
            )
    first = first_header(frame.image for frame in frames)()
    background = "white" if first is not None and first[2] else None
    return DataSet(folder, "blender", tuple(frames), up, *stated, background, notes=tuple(notes))
