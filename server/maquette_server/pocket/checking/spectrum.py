"""Stripes and checks by their spectra, within small windows because things bend their patterns.

A map [N, S, S] says for each pixel which of two colours it has (-1..1), a weight [N, S, S] where the thing
is (0..1). By Parseval's theorem the squared gradient in a direction, summed over a window, is the window's
power spectrum in that direction times the squared frequency. So its second angular moment, 0..1, is 1 when
all waves run one way (stripes), and the fourth is 1 when they run two ways at right angles (checks; stripes
too). Period: stripes must rise and fall, both by a fair share; checks must have crossings, where the ring
about a pixel shows two whole periods. Smooth blotches have edges too, but every way, and seldom cross.

The thresholds were chosen on renders of one seed; every run of the check measures the test on another.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_SOFTENED = 1.0  # standard deviation in pixels, before gradients: edges of decoded pictures are ragged
_STEEPNESS = 2.5  # of the map at zero, so that shading within a colour leaves no gradient
_WINDOW = 8.0  # standard deviation in pixels
_RINGS = (3.5, 5.5)  # radii in pixels about a crossing
_RING_SAMPLES = 24
_CROSSING = 0.45  # share of a ring's power in its second harmonic; ideal checks have 8 / pi^2
_APART = 9  # pixels within which one crossing is counted once
_MARGIN = 6  # pixels at the frame where rings would wrap around

ONE_WAY = 0.70
TWO_WAYS = 0.40
FALLING = 0.15  # share of stripes' edges that the rarer direction of change must have
LESSER = 0.12  # share of the thing that the rarer colour must have


@dataclass(frozen=True)
class Spectrum:
    """Of N maps, each [N]."""

    one_way: Tensor  # second angular moment, mean over windows
    two_ways: Tensor  # fourth
    falling: Tensor  # share of the rarer sign of change along the dominant direction, up to 0.5
    lesser: Tensor  # share of the thing in the rarer colour, up to 0.5
    crossings: Tensor  # how many

    @property
    def stripes(self) -> Tensor:
        """One direction and at least one period, [N] bool."""
        return (self.one_way >= ONE_WAY) & (self.falling >= FALLING) & (self.lesser >= LESSER)

    @property
    def checks(self) -> Tensor:
        """Two directions at right angles that cross, [N] bool."""
        crossed = (self.two_ways >= TWO_WAYS) & (self.crossings >= 1)
        return crossed & (self.lesser >= LESSER) & ~self.stripes


def spectrum(map_: Tensor, weight: Tensor) -> Spectrum:
    """The moments of N maps. Raises ValueError when the shapes are not both [N, S, S]."""
    if map_.shape != weight.shape or map_.dim() != 3:
        raise ValueError(
            f"maps {tuple(map_.shape)} and weights {tuple(weight.shape)} should both be [N, S, S]"
        )
    map_ = torch.tanh(_STEEPNESS * softened(map_, _SOFTENED, "replicate"))
    inside = -functional.max_pool2d(-weight[:, None], 5, 1, 2)[:, 0]  # the outline is no pattern
    right = functional.pad((map_[:, :, 2:] - map_[:, :, :-2]) / 2, (1, 1))
    down = functional.pad((map_[:, 2:] - map_[:, :-2]) / 2, (0, 0, 1, 1))
    energy = (right**2 + down**2) * inside
    angle = torch.atan2(down, right)
    area = inside.sum((1, 2)).clamp(min=1)
    total = energy.sum((1, 2)).clamp(min=1e-6)
    dominant = (
        torch.atan2((energy * (2 * angle).sin()).sum((1, 2)), (energy * (2 * angle).cos()).sum((1, 2))) / 2
    )
    rising = right * dominant.cos()[:, None, None] + down * dominant.sin()[:, None, None] > 0
    rising_share = (energy * rising).sum((1, 2)) / total
    positive = (inside * (map_ > 0)).sum((1, 2)) / area
    return Spectrum(
        one_way=_moment(energy, angle, inside, 2),
        two_ways=_moment(energy, angle, inside, 4),
        falling=torch.minimum(rising_share, 1 - rising_share),
        lesser=torch.minimum(positive, 1 - positive),
        crossings=_crossings(map_, weight),
    )


def softened(map_: Tensor, deviation: float, edges: str = "constant") -> Tensor:
    """[N, S, S] convolved with a Gaussian; beyond the frame zeros, or the edge with "replicate"."""
    reach = int(2.5 * deviation + 0.5)
    line = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * deviation**2))
    line = line / line.sum()
    padded = functional.pad(map_[:, None], (reach,) * 4, mode=edges)
    across = functional.conv2d(padded, line[None, None, None])
    return functional.conv2d(across, line[None, None, :, None])[:, 0]


def _moment(energy: Tensor, angle: Tensor, inside: Tensor, order: int) -> Tensor:
    """The angular moment of each window about each pixel, its windows weighted by their energy."""
    cosine = softened(energy * (order * angle).cos(), _WINDOW)
    sine = softened(energy * (order * angle).sin(), _WINDOW)
    moment = (torch.hypot(cosine, sine) * inside).sum((1, 2))
    return moment / (softened(energy, _WINDOW) * inside).sum((1, 2)).clamp(min=1e-6)


def _crossings(map_: Tensor, weight: Tensor) -> Tensor:
    """Pixels on the thing whose rings change four times, evenly, [N]."""
    turn = torch.arange(_RING_SAMPLES) * (2 * math.pi / _RING_SAMPLES)
    shares = []
    for radius in _RINGS:
        steps = [(-round(radius * math.sin(t)), -round(radius * math.cos(t))) for t in turn.tolist()]
        ring = torch.stack([map_.roll(step, (1, 2)) for step in steps])  # [24, N, S, S]
        on = torch.stack([weight.roll(step, (1, 2)) for step in steps]).amin(0) > 0.5
        cosine = torch.einsum("rnhw,r->nhw", ring, (2 * turn).cos()) / _RING_SAMPLES
        sine = torch.einsum("rnhw,r->nhw", ring, (2 * turn).sin()) / _RING_SAMPLES
        # a flat ring has no power to take a share of
        shares.append(2 * (cosine**2 + sine**2) / (ring**2).mean(0).clamp(min=0.3) * on)
    share = torch.minimum(*shares)
    framed = functional.pad(share[:, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN], (_MARGIN,) * 4)
    highest = functional.max_pool2d(framed[:, None], _APART, 1, _APART // 2)[:, 0]
    return ((framed >= _CROSSING) & (framed == highest)).sum((1, 2))
