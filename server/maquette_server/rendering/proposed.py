"""Samples along rays where a proposal's density says that something is (mip-NeRF 360, arXiv:2111.12077,
sections 3 and 5), for places without bounds.

Rays are cut into intervals along *s*, which grows with the distance up to 1 (in the field's frame) and with
the inverse of the distance from there on (Nerfacto, arXiv:2302.04264, section 4.2). Each round looks at the
proposal's density in the intervals of the round before and draws new ones from what it sees; the last round's
are the samples. R rays, the same number of samples each.
"""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from ..fields.domain import Domain
from ..fields.proposal import Proposal
from . import marching, sampling
from .rays import Rays

# Added to the weight of every interval, so that no place is left out for ever (mip-NeRF, arXiv:2103.13415,
# section 3.1). With 0.01 for all of them together, field and proposal shut each other in: scenes were lost.
_PADDING = 0.01
_SHORT, _FAINT = 1 / 64, 0.01  # what stops less of the light over so long a way (field's frame) is air


@dataclass(frozen=True)
class Counts:
    """Intervals of a ray in the rounds of the proposal, and samples of the last one."""

    first: int = 64
    second: int = 64
    last: int = 32

    def __post_init__(self) -> None:
        if not all(1 <= each <= marching.MOST for each in asdict(self).values()):
            raise ValueError(f"rays cannot have these numbers of intervals: {self}")


@dataclass(frozen=True)
class Histogram:
    """What the proposal sees along rays."""

    posts: Tensor  # [R, S + 1], in s, rising
    weights: Tensor  # [R, S], differentiable in the proposal's weights


@dataclass(frozen=True)
class Proposed:
    """The samples, ray by ray, and how they came about."""

    samples: marching.Samples
    posts: Tensor  # [R, last + 1], in s: the intervals that the samples stand for
    histograms: tuple[Histogram, ...]


@dataclass(frozen=True)
class ProposedSampler:
    """Places samples for one field."""

    proposal: Proposal
    domain: Domain
    counts: Counts

    def samples(self, rays: Rays) -> marching.Samples:
        """The samples of rays (in the field's frame), the same each time."""
        return self.propose(rays).samples

    def propose(
        self, rays: Rays, generator: torch.Generator | None = None, sharpness: float = 1.0
    ) -> Proposed:
        """Samples with the histograms that placed them.

        generator: jitters all intervals.  sharpness: power of the weights, 0 for none of their say
        (arXiv:2111.12077, section 5, annealing).
        """
        speed = rays.directions.norm(dim=-1)
        posts = sampling.first_posts(
            to_even(rays.near * speed), to_even(rays.far * speed), self.counts.first, generator=generator
        )
        histograms = []
        for count in (self.counts.second, self.counts.last):
            lengths, _, points = self._middles(rays, posts)
            densities = self.proposal(self.domain.unit(points).clamp(0, 1)).view(lengths.shape)
            weights = weights_of(densities, lengths)
            histograms.append(Histogram(posts, weights))
            # a field gone wrong places samples somewhere, until `loop` takes it back
            spread = weights.detach().nan_to_num() ** sharpness
            posts = sampling.resampled(posts, spread + _PADDING, count + 1, generator=generator)
        return Proposed(self._packed(rays, posts), posts, tuple(histograms))

    def _middles(self, rays: Rays, posts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Lengths and t [R, S] of intervals, and the points [R S, 3] in their middles."""
        places = to_distance(posts)
        t = (places[:, 1:] + places[:, :-1]) / 2 / rays.directions.norm(dim=-1, keepdim=True)
        points = rays.origins[:, None] + t[..., None] * rays.directions[:, None]
        return places.diff(dim=1), t, points.reshape(-1, 3)

    def _packed(self, rays: Rays, posts: Tensor) -> marching.Samples:
        lengths, t, points = self._middles(rays, posts)
        count, each = t.shape
        ray = torch.arange(count, device=t.device)
        spreads = (0.5 * rays.radii[:, None] * t).reshape(-1) * self.domain.shrinking(points)
        return marching.Samples(
            self.domain.unit(points).clamp(0, 1),
            spreads,
            t.reshape(-1),
            lengths.reshape(-1),
            ray.repeat_interleave(each),
            torch.arange(count + 1, device=t.device) * each,
        )

    @torch.no_grad()
    def solid(self, unit: Tensor) -> Tensor:
        """Whether rays get many samples at points [P, 3] of the unit cube, bool [P]."""
        return -torch.expm1(-self.proposal(unit) * _SHORT) > _FAINT


def to_even(distance: Tensor) -> Tensor:
    """s of distances from the camera, in the field's frame: 0..1/2 up to 1, towards 1 beyond."""
    return torch.where(distance < 1, distance / 2, 1 - 0.5 / distance.clamp(min=1))


def to_distance(even: Tensor) -> Tensor:
    """The inverse of `to_even`."""
    return torch.where(even < 0.5, 2 * even, 0.5 / (1 - even).clamp(min=1e-6))


def weights_of(densities: Tensor, lengths: Tensor) -> Tensor:
    """w_i = T_i (1 - exp(-sigma_i length_i)) [R, S] of densities and lengths [R, S]."""
    thickness = densities * lengths
    before = torch.cumsum(thickness, 1) - thickness
    return torch.exp(-before) * -torch.expm1(-thickness)
