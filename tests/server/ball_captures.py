"""Photographs of a coloured ball that are known in closed form, as data sets on the disk.

The ball lies at `MIDDLE` times the size of the scene and has that size as radius; its colour says where on it
one looks. Opaque pictures show a far wall of colours behind it that says in which direction one looks.
"""

import dataclasses
import math
from pathlib import Path
from typing import Any

import captures
import numpy as np
from maquette_server.cameras.lens import Lens
from maquette_server.cameras.pinhole import look_at
from maquette_server.datasets import writing
from maquette_server.datasets.base import DataSet, Frame
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SIDE = 36
MIDDLE = np.array([0.3, -0.2, 0.1])
PINHOLE = Lens(SIDE, SIDE, 46.0, 46.0, SIDE / 2, SIDE / 2)
BARREL = Lens(
    SIDE, SIDE, 46.0, 46.0, SIDE / 2 + 0.5, SIDE / 2, "opencv", (-0.15, 0.02, 0.0, 0.0, 0.002, -0.001)
)


def poses(count: int, size: float = 1.0) -> list[Floats]:
    """Cameras [4, 4] all round the ball, four radii away, none straight above it."""
    found = []
    for i in range(count):
        height = 0.85 - 1.4 * (i + 0.5) / count
        angle = i * math.pi * (3 - math.sqrt(5))
        across = math.sqrt(1 - height * height)
        offset = 4 * np.array([across * math.cos(angle), across * math.sin(angle), height])
        found.append(look_at(size * (MIDDLE + offset), size * MIDDLE, np.array([0.0, 0.0, 1.0])))
    return found


def picture(pose: Floats, lens: Lens, size: float = 1.0, opaque: bool = False) -> NDArray[np.uint8]:
    """What the camera sees: u8 [H, W, 4], straight alpha, or [H, W, 3] with the wall. 3 x 3 rays a pixel."""
    total = np.zeros((lens.height, lens.width, 4))
    shifts = np.array([-1, 0, 1]) / 3
    for shift in np.stack(np.meshgrid(shifts, shifts), -1).reshape(-1, 2):
        directions = lens.directions(lens.pixel_centres() + shift) @ pose[:3, :3].T
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        total += _seen(pose[:3, 3] / size - MIDDLE, directions, opaque)
    total /= 9
    if opaque:
        return (total[..., :3] * 255 + 0.5).astype(np.uint8)
    total[..., :3] /= np.maximum(total[..., 3:], 1e-6)
    return (total.clip(0, 1) * 255 + 0.5).astype(np.uint8)


def _seen(origin: Floats, directions: Floats, opaque: bool) -> Floats:
    """Premultiplied colours [..., 4] of unit directions from a place, the ball being the unit ball."""
    along = directions @ origin
    root = along**2 - origin @ origin + 1
    met = origin + (-along - np.sqrt(np.maximum(root, 0)))[..., None] * directions
    colour = np.where(root[..., None] > 0, 0.5 + 0.4 * np.sin(2 * met), 0.0)
    hit = (root > 0).astype(float)[..., None]
    if opaque:
        colour = np.where(hit > 0, colour, 0.5 + 0.3 * np.cos(3 * directions))
        hit = np.ones_like(hit)
    return np.concatenate([colour, hit], -1)


def depth(pose: Floats, lens: Lens, size: float = 1.0) -> Floats:
    """Distance along the viewing axis [H, W] to the ball; infinite beside it."""
    directions = lens.directions(lens.pixel_centres()) @ pose[:3, :3].T
    lengths = np.linalg.norm(directions, axis=-1)
    origin = pose[:3, 3] / size - MIDDLE
    along = directions @ origin / lengths
    root = along**2 - origin @ origin + 1
    met = -along - np.sqrt(np.maximum(root, 0))
    axis = (directions @ -pose[:3, 2]) / lengths
    return np.where(root > 0, size * met * axis, np.inf)


def write(
    folder: Path,
    count: int = 16,
    size: float = 1.0,
    *,
    lens: Lens = PINHOLE,
    opaque: bool = False,
    held: int = 4,
    **fields: Any,
) -> DataSet:
    """Pictures and transforms.json; the one of every `held` (the third, ...) is for testing."""
    frames = []
    for i, pose in enumerate(poses(count, size)):
        path = captures.save(folder / f"images/{i:03d}.png", picture(pose, lens, size, opaque))
        split = "test" if i % held == held // 2 else "train"
        frames.append(Frame(f"images/{i:03d}.png", path, pose, lens, split=split))
    made = DataSet(folder, "nerfstudio", tuple(frames), np.array([0.0, 0.0, 1.0]), background="white")
    made = dataclasses.replace(made, **fields)
    writing.write(made, folder)
    return made
