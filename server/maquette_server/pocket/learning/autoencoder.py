"""The autoencoder: four latent channels at a quarter of the side, nearly linear in colour.

Loss: L1 + MSE + half the L1 of the gradients + 1e-3 KL (a latent value) + 0.15 of the error of a learned
linear map from latents to the picture averaged over 4 x 4 pixels. The last term is what makes `latent_rgb`
good: a latent texture is then nearly a colour texture.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from torch import Tensor, nn

from ...training import seeds
from ..drawing import instructions, pictures
from ..drawing.buffers import Views
from . import checkpoints
from .optimising import Averaged, channels_last, rate
from .recipe import Recipe

FACTOR = 4
CHANNELS = 4
_BATCH = 32
_CROP = 32
_WHOLE_FROM = 0.8  # share of the steps after which whole pictures are seen instead of crops
_LEARNING_RATE = 3e-3


def build() -> AutoencoderKL:
    """Untrained, 0.65 M weights."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(16, 32, 64),
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=8,
        sample_size=64,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )


def training_pictures(views: Views, count: int, seed: int, device: torch.device) -> Tensor:
    """[N, 3, 64, 64] uint8: half captioned pictures, half both sides of edits."""
    half = count // 2
    captioned = pictures.captioned(views, half, seed, -1, device).pictures
    edits = instructions.edited(views, (count - half) // 2, seed, -1, device)
    return torch.cat([captioned, edits.before, edits.after])


class _Learnt(nn.Module):
    """The autoencoder and the linear map beside it."""

    vae: Any

    def __init__(self) -> None:
        super().__init__()
        self.vae = build()
        self.colour = nn.Conv2d(CHANNELS, 3, 1)


def train(
    views: Views, recipe: Recipe, seed: int, folder: Path, device: torch.device, save_every: int = 250
) -> Iterator[dict[str, Any]]:
    """Trains to the end, going on from what `folder` holds; writes `folder/vae`. Yields figures at times."""
    torch.manual_seed(seed)
    learnt = channels_last(_Learnt().to(device))
    run = Averaged(learnt, _LEARNING_RATE, keep=0.998)
    kept = checkpoints.load(folder)
    if kept is not None:
        run.restore(*kept)
    steps = recipe.autoencoder_steps
    if run.step < steps:
        seen = training_pictures(views, recipe.autoencoder_pictures, seed, device)
    while run.step < steps:
        rng = seeds.generator(seed, f"autoencoder step {run.step}")
        noise = seeds.torch_generator(seed, f"autoencoder noise {run.step}", device)
        whole = run.step >= _WHOLE_FROM * steps
        batch = _batch(seen, rng, whole).to(device)
        loss, figures = _loss(learnt, batch, noise)
        run.update(loss, rate(run.step, steps, warm=100, decay_from=0.3))
        if run.step % save_every == 0 or run.step == steps:
            checkpoints.save(folder, run.state(), {"step": run.step})
            yield {"part": "autoencoder", "step": run.step, "steps": steps, **figures}
    vae = run.average.vae
    vae.register_to_config(
        scaling_factor=_scaling(vae, training_pictures(views, recipe.probes, seed + 1, device), device)
    )
    vae.save_pretrained(folder / "vae")


def _batch(seen: Tensor, rng: np.random.Generator, whole: bool) -> Tensor:
    """Pictures in -1..1, mirrored half of the time."""
    side = 64 if whole else _CROP
    rows = torch.from_numpy(rng.integers(len(seen), size=_BATCH // 2 if whole else _BATCH))
    top, left = rng.integers(65 - side, size=2)
    picked = seen[rows][:, :, top : top + side, left : left + side].float() / 127.5 - 1
    picked = picked.flip(-1) if rng.random() < 0.5 else picked
    return picked.contiguous(memory_format=torch.channels_last)


def _loss(learnt: _Learnt, picture: Tensor, noise: torch.Generator) -> tuple[Tensor, dict[str, float]]:
    posterior = learnt.vae.encode(picture).latent_dist
    latents = posterior.sample(noise)
    decoded = learnt.vae.decode(latents).sample
    squared = (decoded - picture).square().mean()
    edges = sum(
        ((decoded.diff(dim=axis) - picture.diff(dim=axis)).abs().mean() for axis in (2, 3)),
        start=torch.zeros((), device=picture.device),
    )
    divergence = posterior.kl().mean() / latents[0].numel()
    linear = (learnt.colour(latents) - nn.functional.avg_pool2d(picture, FACTOR)).square().mean()
    loss = (decoded - picture).abs().mean() + squared + 0.5 * edges + 1e-3 * divergence + 0.15 * linear
    return loss, {"psnr": float(10 * torch.log10(4 / squared.detach())), "linear": float(linear.detach())}


@torch.no_grad()
def _scaling(vae: AutoencoderKL, seen: Tensor, device: torch.device) -> float:
    """One over the standard deviation of the latents."""
    latents = [vae.encode(part.to(device).float() / 127.5 - 1).latent_dist.mean for part in seen.split(64)]
    return float(1 / torch.cat(latents).std())


@torch.no_grad()
def latent_rgb(
    vae: AutoencoderKL, seen: Tensor, device: torch.device
) -> tuple[list[list[float]], list[float]]:
    """The least-squares matrix [4, 3] from scaled latents to RGB in -1..1, and its R2 a channel."""
    latents, colours = [], []
    for part in seen.split(64):
        picture = part.to(device).float() / 127.5 - 1
        encoded = vae.encode(picture).latent_dist.mean * vae.config.scaling_factor
        latents.append(encoded.movedim(1, -1).reshape(-1, CHANNELS).double().cpu())
        colours.append(nn.functional.avg_pool2d(picture, FACTOR).movedim(1, -1).reshape(-1, 3).double().cpu())
    known, wanted = torch.cat(latents), torch.cat(colours)
    matrix = torch.linalg.lstsq(known, wanted).solution
    left = (wanted - known @ matrix).square().sum(0) / (wanted - wanted.mean(0)).square().sum(0)
    return matrix.tolist(), (1 - left).tolist()
