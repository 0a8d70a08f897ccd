"""A diffusion model's network as one function: noisy latents and a timestep in, predicted noise out.

B pictures, C latent channels, h x w latents. abar is the cumulative product of (1 - beta). Whatever the
network was trained to predict is turned into noise here, and nowhere else: nothing after this module knows
about prediction types.
"""

from typing import Literal

import torch
from torch import Tensor

Prediction = Literal["epsilon", "v_prediction", "sample"]


def noisy(latents: Tensor, noise: Tensor, abar: Tensor) -> Tensor:
    """z_t = sqrt(abar) z + sqrt(1 - abar) eps; abar [B] or broadcastable."""
    abar = abar.reshape(-1, 1, 1, 1)
    return abar.sqrt() * latents + (1 - abar).sqrt() * noise


def noise_of(output: Tensor, z_t: Tensor, abar: Tensor, prediction: Prediction) -> Tensor:
    """The noise that the network's output stands for (arXiv:2202.00512, appendix D). All [B, C, h, w]; abar
    [B].
    """
    if prediction == "epsilon":
        return output
    abar = abar.reshape(-1, 1, 1, 1)
    if prediction == "v_prediction":
        return abar.sqrt() * output + (1 - abar).sqrt() * z_t
    return (z_t - abar.sqrt() * output) / (1 - abar).sqrt()


def clean_of(noise: Tensor, z_t: Tensor, abar: Tensor) -> Tensor:
    """x0 = (z_t - sqrt(1 - abar) eps) / sqrt(abar)."""
    abar = abar.reshape(-1, 1, 1, 1)
    return (z_t - (1 - abar).sqrt() * noise) / abar.sqrt()


class Denoiser:
    """The network, its noise table and its prediction type."""

    def __init__(
        self,
        unet: torch.nn.Module,
        alphas_cumprod: Tensor,
        prediction: Prediction,
        dtype: torch.dtype,
        final_abar: float = 1.0,
    ) -> None:
        """alphas_cumprod: [T], float32 or better, on the network's device.  final_abar: after the last step
        of sampling.
        """
        self.unet = unet
        self.alphas_cumprod = alphas_cumprod
        self.final_abar = final_abar
        self.prediction = prediction
        self.dtype = dtype

    @property
    def train_timesteps(self) -> int:
        """T."""
        return len(self.alphas_cumprod)

    @torch.no_grad()
    def predict_noise(
        self, z_t: Tensor, timesteps: Tensor, embeddings: Tensor, condition: Tensor | None = None
    ) -> Tensor:
        """Predicted noise [B, C, h, w] in the dtype of `z_t`.

        z_t: [B, C, h, w].  timesteps: [B] integers.  embeddings: [B, N, D] text tokens.  condition:
        [B, K, h, w], further channels of a network that takes a picture.
        """
        given = z_t if condition is None else torch.cat([z_t, condition], 1)
        output = self.unet(
            given.to(self.dtype),
            timesteps,
            encoder_hidden_states=embeddings.to(self.dtype),
            return_dict=False,
        )[0].to(z_t.dtype)
        return noise_of(output, z_t, self.alphas_cumprod[timesteps].to(z_t.dtype), self.prediction)
