"""Solid textures: colour as a function of the place on the thing, so that all but two agree in all views.

N things, M points each. Places are in the thing's own axes, y up, within the unit ball; `first` and `second`
are sRGB in 0..1; `dice` are the numbers that fix a pattern (`noise`). Periods are large on purpose: at 64
pixels and a quarter of that in latents, a finer pattern is mush.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .noise import waves

DICE = 64  # numbers a surface may use


@dataclass(frozen=True)
class Surface:
    """What light falls on."""

    albedo: Tensor  # [N, M, 3]
    glow: Tensor | None = None  # [N, M], share of the albedo that shines by itself


def surface(
    kind: str, place: Tensor, normal: Tensor, right: Tensor, first: Tensor, second: Tensor, dice: Tensor
) -> Surface:
    """The texture `kind` (`words.KINDS`) at places [N, M, 3] with normals [N, M, 3]; dice [N, 64].

    right: [N, 3], the level axis that points to the camera's right.
    """
    if kind == "plain":
        return Surface(first[:, None].expand_as(place))
    if kind in _PATTERNS:
        choose = _PATTERNS[kind](place, normal, right, dice)
        return Surface(torch.where(choose[..., None], first[:, None], second[:, None]))
    return _MATERIALS[kind](place, normal, dice)


def _between(dice: Tensor, low: float, high: float) -> Tensor:
    """[N] -> [N, 1] in a range."""
    return (low + (high - low) * dice)[:, None]


# Patterns lie nearly always in the same place on a picture's thing: a word then says a little even at the
# highest noise, where it decides most.
_SHIFT = 0.12  # of a period


def _stripes(place: Tensor, normal: Tensor, right: Tensor, dice: Tensor) -> Tensor:
    """Bands around the upright axis, the first colour across the middle."""
    along = place[..., 1] * _between(dice[:, 1], 1.4, 1.7) + 0.25
    return ((along + _between(dice[:, 2], -_SHIFT, _SHIFT)) % 1) < 0.5


def _checks(place: Tensor, normal: Tensor, right: Tensor, dice: Tensor) -> Tensor:
    """Squares, one of the first colour about the middle; from above and below they lie on the level plane."""
    u, v = _before(place, normal, right)
    scale = _between(dice[:, 0], 1.7, 2.0)
    shift = (2 * dice[:, 1:3] - 1) * _SHIFT + 0.5
    cells = torch.floor(u * scale + shift[:, :1]) + torch.floor(v * scale + shift[:, 1:])
    return cells % 2 < 0.5


def _dots(place: Tensor, normal: Tensor, right: Tensor, dice: Tensor) -> Tensor:
    """Discs on a square lattice; lies as the squares do. True between them."""
    u, v = _before(place, normal, right)
    scale = _between(dice[:, 0], 1.6, 1.9)
    across = (u * scale + _between(dice[:, 1], -_SHIFT, _SHIFT) + 0.5) % 1 - 0.5
    down = (v * scale + _between(dice[:, 2], -_SHIFT, _SHIFT) + 0.5) % 1 - 0.5
    return across**2 + down**2 > 0.3**2


_LEVEL = 0.75  # the upright part of a normal from which on a surface is a top or a bottom


def _before(place: Tensor, normal: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
    """How far to the camera's right, and how far up or, on what lies level, towards the camera; [N, M] each.

    So squares and discs stand square to the camera, wherever it looks from: with a lattice that the thing
    keeps to itself, seen at every angle, checks were still blotches after 9,500 steps of training.
    """
    up = torch.tensor((0.0, 1.0, 0.0), dtype=right.dtype, device=right.device).expand_as(right)
    towards = torch.linalg.cross(right, up)
    across, near = (torch.einsum("nmc,nc->nm", place, axis) for axis in (right, towards))
    return across, torch.where(normal[..., 1].abs() > _LEVEL, near, place[..., 1])


def _facing(place: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """The two coordinates across the axis that the normal is nearest to, [N, M] each."""
    towards = normal.abs().argmax(-1)
    u = torch.where(towards == 0, place[..., 2], place[..., 0])
    v = torch.where(towards == 1, place[..., 2], place[..., 1])
    return u, v


def _blend(low: tuple[float, float, float], high: tuple[float, float, float], share: Tensor) -> Tensor:
    dark = torch.tensor(low, dtype=share.dtype, device=share.device)
    bright = torch.tensor(high, dtype=share.dtype, device=share.device)
    return dark + (bright - dark) * share[..., None]


def _wood(place: Tensor, normal: Tensor, dice: Tensor) -> Surface:
    """Rings about an axis near the upright one, bent a little, with fibres along it."""
    bend = 0.07 * waves(place, dice[:, 8:24], 1.1)
    x = place[..., 0] + bend + (0.3 + 0.3 * dice[:, 0:1])
    z = place[..., 2] + bend + 0.4 * (dice[:, 1:2] - 0.5)
    x = x + 0.12 * place[..., 1]
    ring = torch.sin(
        6.2832 * torch.hypot(x, z) * _between(dice[:, 2], 2.6, 4.2) + waves(place, dice[:, 24:40], 0.7)
    )
    fibre = waves(place, dice[:, 40:56], 5.0, (1, 0.08, 1))
    share = (0.5 + 0.42 * ring + 0.16 * fibre).clamp(0, 1)
    return Surface(_blend((0.34, 0.17, 0.07), (0.80, 0.54, 0.29), share))


def _marble(place: Tensor, normal: Tensor, dice: Tensor) -> Surface:
    """White with thin dark veins where a bent wave crosses zero."""
    tilt = 2 * dice[:, 0:3] - 1
    tilt = 1.1 * tilt / tilt.norm(dim=-1, keepdim=True).clamp(min=0.1)
    along = torch.einsum("nmc,nc->nm", place, tilt)
    vein = torch.sin(3.1416 * along + 1.9 * waves(place, dice[:, 8:32], 1.2)).abs()
    return Surface(_blend((0.34, 0.35, 0.41), (0.94, 0.94, 0.93), vein.clamp(min=1e-4) ** 0.3))


def _brick(place: Tensor, normal: Tensor, dice: Tensor) -> Surface:
    u, v = _facing(place, normal)
    scale = _between(dice[:, 0], 2.3, 3.1)
    course = torch.floor(v * scale + dice[:, 1:2])
    along = u * scale * 0.5 + 0.5 * (course % 2)
    brick = torch.floor(along)
    mortar = ((along - brick) < 0.1) | ((v * scale + dice[:, 1:2] - course) < 0.2)
    tone = torch.frac(torch.sin(brick * 12.9 + course * 78.2) * 43758.5).abs()
    red = _blend((0.47, 0.15, 0.10), (0.74, 0.29, 0.20), tone)
    pale = torch.tensor((0.82, 0.79, 0.74), dtype=place.dtype, device=place.device)
    return Surface(torch.where(mortar[..., None], pale, red))


def _metal(colour: tuple[float, float, float]) -> Callable[[Tensor, Tensor, Tensor], Surface]:
    def make(place: Tensor, normal: Tensor, dice: Tensor) -> Surface:
        return Surface(torch.tensor(colour, dtype=place.dtype, device=place.device).expand_as(place))

    return make


def _stone(place: Tensor, normal: Tensor, dice: Tensor) -> Surface:
    """Grey lumps with dark cracks between."""
    lump = 0.5 + 0.3 * waves(place, dice[:, 0:24], 1.6) + 0.22 * waves(place, dice[:, 24:40], 4.2)
    crack = (waves(place, dice[:, 40:56], 1.4).abs() * 6).clamp(max=1)
    return Surface(
        _blend((0.27, 0.26, 0.25), (0.68, 0.66, 0.62), lump.clamp(0, 1)) * (0.5 + 0.5 * crack[..., None])
    )


def _grass(place: Tensor, normal: Tensor, dice: Tensor) -> Surface:
    """Tufts: dark and light green, finer across than along."""
    tuft = (
        0.5
        + 0.34 * waves(place, dice[:, 0:24], 3.2, (1, 0.6, 1))
        + 0.34 * waves(place, dice[:, 24:48], 5.6, (1, 0.4, 1))
    )
    return Surface(_blend((0.06, 0.22, 0.03), (0.46, 0.74, 0.20), tuft.clamp(0, 1)))


def _lava(place: Tensor, normal: Tensor, dice: Tensor) -> Surface:
    """Black crust, glowing along the zeros of a slow wave."""
    vein = 1 - (waves(place, dice[:, 0:24], 1.05) + 0.22 * waves(place, dice[:, 24:40], 3.2)).abs()
    heat = ((vein - 0.5) * 2.4).clamp(0, 1)
    return Surface(_blend((0.10, 0.06, 0.05), (1.0, 0.50, 0.05), heat), glow=heat)


_PATTERNS = {"stripes": _stripes, "checks": _checks, "dots": _dots}
_MATERIALS = {
    "wood": _wood,
    "marble": _marble,
    "brick": _brick,
    "gold": _metal((1.0, 0.74, 0.20)),
    "silver": _metal((0.80, 0.82, 0.86)),
    "stone": _stone,
    "grass": _grass,
    "lava": _lava,
}
