"""What lies behind an object while a model guides it: latents for the pixels that it does not fill.

`flat`: one random colour a view. `learned`: a small network of the viewing direction, trained with the
texture. `mix`: either, by the toss of a coin. `sphere`: the released code's, random latents on a large
sphere, trained with the texture.
"""

from typing import Protocol

import numpy as np
import torch
import trimesh
from torch import Tensor

from ..cameras.pinhole import Pinhole
from ..guidance import latent_rgb
from ..rasterise import choose
from ..rendering import texture

_FREQUENCIES = 6
_HIDDEN = 64
_SPHERE_RADIUS = 20.0
_SPHERE_SUBDIVISIONS = 4  # 5120 faces


class Background(Protocol):
    """Latents behind the object."""

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """What is trained with the texture, by name."""

    def prepare(self, camera: Pinhole) -> object:
        """Anything worth keeping for this camera."""

    def draw(self, prepared: object, rng: np.random.Generator) -> Tensor:
        """[pixels or 1, C] for a view."""


class Flat:
    """A random flat colour, as latents by the inverse of the model's colour matrix."""

    def __init__(self, latent_from_rgb: Tensor) -> None:
        """latent_from_rgb: [3, C], for colours in [-1, 1]."""
        self._latent_from_rgb = latent_from_rgb

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """None."""
        return {}

    def prepare(self, camera: Pinhole) -> object:
        """Nothing depends on the camera."""
        return None

    def draw(self, prepared: object, rng: np.random.Generator) -> Tensor:
        """[1, C]: half of the time a grey, else any colour."""
        grey = rng.random() < 0.5
        colour = np.full(3, rng.uniform(-0.8, 0.8)) if grey else rng.uniform(-1, 1, 3)
        values = torch.from_numpy(colour.astype(np.float32)).to(self._latent_from_rgb.device)
        return (values @ self._latent_from_rgb)[None]


class Learned:
    """A network from the encoded viewing direction (39 numbers) through 64 hidden units to C latents."""

    def __init__(self, channels: int, device: torch.device, generator: torch.Generator) -> None:
        inputs = 3 + 6 * _FREQUENCIES

        def scaled(rows: int, columns: int) -> torch.nn.Parameter:
            values = torch.randn(rows, columns, generator=generator, device=device) / rows**0.5
            return torch.nn.Parameter(values)

        self._weights = {
            "background.first": scaled(inputs, _HIDDEN),
            "background.second": scaled(_HIDDEN, channels),
        }
        self._device = device

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Both layers."""
        return self._weights

    def prepare(self, camera: Pinhole) -> Tensor:
        """Encoded directions [n * n, 39] of the camera's pixels."""
        directions = camera.ray_directions().reshape(-1, 3)
        unit = torch.from_numpy(directions / np.linalg.norm(directions, axis=1, keepdims=True)).float()
        waves = [unit * 2**k for k in range(_FREQUENCIES)]
        return torch.cat([unit, *[f(w) for w in waves for f in (torch.sin, torch.cos)]], 1).to(self._device)

    def draw(self, prepared: object, rng: np.random.Generator) -> Tensor:
        """[n * n, C]."""
        assert isinstance(prepared, Tensor)
        hidden = torch.relu(prepared @ self._weights["background.first"])
        return hidden @ self._weights["background.second"]


class Mix:
    """Flat or learned, half and half."""

    def __init__(self, flat: Flat, learned: Learned) -> None:
        self._flat, self._learned = flat, learned

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """Those of the learned one."""
        return self._learned.parameters()

    def prepare(self, camera: Pinhole) -> object:
        """For the learned one."""
        return self._learned.prepare(camera)

    def draw(self, prepared: object, rng: np.random.Generator) -> Tensor:
        """One of the two."""
        return (self._flat if rng.random() < 0.5 else self._learned).draw(prepared, rng)


class Sphere:
    """Latents at the corners of a sphere of radius 20 around everything (released code of
    arXiv:2211.07600).
    """

    def __init__(
        self, channels: int, device: torch.device, generator: torch.Generator, rasteriser: str
    ) -> None:
        sphere = trimesh.creation.icosphere(subdivisions=_SPHERE_SUBDIVISIONS, radius=_SPHERE_RADIUS)
        self._rasteriser = choose.make(
            rasteriser, sphere.vertices.astype(np.float32), sphere.faces.astype(np.int32), str(device)
        )
        corners = torch.rand(3 * len(sphere.faces), channels, generator=generator, device=device)
        self._corners = torch.nn.Parameter(corners)
        self._device = device

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """The corner latents [3 * 5120, C]."""
        return {"background.corners": self._corners}

    def prepare(self, camera: Pinhole) -> texture.Lookup:
        """Which corners each pixel lies between."""
        raster = self._rasteriser.rasterise(camera)
        face = torch.from_numpy(np.maximum(raster.face, 0).reshape(-1, 1).astype(np.int64))
        second = torch.from_numpy(raster.bary.reshape(-1, 2))
        weight = torch.cat([1 - second.sum(1, keepdim=True), second], 1)
        return texture.Lookup((face * 3 + torch.arange(3)).to(self._device), weight.to(self._device))

    def draw(self, prepared: object, rng: np.random.Generator) -> Tensor:
        """[n * n, C]."""
        assert isinstance(prepared, texture.Lookup)
        return prepared.render(self._corners)


def make(
    kind: str, matrix: Tensor, device: torch.device, generator: torch.Generator, rasteriser: str
) -> Background:
    """The background of a job; `matrix` [C, 3] is the model's latent-to-colour map."""
    channels = len(matrix)
    if kind == "sphere":
        return Sphere(channels, device, generator, rasteriser)
    flat = Flat(latent_rgb.inverse(matrix).to(device))
    if kind == "flat":
        return flat
    learned = Learned(channels, device, generator)
    return learned if kind == "learned" else Mix(flat, learned)
