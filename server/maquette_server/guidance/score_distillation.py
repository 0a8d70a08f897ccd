"""Score distillation: what a diffusion model would change in rendered latents (arXiv:2209.14988,
arXiv:2211.07600).

z are rendered latents in the units the network sees, t a timestep, eps the noise added, s the guidance scale:

    z_t  = sqrt(abar) z + sqrt(1 - abar) eps
    eps^ = eps_u + s (eps_c - eps_u)          eps_u with the empty or negative prompt, eps_c with the prompt
    g    = w(t) (eps^ - eps)                  used as dL/dz; the network's Jacobian is left out

The classifier-only form (arXiv:2310.19415) keeps the guidance term alone: g = w(t) s (eps_c - eps_u).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from . import denoiser as denoising

Weighting = Literal["one", "one_minus_alpha", "sqrt_alpha_one_minus_alpha", "sigma_ratio"]
Form = Literal["sds", "csd"]


def weight(abar: Tensor, weighting: Weighting) -> Tensor:
    """w(t) for abar of any shape. `sqrt_alpha_one_minus_alpha` is the one of the Latent-NeRF paper's code."""
    if weighting == "one":
        return torch.ones_like(abar)
    if weighting == "one_minus_alpha":
        return 1 - abar
    if weighting == "sqrt_alpha_one_minus_alpha":
        return abar.sqrt() * (1 - abar)
    return ((1 - abar) / abar).sqrt()


@dataclass(frozen=True)
class Guidance:
    """A denoiser with the settings of score distillation. Pure: no state, no random numbers of its own."""

    denoiser: denoising.Denoiser
    scale: float
    weighting: Weighting = "sqrt_alpha_one_minus_alpha"
    form: Form = "sds"

    @torch.no_grad()
    def gradient(self, latents: Tensor, timesteps: Tensor, noise: Tensor, embeddings: Tensor) -> Tensor:
        """dL/dz [B, C, h, w]; one network call of batch 2 B.

        latents, noise: [B, C, h, w].  timesteps: [B] integers.  embeddings: [2 B, N, D], the B unconditional
        (or negative) ones first, then the B conditional ones.
        Raises ValueError if the batch sizes do not fit.
        """
        batch = len(latents)
        if noise.shape != latents.shape or len(timesteps) != batch or len(embeddings) != 2 * batch:
            raise ValueError(
                f"latents {tuple(latents.shape)}, noise {tuple(noise.shape)}, {len(timesteps)} timesteps and "
                f"{len(embeddings)} embeddings do not fit"
            )
        abar = self.denoiser.alphas_cumprod[timesteps].to(latents.dtype)
        z_t = denoising.noisy(latents, noise, abar)
        both = self.denoiser.predict_noise(
            torch.cat([z_t, z_t]), torch.cat([timesteps, timesteps]), embeddings
        )
        unconditional, conditional = both.chunk(2)
        direction = conditional - unconditional
        if self.form == "csd":
            difference = self.scale * direction
        else:
            difference = unconditional + self.scale * direction - noise
        return weight(abar, self.weighting).reshape(-1, 1, 1, 1) * difference


def surrogate_loss(latents: Tensor, gradient: Tensor) -> Tensor:
    """A scalar whose derivative with respect to `latents` is `gradient`."""
    return (latents * gradient).sum()
