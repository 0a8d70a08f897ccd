"""Trains the judge of materials: on renders of its own seed, softened as decoded pictures are soft."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ...training import seeds
from ..drawing import buffers
from ..drawing.pictures import Stage
from . import renders
from .judge import CLASSES, Judge, save
from .spectrum import softened

_VIEWS = 2400
_PICTURES = 10_000
_STEPS = 2400
_BATCH = 48
_LEARNING_RATE = 2.5e-3
_CLUTTER = 0.15  # share of pictures before an invented scene
_SAY_EVERY = 200


def train(folder: Path, seed: int, size: float = 1.0) -> Iterator[dict[str, Any]]:
    """Trains one on a CPU and writes it to the folder; `size` scales views, pictures and steps alike."""
    torch.manual_seed(seed)
    views = buffers.render(int(_VIEWS * size), seed)
    yield {"part": "judge views", "step": len(views), "steps": len(views)}
    pictures, truth = labelled(views, int(_PICTURES * size), seed)
    yield {"part": "judge pictures", "step": len(truth), "steps": len(truth)}
    judge = Judge()
    judge.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(judge.parameters(), lr=_LEARNING_RATE, weight_decay=1e-2)
    steps = int(_STEPS * size)
    course = torch.optim.lr_scheduler.OneCycleLR(optimiser, _LEARNING_RATE, total_steps=steps, pct_start=0.1)
    rng = seeds.generator(seed, "judge batches")
    recent: list[float] = []
    for step in range(1, steps + 1):
        rows = torch.from_numpy(rng.integers(len(truth), size=_BATCH))
        batch = soft(pictures[rows].float() / 255, rng).contiguous(memory_format=torch.channels_last)
        loss = functional.cross_entropy(judge(batch), truth[rows], label_smoothing=0.03)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        course.step()
        recent.append(float(loss.detach()))
        if step % _SAY_EVERY == 0 or step == steps:
            yield {
                "part": "judge",
                "step": step,
                "steps": steps,
                "loss": float(np.mean(recent[-_SAY_EVERY:])),
            }
    save(judge.eval(), folder)


def labelled(views: buffers.Views, count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Pictures uint8 [N, 3, 64, 64] of all classes in turn, and their classes [N]."""
    rng = seeds.generator(seed, "judge pictures")
    chosen = rng.permutation(renders.suitable(views))
    kinds = [CLASSES[k % len(CLASSES)] for k in range(count)]
    where = renders.settings(views, rng.choice(chosen, count), count, rng, _CLUTTER)
    drawn = renders.draw(Stage(views), where, [renders.look(kind, rng) for kind in kinds])
    bare = torch.from_numpy(rng.random(count) < 0.15)  # as the check shows edited things
    shown = torch.where(bare[:, None, None, None], alone(drawn.pictures, drawn.coverage), drawn.pictures)
    truth = torch.tensor([CLASSES.index(kind) for kind in kinds])
    return (shown * 255 + 0.5).to(torch.uint8), truth


def alone(pictures: Tensor, coverage: Tensor) -> Tensor:
    """The things of pictures [N, 3, S, S] before mid-grey."""
    share = coverage[:, None]
    return pictures * share + 0.5 * (1 - share)


def soft(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Mirrored, blurred, noisy, a little off in lightness: as a small autoencoder leaves them."""
    if rng.random() < 0.5:
        pictures = pictures.flip(-1)
    kind = rng.random()
    if kind < 0.5:
        flat = pictures.flatten(0, 1)
        pictures = softened(flat, float(rng.uniform(0.4, 1.2)), "replicate").reshape(pictures.shape)
    elif kind < 0.65:
        pictures = functional.interpolate(functional.avg_pool2d(pictures, 2), scale_factor=2, mode="bilinear")
    gain = torch.from_numpy(rng.normal(1, 0.06, (len(pictures), 1, 1, 1)).astype(np.float32))
    noise = torch.from_numpy(rng.normal(0, rng.uniform(0, 0.04), pictures.shape).astype(np.float32))
    return (pictures * gain + noise).clamp(0, 1)
