"""True renders with known truth: what the judges learn from, and what they are themselves measured on.

The only thing shared with the models' training is the code that draws; seeds, choices and judgements are not.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..drawing import looks, pictures, words
from ..drawing.buffers import SIDE, Views
from ..drawing.looks import Look
from ..drawing.pictures import Setting, Stage

_FEWEST = 0.12  # of the frame
# What a material looks like from afar. A plain thing of this colour is not of that material.
MATERIAL_COLOURS = {
    "wood": (0.57, 0.36, 0.18),
    "marble": (0.80, 0.80, 0.81),
    "brick": (0.62, 0.30, 0.23),
    "gold": (0.92, 0.68, 0.20),
    "silver": (0.62, 0.63, 0.67),
    "stone": (0.42, 0.41, 0.39),
    "grass": (0.26, 0.48, 0.12),
    "lava": (0.45, 0.20, 0.07),
}


@dataclass(frozen=True)
class Renders:
    """N pictures."""

    pictures: Tensor  # [N, 3, 64, 64] in 0..1
    things: Tensor  # [N, 3, 64, 64], premultiplied by coverage
    coverage: Tensor  # [N, 64, 64] in 0..1
    settings: list[Setting]

    @property
    def pixels(self) -> NDArray[np.float32]:
        """The pictures as [N, 64, 64, 3]."""
        return self.pictures.permute(0, 2, 3, 1).numpy()

    @property
    def where(self) -> NDArray[np.bool_]:
        """Where the things are, [N, 64, 64]."""
        return self.coverage.numpy() > 0.5


def suitable(views: Views) -> NDArray[np.int64]:
    """Views large enough to say what a thing is made of."""
    return np.flatnonzero(views.start.diff().numpy() >= _FEWEST * SIDE * SIDE)


def settings(
    views: Views, chosen: NDArray[np.int64], count: int, rng: np.random.Generator, clutter: float = 0.12
) -> list[Setting]:
    """Lights and backgrounds for that many views, all of the chosen ones in turn."""
    drawn = [pictures.setting(rng, len(views), clutter=clutter, named=0.1) for _ in range(count)]
    return [replace(each, view=int(chosen[k % len(chosen)])) for k, each in enumerate(drawn)]


def draw(stage: Stage, where: list[Setting], shown: list[Look]) -> Renders:
    """The looks in their settings."""
    parts = []
    for first in range(0, len(where), pictures.CHUNK):
        part = slice(first, first + pictures.CHUNK)
        rgb, alpha = stage.things(where[part], shown[part])
        behind = stage.backgrounds(where[part], (rgb, alpha))
        parts.append((rgb + (1 - alpha) * behind, rgb, alpha[:, 0]))
    whole, things, coverage = (torch.cat(each) for each in zip(*parts, strict=True))
    return Renders(whole.clamp(0, 1), things, coverage, where)


def look(kind: str, rng: np.random.Generator) -> Look:
    """A look of one of the judge's classes: a material, "plain" or "pattern".

    Four in ten plain things have the mean colour of a material.
    """
    if kind in words.MATERIALS:
        return looks.material(rng, kind)
    if kind == "pattern":
        first, second = rng.choice(list(words.COLOURS), 2, replace=False)
        return looks.pattern(rng, str(rng.choice(words.PATTERNS)), str(first), str(second))
    plain = looks.plain(rng)
    if rng.random() < 0.4:
        colour = np.array(MATERIAL_COLOURS[str(rng.choice(words.MATERIALS))])
        return replace(plain, first=np.clip(colour + rng.normal(0, 0.04, 3), 0, 1).astype(np.float32))
    return plain


def blotched(stage: Stage, where: list[Setting], colours: list[tuple[str, str]], seed: int) -> Renders:
    """Things in two colours divided by smooth noise: neither stripes nor checks, though of their sizes."""
    rng = np.random.default_rng(seed)
    first = draw(stage, where, [looks.plain(rng, a) for a, _ in colours])
    second = draw(stage, where, [looks.plain(rng, b) for _, b in colours])
    side = first.pictures.shape[-1]
    mask = torch.from_numpy(np.stack([blotches(side, rng) for _ in where]))[:, None]
    chosen = torch.where(mask, first.pictures, second.pictures)
    return Renders(chosen, torch.where(mask, first.things, second.things), first.coverage, where)


def blotches(side: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Band-limited noise above its median, [S, S]; wavelengths of 14 to 36 pixels of 64."""
    length = rng.uniform(14, 36) * side / 64
    frequency = np.fft.fftfreq(side)
    radius = np.hypot(frequency[:, None], frequency)
    band = np.exp(-(((radius * length - 1) / 0.35) ** 2))
    noise = np.fft.ifft2(np.fft.fft2(rng.normal(size=(side, side))) * band).real
    return noise > np.median(noise)
