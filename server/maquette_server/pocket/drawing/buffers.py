"""What a camera sees of each thing before it is painted: places and normals per pixel, cast once by Embree.

A view is drawn at twice the side of a picture and averaged down after shading. Only the pixels that hit are
kept, one view after another.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...cameras import pinhole
from ...rasterise.embree import EmbreeRasteriser
from ...training import seeds
from .shapes import FAMILIES

PICTURE = 64  # pixels a side of a training picture
_OVER = 2  # samples a pixel along each axis
SIDE = PICTURE * _OVER
_VIEWS_A_MESH = 4
_FEWEST = 0.06  # of the frame; a view that shows less is drawn again
_NORMAL_STEPS = 127

VIEW_WORDS = ("front", "side", "back", "overhead", "bottom")


@dataclass(frozen=True)
class Views:
    """V views in one heap of P pixels."""

    family: Tensor  # [V] int64, index into `shapes.FAMILIES`
    word: Tensor  # [V] int64, index into VIEW_WORDS
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

    def save(self, path: Path) -> None:
        """As safetensors."""
        save_file({name: getattr(self, name).contiguous() for name in self.__dataclass_fields__}, path)

    @classmethod
    def load(cls, path: Path) -> "Views":
        """What `save` wrote."""
        return cls(**load_file(path))


def view_word(azimuth: float, elevation: float) -> int:
    """Index into VIEW_WORDS, by Latent-NeRF's angles; degrees, azimuth 0 looks at the front (+z)."""
    if elevation > 60:
        return 3
    if elevation < -50:
        return 4
    turned = azimuth % 360
    if turned < 45 or turned >= 315:
        return 0
    return 2 if 135 <= turned < 225 else 1


def render(count: int, seed: int) -> Views:
    """That many views of things of all families by their weights, a third of them close-ups."""
    rng = seeds.generator(seed, "views")
    weights = np.array([family.weight for family in FAMILIES])
    weights = weights / weights.sum()
    rows: list[
        tuple[int, int, NDArray[np.float64], NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]
    ] = []
    while len(rows) < count:
        family = int(rng.choice(len(FAMILIES), p=weights))
        positions, triangles = FAMILIES[family].build(rng)
        scene = EmbreeRasteriser(positions, triangles)
        normals = _face_normals(positions, triangles)
        for _ in range(_VIEWS_A_MESH):
            azimuth, elevation, camera = _camera(rng)
            raster = scene.rasterise(camera)
            face = raster.face.reshape(-1)
            pixels = np.flatnonzero(face >= 0)
            if len(pixels) < _FEWEST * SIDE * SIDE:
                continue
            bary = raster.bary.reshape(-1, 2)[pixels]
            corners = positions[triangles[face[pixels]]]
            weight = np.stack([1 - bary.sum(1), bary[:, 0], bary[:, 1]], 1)
            place = np.einsum("pk,pkc->pc", weight, corners)
            normal = normals[face[pixels]]
            behind = ((place - camera.position) * normal).sum(1) > 0
            normal = np.where(behind[:, None], -normal, normal)
            rows.append(
                (
                    family,
                    view_word(azimuth, elevation),
                    camera.world_from_camera[:3, :3].T,
                    pixels,
                    place,
                    normal,
                )
            )
    del rows[count:]
    lengths = [len(row[3]) for row in rows]
    return Views(
        family=torch.tensor([row[0] for row in rows]),
        word=torch.tensor([row[1] for row in rows]),
        axes=torch.tensor(np.array([row[2] for row in rows]), dtype=torch.float32),
        start=torch.tensor(np.concatenate([[0], np.cumsum(lengths)]), dtype=torch.int64),
        pixel=torch.from_numpy(np.concatenate([row[3] for row in rows]).astype(np.int16)),
        place=torch.from_numpy(np.concatenate([row[4] for row in rows]).astype(np.float16)),
        normal=torch.from_numpy(
            np.rint(np.concatenate([row[5] for row in rows]) * _NORMAL_STEPS).astype(np.int8)
        ),
    )


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
    a, e = math.radians(azimuth), math.radians(elevation)
    towards = np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
    eye = target + max(distance, 1.35) * towards
    matrix = pinhole.look_at(eye, target, np.array([0.0, 1.0, 0.0]))
    return azimuth, elevation, pinhole.Pinhole.from_fov(matrix, fov, SIDE, SIDE)


def _face_normals(positions: NDArray[np.float32], triangles: NDArray[np.int32]) -> NDArray[np.float32]:
    corners = positions[triangles]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    return normal / np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-12)
