"""Pictures after an instruction, by a model of InstructPix2Pix's kind (arXiv:2211.09800).

The edit of a *start* (a render, partly noised) is conditioned on an *original*, the un-edited picture of the
same view. B pictures, colours sRGB in 0..1, [B, 3, H, W], sides multiples of the model's stride. Every call
of the network is a pause, so that a job can be stopped between two of them.
"""

from collections.abc import Generator
from dataclasses import dataclass

import torch
from torch import Tensor

from . import denoiser as denoising
from . import sampling
from .loading import InstructEdit

BRANCHES = 3  # of the network's batch: instruction and picture, picture alone, neither


@dataclass(frozen=True)
class Strength:
    """How far an edit goes."""

    text: float  # scale of the guidance by the instruction
    image: float  # scale of the guidance by the original
    top: int  # timesteps below which the start is noised, see `sampling.leading`
    steps: int  # calls of the network


class InstructionEditor:
    """A loaded model with one instruction, embedded once."""

    def __init__(self, model: InstructEdit, instruction: str, *, shared: bool = False) -> None:
        """shared: the views of a batch share their keys and values with its first one."""
        self.model = model
        nothing = model.text.embed("")
        self._embeddings = torch.cat([model.text.embed(instruction), nothing, nothing])  # [3, N, D]
        self._denoiser = model.sharing if shared else model.denoiser

    def condition(self, originals: Tensor) -> Tensor:
        """What the model sees of originals: latents [B, C, h, w], the posterior's mode, not scaled."""
        with torch.no_grad():
            return self.model.bridge.to_condition(originals)

    def round_trip(self, pictures: Tensor) -> Tensor:
        """What the autoencoder alone makes of pictures."""
        bridge = self.model.bridge
        with torch.no_grad():
            return bridge.to_rgb(bridge.to_latents(pictures, sample=False))

    def edit(
        self,
        starts: Tensor,
        conditions: Tensor,
        strength: Strength,
        generators: list[torch.Generator],
    ) -> Generator[None, None, Tensor]:
        """Edited pictures [B, 3, H, W].

        conditions: of `condition`.  generators: one a picture, for what is drawn for it, on its device.
        """
        if not len(starts) == len(conditions) == len(generators):
            raise ValueError(
                f"{len(starts)} starts, {len(conditions)} conditions and {len(generators)} generators"
            )
        bridge, network = self.model.bridge, self._denoiser
        grid = sampling.leading(min(strength.top, network.train_timesteps), strength.steps)
        with torch.no_grad():
            latents = torch.cat(
                [
                    bridge.to_latents(one[None], generator=each)
                    for one, each in zip(starts, generators, strict=True)
                ]
            )
            noise = torch.cat(
                [
                    torch.randn(one[None].shape, generator=each, device=one.device)
                    for one, each in zip(latents, generators, strict=True)
                ]
            )
            abar = network.alphas_cumprod[grid.timesteps[0]]
            latents = denoising.noisy(latents, noise, abar)
        yield
        given = torch.cat([conditions, conditions, torch.zeros_like(conditions)])
        words = self._embeddings.repeat_interleave(len(starts), 0)
        for timestep in grid.timesteps:
            with torch.no_grad():
                latents = self._step(latents, given, words, timestep, grid.spacing, strength)
            yield
        with torch.no_grad():
            return torch.cat([bridge.to_rgb(one[None]) for one in latents])

    def _step(
        self,
        latents: Tensor,
        given: Tensor,
        words: Tensor,
        timestep: int,
        spacing: int,
        strength: Strength,
    ) -> Tensor:
        network = self._denoiser
        timesteps = torch.full((len(given),), timestep, device=latents.device)
        predicted = network.predict_noise(latents.repeat(BRANCHES, 1, 1, 1), timesteps, words, given)
        text, image, nothing = predicted.chunk(BRANCHES)
        noise = sampling.three_way(text, image, nothing, strength.text, strength.image)
        abar = network.alphas_cumprod[timestep]
        abar_next = sampling.abar_at(network.alphas_cumprod, timestep - spacing, network.final_abar)
        return sampling.ddim(latents, noise, abar, abar_next)
