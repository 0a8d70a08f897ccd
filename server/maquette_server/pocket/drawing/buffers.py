"""What a camera sees of each thing before it is painted: places and normals per pixel, cast once by Embree.

A view is drawn at twice the side of a picture and averaged down after shading. Only the pixels that hit are
kept, one view after another.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from ...cameras import pinhole, sampling
from ...rasterise.embree import EmbreeRasteriser
from ...training import seeds
from .shapes import FAMILIES

PICTURE = 64  # pixels a side of a training picture
_OVER = 2  # samples a pixel along each axis
SIDE = PICTURE * _OVER
_VIEWS_A_MESH = 4
_FEWEST = 0.06  # of the frame; a view that shows less is drawn again
_NORMAL_STEPS = 127


@dataclass(frozen=True)
class Seen:
    """What one camera sees of one thing."""

    family: int
    word: int
    axes: NDArray[np.float64]  # [3, 3]
    pixel: NDArray[np.int64]  # [P]
    place: NDArray[np.float64]  # [P, 3]
    normal: NDArray[np.float64]  # [P, 3]


@dataclass(frozen=True)
class Views:
    """V views in one heap of P pixels."""

    family: Tensor  # [V] int64, index into `shapes.FAMILIES`
    word: Tensor  # [V] int64, index into `sampling.VIEW_WORDS`
    axes: Tensor  # [V, 3, 3] float32, rows: right, up and backward of the camera, in the thing's axes
    start: Tensor  # [V + 1] int64, where each view's pixels begin
    pixel: Tensor  # [P] int16, row-major in SIDE x SIDE
    place: Tensor  # [P, 3] float16, in the unit ball
    normal: Tensor  # [P, 3] int8, of length 127, towards the camera

    def __len__(self) -> int:
        return len(self.family)

    def hits(self, chosen: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many pixels of each chosen view show the thing."""
        views = torch.from_numpy(chosen)
        return (self.start[views + 1] - self.start[views]).numpy()

    def gathered(self, chosen: NDArray[np.int64], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Places and normals [N, M, 3] of the chosen views' hit pixels, and which pixels they are [N, M].

        M is the most of any; the rest of a row is zero and belongs to the pixel SIDE^2, beyond the picture.
        """
        most = int(self.hits(chosen).max())
        place = torch.zeros(len(chosen), most, 3)
        normal = torch.zeros(len(chosen), most, 3)
        pixel = torch.full((len(chosen), most), SIDE * SIDE)
        for row, view in enumerate(chosen.tolist()):
            part = slice(int(self.start[view]), int(self.start[view + 1]))
            count = part.stop - part.start
            place[row, :count] = self.place[part]
            normal[row, :count] = self.normal[part]
            pixel[row, :count] = self.pixel[part]
        return place.to(device), normal.to(device) / _NORMAL_STEPS, pixel.to(device)

    def tensors(self) -> dict[str, Tensor]:
        """By name, to be kept in a file."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def load(cls, path: Path) -> "Views":
        """From a safetensors file of `tensors`."""
        return cls(**load_file(path))


class Thing:
    """One thing of a family, ready to be looked at from anywhere."""

    def __init__(self, family: int, rng: np.random.Generator) -> None:
        self._family = family
        self._positions, self._triangles = FAMILIES[family].build(rng)
        self._scene = EmbreeRasteriser(self._positions, self._triangles)

    def seen(self, azimuth: float, elevation: float, camera: pinhole.Pinhole) -> Seen:
        """Its pixels under a camera at these angles (degrees; azimuth 0 looks at the front, +z)."""
        raster = self._scene.rasterise(camera)
        face = raster.face.reshape(-1)
        pixel = np.flatnonzero(face >= 0)
        corners = self._positions[self._triangles[face[pixel]]].astype(np.float64)  # [P, 3, 3]
        bary = raster.bary.reshape(-1, 2)[pixel]
        place = np.einsum("pk,pkc->pc", np.stack([1 - bary.sum(1), bary[:, 0], bary[:, 1]], 1), corners)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-12)
        normal[((place - camera.position) * normal).sum(1) > 0] *= -1
        word = sampling.view_word(90 - elevation, azimuth)
        return Seen(self._family, word, camera.world_from_camera[:3, :3].T, pixel, place, normal)


def towards(azimuth: float, elevation: float) -> NDArray[np.float64]:
    """The unit vector from a thing to a camera at these angles in degrees."""
    a, e = math.radians(azimuth), math.radians(elevation)
    return np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])


def stacked(rows: Sequence[Seen]) -> Views:
    """Views as one heap."""
    return Views(
        family=torch.tensor([row.family for row in rows]),
        word=torch.tensor([row.word for row in rows]),
        axes=torch.tensor(np.array([row.axes for row in rows]), dtype=torch.float32),
        start=torch.tensor(np.cumsum([0, *(len(row.pixel) for row in rows)])),
        pixel=torch.from_numpy(np.concatenate([row.pixel for row in rows]).astype(np.int16)),
        place=torch.from_numpy(np.concatenate([row.place for row in rows]).astype(np.float16)),
        normal=torch.from_numpy(
            np.rint(np.concatenate([row.normal for row in rows]) * _NORMAL_STEPS).astype(np.int8)
        ),
    )


def render(count: int, seed: int) -> Views:
    """That many views of things of all families by their weights, a third of them close-ups."""
    rng = seeds.generator(seed, "views")
    weights = np.array([family.weight for family in FAMILIES])
    weights = weights / weights.sum()
    rows: list[Seen] = []
    while len(rows) < count:
        thing = Thing(int(rng.choice(len(FAMILIES), p=weights)), rng)
        views = (thing.seen(*_camera(rng)) for _ in range(_VIEWS_A_MESH))
        rows += [view for view in views if len(view.pixel) >= _FEWEST * SIDE * SIDE]
    return stacked(rows[:count])


def _camera(rng: np.random.Generator) -> tuple[float, float, pinhole.Pinhole]:
    """Azimuth, elevation and a camera that looks at the thing, or closely at a part of it."""
    azimuth = rng.uniform(0, 360)
    kind = rng.random()
    elevation = (
        rng.uniform(-20, 50) if kind < 0.7 else rng.uniform(50, 88) if kind < 0.87 else rng.uniform(-70, -20)
    )
    fov = math.radians(rng.uniform(30, 60))
    close = rng.random() < 0.33
    filled = rng.uniform(1.15, 2.2) if close else rng.uniform(0.6, 1.12)  # the unit ball over the frame
    distance = 1 / math.sin(math.atan(math.tan(fov / 2) * filled))
    target = rng.normal(0, 0.28 if close else 0.03, 3)
    eye = target + max(distance, 1.35) * towards(azimuth, elevation)
    matrix = pinhole.look_at(eye, target, np.array([0.0, 1.0, 0.0]))
    return azimuth, elevation, pinhole.Pinhole.from_fov(matrix, fov, SIDE, SIDE)
