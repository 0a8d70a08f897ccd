"""Score distillation over a whole optimisation: which noise level, which words and how strongly at each step.

B pictures of C x h x w latents; the rest as in `guidance.score_distillation`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..guidance import schedules, score_distillation
from . import seeds


@dataclasses.dataclass(frozen=True)
class Schedule:
    """What changes on the way."""

    steps: int
    scale: float  # of the guidance, at first
    scale_end: float  # and at the last step, reached linearly
    timesteps: tuple[float, float]  # lowest and highest, as shares of the model's
    anneal: schedules.Anneal


class Distilling:
    """Asks the diffusion model what it would change; owns the random numbers of that."""

    def __init__(
        self,
        guidance: score_distillation.Guidance,
        embeddings: Sequence[Tensor],
        schedule: Schedule,
        seed: int,
        device: torch.device,
    ) -> None:
        """embeddings: one [2, N, D] a view word, unconditional first.  The schedule's scale counts, not the
        guidance's.
        """
        self._guidance, self._embeddings, self._schedule = guidance, embeddings, schedule
        self._device = device
        self._noise = seeds.torch_generator(seed, "noise", device)
        self._timestep = seeds.generator(seed, "timestep")
        self._dreamtime = schedules.dreamtime_timesteps(
            *schedule.timesteps, schedule.steps, guidance.denoiser.train_timesteps
        )

    def progress(self, step: int) -> float:
        """0 at the first step, 1 at the last."""
        return step / max(self._schedule.steps - 1, 1)

    def gradient(self, latents: Tensor, words: Sequence[int], step: int) -> Tensor:
        """dL/dz [B, C, h, w] of latents [B, C, h, w] that are seen from sides with these view words [B]."""
        chosen = self._schedule
        progress = self.progress(step)
        scale = chosen.scale + progress * (chosen.scale_end - chosen.scale)
        guidance = dataclasses.replace(self._guidance, scale=scale)
        noise = torch.randn(latents.shape, generator=self._noise, device=latents.device)
        timesteps = self._timesteps(step, progress, len(latents))
        return guidance.gradient(latents.detach(), timesteps, noise, self._conditions(words))

    def _timesteps(self, step: int, progress: float, count: int) -> Tensor:
        chosen = self._schedule
        if chosen.anneal == "dreamtime":
            drawn = np.full(count, self._dreamtime[min(step, len(self._dreamtime) - 1)])
        else:
            low, high = schedules.timestep_bounds(
                *chosen.timesteps, chosen.anneal, progress, self._guidance.denoiser.train_timesteps
            )
            drawn = self._timestep.integers(low, high, count, endpoint=True)
        return torch.from_numpy(drawn).to(self._device)

    def _conditions(self, words: Sequence[int]) -> Tensor:
        pairs = [self._embeddings[word] for word in words]
        return pairs[0] if len(pairs) == 1 else torch.stack(pairs, 1).flatten(0, 1)

    def random(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The random generators, for `restore`."""
        return {"random.noise": self._noise.get_state()}, {"timestep": seeds.state_of(self._timestep)}

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """The generators as `random` found them."""
        self._noise.set_state(tensors["random.noise"].cpu())
        seeds.restore(self._timestep, values["timestep"])
