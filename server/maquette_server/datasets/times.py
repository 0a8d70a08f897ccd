"""When each picture of a film was shown, for data sets whose own files cannot say it (COLMAP's, LLFF's).

`times.json` is {"times": {"images/00000.jpg": seconds, ...}}, with names below the data set's folder.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from .base import DataSet, bad, load_json, number

FILE = "times.json"


def write(times: Mapping[str, float], folder: Path) -> None:
    """Writes times.json. Raises OSError."""
    text = json.dumps({"times": dict(times)}, indent=1, allow_nan=False)
    (folder / FILE).write_text(text, encoding="utf-8")


def attached(dataset: DataSet) -> DataSet:
    """The data set with the times of its folder's times.json, where that is there and a frame has none.

    Raises UserError `dataset.bad` for a file that is none.
    """
    path = dataset.folder / FILE
    if not path.is_file():
        return dataset
    times = load_json(path).get("times")
    if not isinstance(times, dict):
        raise bad(f"{FILE!r} has no list of times.", "Delete it, or write the frames again.")
    frames = tuple(
        replace(frame, time=number(times[frame.name], f"The time of {frame.name!r} in {FILE!r}"))
        if frame.time is None and frame.name in times
        else frame
        for frame in dataset.frames
    )
    return replace(dataset, frames=frames)
