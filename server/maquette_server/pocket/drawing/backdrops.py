"""What is behind the things: plain colours, soft gradients, and invented scenes for clutter.

Mostly grey or pale: a model that has seen saturated backgrounds takes thin parts of a thing for background.
"""

import numpy as np
import torch
from torch import Tensor

from .noise import waves
from .words import COLOURS

DICE = 160  # numbers that a scene may use


def named(rng: np.random.Generator, colour: str) -> np.ndarray:
    """About that colour, [3]."""
    return jittered(rng, COLOURS[colour], 0.03)


def jittered(rng: np.random.Generator, colour: tuple[int, int, int], amount: float = 0.05) -> np.ndarray:
    """The colour with a little hue and lightness of its own, [3] in 0..1."""
    rgb = np.array(colour) / 255
    return np.clip(rgb + rng.normal(0, 0.6 * amount, 3) + rng.normal(0, 0.5 * amount), 0, 1).astype(
        np.float32
    )


def plain(rng: np.random.Generator) -> np.ndarray:
    """A background's colour, [3]: seven in ten grey, two muted, one strong."""
    kind = rng.random()
    grey = np.repeat(rng.random(), 3) + rng.normal(0, 0.02, 3)
    strong = rng.random(3)
    if kind < 0.7:
        rgb = grey
    elif kind < 0.9:
        rgb = 0.65 * grey + 0.35 * strong
    else:
        rgb = strong
    return np.clip(rgb, 0, 1).astype(np.float32)


def grid(side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Row and column coordinates 0..1 of pixel centres, [side, side] each."""
    line = (torch.arange(side, device=device) + 0.5) / side
    down, across = torch.meshgrid(line, line, indexing="ij")
    return down, across


def gradients(colours: Tensor, slope: Tensor, side: int) -> Tensor:
    """Plain backgrounds [N, side^2, 3] of colours [N, 3], brighter to one end by slope [N]."""
    down, _ = grid(side, colours.device)
    factor = 1 + slope[:, None] * (down.reshape(-1) - 0.5)
    return (colours[:, None] * factor[..., None]).clamp(0, 1)


def scenes(dice: Tensor, side: int) -> Tensor:
    """Invented scenes [N, side^2, 3] from dice [N, 160]: half landscapes, half heaps of coloured patches."""
    down, across = grid(side, dice.device)
    points = (
        torch.stack([across, down, torch.zeros_like(down)], -1).reshape(1, -1, 3).expand(len(dice), -1, 3)
    )
    land = _landscape(dice, points)
    heap = _heap(dice, points)
    return torch.where((dice[:, 0] < 0.5)[:, None, None], land, heap).clamp(0, 1)


def _mix(low: tuple[float, float, float], high: tuple[float, float, float], share: Tensor) -> Tensor:
    a, b = share.new_tensor(low), share.new_tensor(high)
    return a + (b - a) * share[:, None]


def _landscape(dice: Tensor, points: Tensor) -> Tensor:
    """Sky over ground, the edge wavy, both with some texture."""
    skies = torch.stack(
        [
            _mix((0.25, 0.45, 0.8), (0.75, 0.87, 1.0), dice[:, 2]),
            _mix((0.5, 0.5, 0.55), (0.95, 0.95, 0.95), dice[:, 2]),
            _mix((0.75, 0.4, 0.25), (1.0, 0.8, 0.55), dice[:, 2]),
        ],
        1,
    )
    grounds = torch.stack(
        [
            _mix((0.1, 0.25, 0.05), (0.45, 0.6, 0.25), dice[:, 3]),
            _mix((0.3, 0.2, 0.1), (0.75, 0.6, 0.4), dice[:, 3]),
            _mix((0.25, 0.25, 0.25), (0.7, 0.7, 0.68), dice[:, 3]),
        ],
        1,
    )
    rows = torch.arange(len(dice), device=dice.device)
    sky = skies[rows, (dice[:, 4] * 3).long().clamp(max=2)]
    ground = grounds[rows, (dice[:, 5] * 3).long().clamp(max=2)]
    down = points[..., 1]
    edge = 0.3 + 0.4 * dice[:, 6:7] + 0.08 * waves(points * points.new_tensor((1, 0, 0)), dice[:, 8:24], 1.5)
    above = (down < edge)[..., None]
    colour = torch.where(
        above, sky[:, None] * (0.75 + 0.4 * down[..., None]), ground[:, None] * (1.1 - 0.3 * down[..., None])
    )
    for frequency, amount, part in (
        (3, 0.12, slice(24, 48)),
        (8, 0.14, slice(48, 72)),
        (16, 0.1, slice(72, 96)),
    ):
        strength = amount * 1.5 * dice[:, part.start : part.start + 1]
        colour = colour * (1 + strength * waves(points, dice[:, part], frequency))[..., None]
    return colour


def _heap(dice: Tensor, points: Tensor) -> Tensor:
    """A soft field of colour with ellipses and boxes laid over it."""
    base = torch.stack(
        [waves(points, dice[:, 8 + 12 * k : 20 + 12 * k], 0.5 + k * 0.3) for k in range(3)], -1
    )
    level = 0.25 + 0.5 * dice[:, None, 44:47]
    grey = level.mean(-1, keepdim=True)
    level = grey + (level - grey) * (0.3 + 0.7 * dice[:, None, 47:48])
    colour = level + 0.2 * base * dice[:, None, 48:49] + 0.18 * waves(points, dice[:, 49:65], 1.0)[..., None]
    fine = 0.12 * dice[:, 65:66] * waves(points, dice[:, 66:90], 5) + 0.09 * dice[:, 90:91] * waves(
        points, dice[:, 91:107], 14
    )
    colour = colour + fine[..., None]
    for k in range(6):
        own = dice[:, 107 + 8 * k : 115 + 8 * k]
        x = (points[..., 0] - own[:, 0:1]) / (0.05 + 0.3 * own[:, 2:3])
        y = (points[..., 1] - own[:, 1:2]) / (0.05 + 0.3 * own[:, 3:4])
        round_ = (own[:, 4:5] * 2 % 1) < 0.5
        inside = torch.where(round_, x * x + y * y < 1, torch.maximum(x.abs(), y.abs()) < 1) & (
            own[:, 4:5] < 0.7
        )
        tone = own[:, None, 5:8] * (1 + 0.2 * y.clamp(-1, 1))[..., None]
        colour = torch.where(inside[..., None], tone, colour)
    return colour
