"""Between colours and a model's latents: the autoencoder with its scaling in one place.

Colours are sRGB in 0..1, [B, 3, H, W]. Latents are scaled (what the denoiser sees), [B, C, H/f, W/f].
"""

from typing import Any

import torch
from torch import Tensor


class RgbBridge:
    """Encodes and decodes; differentiable. Scaling and shift are applied here and nowhere else."""

    def __init__(
        self, vae: Any, *, scaling: float, shift: float, channels: int, factor: int, dtype: torch.dtype
    ) -> None:
        self._vae = vae
        self._scaling = scaling
        self._shift = shift
        self.channels = channels
        self.factor = factor
        self.dtype = dtype

    @property
    def device(self) -> torch.device:
        """Where the autoencoder is."""
        return next(self._vae.parameters()).device

    def to_latents(
        self, rgb: Tensor, *, sample: bool = True, generator: torch.Generator | None = None
    ) -> Tensor:
        """Scaled latents [B, C, H/f, W/f] in the dtype of `rgb`; drawn from the posterior, or its mode."""
        encoded = self._vae.encode((rgb * 2 - 1).to(self.dtype))
        if hasattr(encoded, "latent_dist"):
            posterior = encoded.latent_dist
            latents = posterior.sample(generator) if sample else posterior.mode()
        else:  # a tiny autoencoder has no posterior
            latents = encoded.latents
        return (latents.to(rgb.dtype) - self._shift) * self._scaling

    def to_rgb(self, latents: Tensor) -> Tensor:
        """Colours [B, 3, H f, W f] in 0..1 in the dtype of `latents`."""
        decoded = self._vae.decode((latents / self._scaling + self._shift).to(self.dtype), return_dict=False)[
            0
        ]
        return (decoded.to(latents.dtype) / 2 + 0.5).clamp(0, 1)

    def to_condition(self, rgb: Tensor) -> Tensor:
        """What an instruction editor sees of a picture: the posterior's mode, *not* scaled nor shifted
        (arXiv:2211.09800 trained so), in the dtype of `rgb`.
        """
        encoded = self._vae.encode((rgb * 2 - 1).to(self.dtype))
        mode = encoded.latent_dist.mode() if hasattr(encoded, "latent_dist") else encoded.latents
        return mode.to(rgb.dtype)
