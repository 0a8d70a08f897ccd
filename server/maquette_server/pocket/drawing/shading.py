"""Light on a surface: Lambert and sky for most things, a stylised reflection for metals.

The light comes from somewhere near the camera, so that nothing is black by shadow alone.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .surfaces import Surface


@dataclass(frozen=True)
class Light:
    """One light a picture."""

    towards: NDArray[np.float32]  # [3] in camera axes, not of unit length
    ambient: float  # share of the light that comes from everywhere


def draw(rng: np.random.Generator) -> Light:
    """A light in front of the thing, from the left or right, seldom from below."""
    towards = np.array([rng.uniform(-0.8, 0.8), rng.uniform(-0.1, 1), rng.uniform(0.5, 1.2)], np.float32)
    return Light(towards, float(rng.uniform(0.5, 0.88)))


def lit(
    surface: Surface, normal: Tensor, axes: Tensor, lights: list[Light], gloss: Tensor, metal: Tensor
) -> Tensor:
    """Colours [N, M, 3] of surfaces seen along the cameras' backward axes.

    normal: [N, M, 3]. axes: [N, 3, 3] of `Views`. gloss: [N], strength of the highlight. metal: [N] bool.
    """
    device = normal.device
    towards = torch.from_numpy(np.stack([light.towards for light in lights])).to(device)
    towards = torch.einsum("nk,nkc->nc", towards, axes)
    towards = towards / towards.norm(dim=-1, keepdim=True)
    ambient = torch.tensor([light.ambient for light in lights], device=device)[:, None]
    backward = axes[:, 2]
    facing = torch.einsum("nmc,nc->nm", normal, towards).clamp(min=0)
    sky = 0.6 + 0.4 * (0.5 + 0.5 * normal[..., 1])
    diffuse = surface.albedo * (ambient * sky + (1 - ambient) * 1.05 * facing)[..., None]
    # the view mirrored at the surface
    mirrored = 2 * torch.einsum("nmc,nc->nm", normal, backward)[..., None] * normal - backward[:, None]
    along = torch.einsum("nmc,nc->nm", mirrored, towards).clamp(min=0)
    colour = diffuse + gloss[:, None, None] * along[..., None] ** 20
    if bool(metal.any()):
        height = 0.5 + 0.5 * mirrored[..., 1]
        room = (0.28 + along**3 + 0.5 * (height > 0.55) * height).clamp(max=1.3)
        polished = surface.albedo * room[..., None] + 0.35 * along[..., None] ** 30
        colour = torch.where(metal[:, None, None], polished, colour)
    if surface.glow is not None:
        colour = torch.maximum(colour, surface.albedo * surface.glow[..., None])
    return colour.clamp(0, 1)
