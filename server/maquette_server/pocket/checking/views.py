"""Views of given things from cameras of the check's own: whole things from the side, or close-ups."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from ...cameras import pinhole
from ...rasterise.embree import EmbreeRasteriser
from ...training import seeds
from ..drawing.buffers import SIDE, Views, view_word
from ..drawing.shapes import FAMILIES

_NAMES = [family.name for family in FAMILIES]
_FOV = math.radians(40)
_CLOSE_EVERY = 5  # one view in so many is a close-up, when asked for


def cast(families: Sequence[str], seed: int, close: bool = False) -> Views:
    """One view of a new thing of each family named, [V]; `close`: one in five is a close-up."""
    rng = seeds.generator(seed, "check views")
    axes, pixels, places, normals, seen = [], [], [], [], []
    for number, name in enumerate(families):
        positions, triangles = FAMILIES[_NAMES.index(name)].build(rng)
        azimuth, elevation = rng.uniform(0, 360), rng.uniform(-10, 40)
        near = close and number % _CLOSE_EVERY == 0
        camera = _camera(azimuth, elevation, rng.uniform(1.3, 1.9) if near else rng.uniform(0.8, 1.0))
        raster = EmbreeRasteriser(positions, triangles).rasterise(camera)
        face = raster.face.reshape(-1)
        hit = np.flatnonzero(face >= 0)
        corners = positions[triangles[face[hit]]]  # [P, 3, 3]
        bary = raster.bary.reshape(-1, 2)[hit]
        place = np.einsum("pk,pkc->pc", np.stack([1 - bary.sum(1), bary[:, 0], bary[:, 1]], 1), corners)
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True).clip(1e-12)
        away = ((place - camera.position) * normal).sum(1) > 0
        normal[away] *= -1
        axes.append(camera.world_from_camera[:3, :3].T)
        pixels.append(hit.astype(np.int16))
        places.append(place.astype(np.float16))
        normals.append(np.rint(127 * normal).astype(np.int8))
        seen.append(view_word(azimuth, elevation))
    return Views(
        family=torch.tensor([_NAMES.index(name) for name in families]),
        word=torch.tensor(seen),
        axes=torch.tensor(np.array(axes), dtype=torch.float32),
        start=torch.tensor(np.cumsum([0, *(len(each) for each in pixels)])),
        pixel=torch.from_numpy(np.concatenate(pixels)),
        place=torch.from_numpy(np.concatenate(places)),
        normal=torch.from_numpy(np.concatenate(normals)),
    )


def _camera(azimuth: float, elevation: float, filled: float) -> pinhole.Pinhole:
    """Looks at the middle; `filled` is the unit ball's diameter over the frame."""
    a, e = math.radians(azimuth), math.radians(elevation)
    towards = np.array([math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)])
    distance = 1 / math.sin(math.atan(math.tan(_FOV / 2) * filled))
    matrix = pinhole.look_at(distance * towards, np.zeros(3), np.array([0.0, 1.0, 0.0]))
    return pinhole.Pinhole.from_fov(matrix, _FOV, SIDE, SIDE)
