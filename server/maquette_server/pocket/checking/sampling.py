"""Pictures from the weights by diffusers' own pipelines, with nothing of ours between.

Deterministic: DDIM, one thread, and noise that depends on its seed alone. Pictures are [N, 3, S, S] in 0..1,
rounded to eight bits.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler, StableDiffusionInstructPix2PixPipeline, StableDiffusionPipeline
from diffusers.utils import logging as diffusers_logging
from torch import Tensor
from transformers.utils import logging as transformers_logging

from ..learning import card
from ..refusals import Refused

_BATCH = 32


class _Sampled:
    """A folder with its pipeline."""

    _pipeline_of: Any
    _settings_of: tuple[str, dict[str, float]]  # their name in maquette.json, and what is usual

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = _settings(folder, *self._settings_of)

    @cached_property
    def _pipeline(self) -> Any:
        return _loaded(self._pipeline_of, self.folder)

    def round_trip(self, pictures: Tensor) -> Tensor:
        """What the autoencoder alone makes of the pictures."""
        return _round_trip(self._pipeline.vae, pictures)


class Painter(_Sampled):
    """A text-to-image folder."""

    _pipeline_of = StableDiffusionPipeline
    _settings_of = ("sample", card.SAMPLE)

    @torch.no_grad()
    def paint(self, prompts: Sequence[str], seeds: Sequence[int]) -> Tensor:
        """One picture for each prompt with its seed."""
        made = []
        for first in range(0, len(prompts), _BATCH):
            part = slice(first, first + _BATCH)
            made.append(
                self._pipeline(
                    list(prompts[part]),
                    num_inference_steps=int(self.settings["steps"]),
                    guidance_scale=self.settings["guidance_scale"],
                    generator=[torch.Generator().manual_seed(seed) for seed in seeds[part]],
                    output_type="pt",
                ).images
            )
        return _rounded(torch.cat(made))


class Editor(_Sampled):
    """A folder of InstructPix2Pix's form."""

    _pipeline_of = StableDiffusionInstructPix2PixPipeline
    _settings_of = ("edit", card.EDIT)

    @torch.no_grad()
    def edit(self, pictures: Tensor, instructions: Sequence[str], seed: int) -> Tensor:
        """Each picture after its instruction; all start from the same noise."""
        made = []
        for first in range(0, len(pictures), _BATCH):
            part = slice(first, first + _BATCH)
            made.append(
                self._pipeline(
                    list(instructions[part]),
                    image=pictures[part],
                    num_inference_steps=int(self.settings["steps"]),
                    guidance_scale=self.settings["guidance_scale"],
                    image_guidance_scale=self.settings["image_guidance_scale"],
                    generator=[torch.Generator().manual_seed(seed) for _ in instructions[part]],
                    output_type="pt",
                ).images
            )
        return _rounded(torch.cat(made))


def _loaded(pipeline: Any, folder: Path) -> Any:
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    if not (folder / "model_index.json").exists():
        raise Refused(f"'{folder}' holds no model. Give a folder in the form of diffusers.")
    loaded = pipeline.from_pretrained(
        folder,
        dtype=torch.float32,
        local_files_only=True,
        use_safetensors=True,
        safety_checker=None,
        requires_safety_checker=False,
        low_cpu_mem_usage=False,
    )
    loaded.scheduler = DDIMScheduler.from_config(loaded.scheduler.config)
    # a sixth faster on a CPU
    loaded.unet.to(memory_format=torch.channels_last)
    loaded.set_progress_bar_config(disable=True)
    return loaded


@torch.no_grad()
def _round_trip(vae: Any, pictures: Tensor) -> Tensor:
    made = [vae.decode(vae.encode(2 * part - 1).latent_dist.mode()).sample for part in pictures.split(64)]
    return _rounded(torch.cat(made) / 2 + 0.5)


def _settings(folder: Path, name: str, usual: dict[str, float]) -> dict[str, float]:
    """The folder's own word on how it is sampled, beside what is usual."""
    path = folder / "maquette.json"
    said = json.loads(path.read_text(encoding="utf-8")).get(name, {}) if path.exists() else {}
    return usual | {key: float(value) for key, value in said.items() if key in usual}


def _rounded(pictures: Tensor) -> Tensor:
    return (pictures.clamp(0, 1) * 255).round() / 255
