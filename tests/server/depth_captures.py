"""The ball of `ball_captures` with the depths that are known of it in closed form, as data sets."""

import dataclasses
from pathlib import Path
from typing import Any

import ball_captures
import numpy as np
from maquette_server.datasets import writing
from maquette_server.datasets.base import DataSet
from maquette_server.media import exr
from numpy.typing import NDArray


def write(folder: Path, count: int, without: tuple[int, ...] = (), **options: Any) -> DataSet:
    """Pictures and a float EXR for each, except those numbers."""
    made = ball_captures.write(folder, count, **options)
    (folder / "depths").mkdir()
    frames = list(made.frames)
    for number, frame in enumerate(made.frames):
        if number not in without:
            path = folder / "depths" / f"{number:03d}.exr"
            exr.save(path, depth(frame.world_from_camera, frame.lens))
            frames[number] = dataclasses.replace(frame, depth=path)
    made = dataclasses.replace(made, frames=tuple(frames))
    writing.write(made, folder)
    return made


def depth(pose: NDArray[np.float64], lens: Any) -> NDArray[np.float32]:
    """[H, W], infinite beside the ball."""
    return ball_captures.depth(pose, lens).astype(np.float32)
