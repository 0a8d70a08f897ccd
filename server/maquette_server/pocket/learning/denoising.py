"""The two denoisers, trained to predict v (arXiv:2202.00512): text to image, and its InstructPix2Pix form.

Predicting epsilon was tried first and dropped: a small error of it becomes a colour cast in the picture that
it implies, 14 times as large at the last timestep. The text encoder is trained along with its denoiser.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from ...training import seeds
from ..drawing import words
from ..refusals import Refused
from . import checkpoints, data, tokenizer
from .latents import Pool
from .optimising import Averaged, channels_last, rate
from .recipe import Denoising

WIDTH = 96  # of a text token
_CHANNELS = (48, 96, 80)
_LOSS_QUARTERS = 4
# Latents deviate by about 1.2; those of one background beside two things differ by 0.03.
_UNCHANGED = 0.12
_KEEPING = 8.0  # how much an error counts where the edit changes nothing


@dataclass(frozen=True)
class Task:
    """What makes the two differ."""

    name: str  # "text_to_image" or "instruct"
    parts: str  # of `data.PARTS`
    inputs: int  # channels of the denoiser
    # Timesteps are 1000 u^spread: below 1 more of the high noise, where the colour is decided, and where an
    # editor must copy its picture, for later steps only carry on what is wrong there.
    spread: float
    # Shares of the samples, beside those that come by chance, in whose sentences a name of `_MARKS` stands.
    # What tells stripes from checks is little of a loss, so that those words are learnt last, and checks last
    # of all; edits of the background are few, and kept the thing worst. The shares fall with the learning
    # rate: by then it is the turn of all else.
    again: Mapping[str, float]
    no_text: float  # shares of the samples that see an empty prompt, no picture, or neither
    no_picture: float = 0.0
    neither: float = 0.0


_MARKS = {**words.PATTERN_WORDS, "background": frozenset({"background"})}
TEXT_TO_IMAGE = Task(
    "text_to_image",
    "captioned",
    4,
    spread=0.6,
    again={"stripes": 0.1, "checks": 0.4, "dots": 0.1},
    no_text=0.12,
)
INSTRUCT = Task(
    "instruct",
    "edited",
    8,
    spread=0.6,
    again={"background": 0.15},
    no_text=0.05,
    no_picture=0.05,
    neither=0.05,
)


def scheduler() -> DDIMScheduler:
    """Stable Diffusion's noise levels; v prediction."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
        timestep_spacing="trailing",
    )


class TextAndDenoiser(nn.Module):
    """What is trained together."""

    def __init__(self, inputs: int, spoken: CLIPTokenizer) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(
            sample_size=16,
            in_channels=inputs,
            out_channels=4,
            layers_per_block=1,
            block_out_channels=_CHANNELS,
            # attention at the top level would double the time of a step
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=4,  # diffusers takes this for the number of heads
            norm_num_groups=8,
            use_linear_projection=True,
        )
        self.text = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(spoken),
                hidden_size=WIDTH,
                intermediate_size=3 * WIDTH,
                num_hidden_layers=2,
                num_attention_heads=4,
                max_position_embeddings=tokenizer.LENGTH,
                hidden_act="quick_gelu",
                bos_token_id=spoken.bos_token_id,
                eos_token_id=spoken.eos_token_id,
                pad_token_id=spoken.pad_token_id,
                projection_dim=WIDTH,
            )
        )

    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        """v [B, 4, 16, 16] for noisy latents [B, inputs, 16, 16], timesteps [B], tokens [B, 32]."""
        said = self.text(tokens).last_hidden_state
        picture = noisy.contiguous(memory_format=torch.channels_last)
        predicted: Tensor = self.unet(picture, timesteps, said, return_dict=False)[0]
        return predicted


