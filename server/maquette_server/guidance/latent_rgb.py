"""The linear map between latents and colour of one autoencoder.

A [C, 3] takes scaled latents to RGB in [-1, 1]. A checkpoint may bring its own; otherwise it is fitted once
by least squares and kept in the user's cache folder under the autoencoder's digest.
"""

import json
import logging
from pathlib import Path

import numpy as np
import platformdirs
import torch
from torch import Tensor

from .bridge import RgbBridge

log = logging.getLogger(__name__)

# Stable Diffusion 1.x, as the released code of Latent-NeRF has it; for the parity presets and tests only.
STABLE_DIFFUSION = (
    (0.298, 0.207, 0.208),
    (0.187, 0.286, 0.173),
    (-0.158, 0.189, 0.264),
    (-0.184, -0.271, -0.473),
)
_PICTURES = 256
_RIDGE = 0.01  # of the released code's inverse


def inverse(matrix: Tensor) -> Tensor:
    """The regularised inverse [3, C]: rgb @ inverse are latents near that colour; (A A^T + 0.01 I)^-1 A per
    colour.
    """
    a = matrix.double()
    gram = a @ a.T + _RIDGE * torch.eye(len(a), dtype=torch.float64)
    return torch.linalg.solve(gram, a).T.to(matrix.dtype)


def stored(path: Path, channels: int) -> Tensor | None:
    """The matrix that was kept, [C, 3]; None when there is none, or none that can be used."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["matrix"]
        matrix = torch.tensor(rows, dtype=torch.float32)
    except (OSError, ValueError, LookupError, TypeError):  # a cache that is damaged is made anew
        return None
    usable = tuple(matrix.shape) == (channels, 3) and bool(torch.isfinite(matrix).all())
    return matrix if usable else None


def fitted(bridge: RgbBridge, digest: str) -> Tensor:
    """The least-squares matrix [C, 3] over 256 pictures of flat colours, gradients and soft blobs; cached."""
    cache = Path(platformdirs.user_cache_dir("maquette")) / "latent_rgb" / f"{digest}.json"
    known = stored(cache, bridge.channels)
    if known is not None:
        return known
    log.info("fitting the latent-to-colour matrix of %s", digest)
    pictures = _pictures(8 * bridge.factor)
    latents, colours = [], []
    for batch in pictures.split(16):
        encoded = bridge.to_latents(batch.to(bridge.device), sample=False)
        latents.append(encoded.float().cpu().movedim(1, -1).reshape(-1, bridge.channels))
        small = torch.nn.functional.avg_pool2d(batch * 2 - 1, bridge.factor)
        colours.append(small.movedim(1, -1).reshape(-1, 3))
    solution = torch.linalg.lstsq(torch.cat(latents).double(), torch.cat(colours).double()).solution
    matrix = solution.float()
    cache.parent.mkdir(parents=True, exist_ok=True)
    waiting = cache.with_suffix(".writing")
    waiting.write_text(json.dumps({"matrix": matrix.tolist()}), encoding="utf-8")
    waiting.replace(cache)
    return matrix


def _pictures(side: int) -> Tensor:
    """[256, 3, side, side] in 0..1: smooth random colour fields."""
    rng = np.random.default_rng(0)
    coarse = torch.from_numpy(rng.random((_PICTURES, 3, 3, 3), dtype=np.float32))
    flat = torch.from_numpy(rng.random((_PICTURES, 3, 1, 1), dtype=np.float32))
    blend = torch.linspace(0, 1, _PICTURES).reshape(-1, 1, 1, 1)
    mixed = flat * (1 - blend) + coarse * blend
    return torch.nn.functional.interpolate(
        mixed, size=(side, side), mode="bicubic", align_corners=False
    ).clamp(0, 1)
