"""What the latent texture is before the first step: plain grey with a little noise, the released reddish
noise, or an existing texture seen through the autoencoder."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...baking import pauses, surface, views
from ...cameras.pinhole import Pinhole
from ...guidance import latent_rgb, loading
from ...rasterise.base import Rasteriser
from ...rendering import textured_mesh

_NOISE = 0.1
_RELEASED_NOISE, _RELEASED_COLOUR = 0.4, 0.3
_BEHIND = 0.5  # grey behind the object while its texture is encoded


def plain(model: loading.TextToImage, side: int, generator: torch.Generator) -> Tensor:
    """[1, C, side, side]: the latents of mid grey, plus noise of 0.1."""
    pixels = model.sample_size * model.factor
    grey = torch.full((1, 3, pixels, pixels), 0.5, device=model.device)
    with torch.no_grad():
        flat = model.bridge.to_latents(grey, sample=False).mean((2, 3), keepdim=True)
    noise = torch.randn(1, model.channels, side, side, generator=generator, device=model.device)
    return flat + _NOISE * noise


def released(channels: int, side: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """0.3 z_red + 0.4 noise (released code of arXiv:2211.07600); z_red is the latent of red by the ridge
    inverse.
    """
    noise = torch.randn(1, channels, side, side, generator=generator, device=device)
    red = torch.zeros(channels, device=device)
    known = latent_rgb.inverse(torch.tensor(latent_rgb.STABLE_DIFFUSION))[0]
    red[: min(channels, 4)] = known[: min(channels, 4)]
    return _RELEASED_COLOUR * red.reshape(1, -1, 1, 1) + _RELEASED_NOISE * noise


def of_texture(
    model: loading.TextToImage,
    drawn: textured_mesh.TexturedMesh,
    rasteriser: Rasteriser,
    texels: surface.SurfaceTexels,
    cameras: list[Pinhole],
    diagonal: float,
) -> pauses.Pausing[Tensor]:
    """[1, C, S, S]: views of the textured object are encoded, and their latents painted back onto the atlas;
    pauses after each.

    texels: of the latent texture.  cameras: with n f pixels.
    """
    accumulator = views.Accumulator(texels, model.channels, diagonal)
    for camera in cameras:
        rgba, _ = drawn.draw(camera)
        with torch.no_grad():
            latents = model.bridge.to_latents(_over_grey(rgba, model.device), sample=False)
        picture = latents[0].movedim(0, -1).float().cpu().numpy()
        accumulator.add(picture, camera, rasteriser.rasterise(camera), (0.0, float(model.factor)))
        yield
    texture, _ = yield from accumulator.finish()
    return torch.from_numpy(texture).movedim(-1, 0)[None].to(model.device)


def _over_grey(rgba: NDArray[np.uint8], device: torch.device) -> Tensor:
    picture = torch.from_numpy(rgba).to(device).float().movedim(-1, 0)[None] / 255
    return picture[:, :3] * picture[:, 3:] + _BEHIND * (1 - picture[:, 3:])