def train(
    task: Task, plan: Denoising, seed: int, folder: Path, device: torch.device, save_every: int = 250
) -> Iterator[dict[str, Any]]:
    """Trains to the plan's end, going on from the checkpoint; yields figures at each checkpoint.

    Raises Refused when there is no autoencoder.
    """
    torch.manual_seed(seed)
    if not (folder / "autoencoder" / "vae").is_dir():
        raise Refused(f"'{folder}' holds no autoencoder. Run `train --part autoencoder` first.")
    spoken = tokenizer.load(folder / "tokenizer")
    vae = AutoencoderKL.from_pretrained(
        folder / "autoencoder" / "vae", local_files_only=True, low_cpu_mem_usage=False
    )
    vae = channels_last(vae.eval().requires_grad_(False).to(device))
    model = channels_last(TextAndDenoiser(task.inputs, spoken).to(device))
    run = Averaged(model, plan.learning_rate, keep=0.9995, muon=True)
    kept = checkpoints.load(folder / task.name)
    if kept is not None:
        run.restore(*kept)
    noising = _Noising(task, data.tokens(spoken, [""]).long().to(device), vae.config.scaling_factor, device)
    marked = [tokenizer.single(spoken, _MARKS[name]) for name in task.again]
    pool = Pool(folder, task.parts, vae, device, marked)
    errors = torch.zeros(2, _LOSS_QUARTERS, device=device)
    while run.step < plan.steps:
        pool.grow(min(plan.parts, 1 + run.step // plan.steps_a_part))
        share = rate(run.step, plan.steps, decay_from=plan.decay_from)
        rng = seeds.generator(seed, f"{task.name} batch {run.step}")
        rows = pool.rows(rng, plan.batch, [share * each for each in task.again.values()])
        noise_of = seeds.torch_generator(seed, f"{task.name} noise {run.step}", device)
        loss = noising.loss(model, pool.pick(rows), noise_of, errors)
        run.update(loss, share)
        if run.step % save_every == 0 or run.step == plan.steps:
            checkpoints.save(folder / task.name, run.state(), {"step": run.step})
            quarters = [round(float(each), 4) for each in errors[0] / errors[1].clamp(min=1)]
            yield {"part": task.name, "step": run.step, "steps": plan.steps, "loss_by_noise": quarters}
            errors.zero_()


def keeping(after: Tensor, before: Tensor) -> Tensor:
    """Weights [N, 1, H, W], of mean 1 each, of latents [N, 4, H, W]: what an edit leaves alone counts more.

    A viewer forgives a changed thing a lot, and a background that swims nothing.
    """
    unchanged = (after - before).square().mean(1, keepdim=True) < _UNCHANGED**2
    weight = 1 + (_KEEPING - 1) * unchanged.float()
    return weight / weight.mean((1, 2, 3), keepdim=True)


class _Noising:
    """What is asked of a model about a batch: its noise, and what is left out of it."""

    def __init__(self, task: Task, empty: Tensor, scaling: float, device: torch.device) -> None:
        self._task, self._empty, self._scaling, self._device = task, empty, scaling, device
        self._abar = scheduler().alphas_cumprod.to(device)

    def loss(
        self, model: TextAndDenoiser, picked: Mapping[str, Tensor], noise_of: torch.Generator, errors: Tensor
    ) -> Tensor:
        batch = len(picked["tokens"])
        spread = torch.randn(picked["mean"].shape, generator=noise_of, device=self._device)
        clean = (picked["mean"] + picked["std"] * spread) * self._scaling
        share = torch.rand(batch, generator=noise_of, device=self._device) ** self._task.spread
        timesteps = (share * len(self._abar)).long().clamp(max=len(self._abar) - 1)
        noise = torch.randn(clean.shape, generator=noise_of, device=self._device)
        abar = self._abar[timesteps].reshape(-1, 1, 1, 1)
        noisy = abar.sqrt() * clean + (1 - abar).sqrt() * noise
        left_out = torch.rand(batch, generator=noise_of, device=self._device)
        tokens = torch.where(self._silent(left_out)[:, None], self._empty, picked["tokens"])
        if "before" in picked:
            before = torch.where(self._blind(left_out)[:, None, None, None], 0.0, picked["before"])
            noisy = torch.cat([noisy, before], 1)
        wanted = abar.sqrt() * noise - (1 - abar).sqrt() * clean
        squared = (model(noisy, timesteps, tokens) - wanted).square()
        if "before" in picked:
            squared = squared * keeping(picked["mean"], picked["before"])
        squared = squared.mean((1, 2, 3))
        quarter = timesteps * _LOSS_QUARTERS // len(self._abar)
        errors[0].index_add_(0, quarter, squared.detach())
        errors[1].index_add_(0, quarter, torch.ones_like(squared))
        return squared.mean()

    def _silent(self, left_out: Tensor) -> Tensor:
        return left_out < self._task.no_text + self._task.neither

    def _blind(self, left_out: Tensor) -> Tensor:
        task = self._task
        return (left_out >= task.no_text) & (left_out < task.no_text + task.neither + task.no_picture)
