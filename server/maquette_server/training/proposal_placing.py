"""A proposal that learns beside its field, for places without bounds (mip-NeRF 360, arXiv:2111.12077).

The proposal's histograms must bound the field's weights from above (section 3, Eq. 13); the field's own are
drawn together along the ray (section 4, Eq. 15). Neither loss reaches the other's weights.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from ..fields.domain import Domain
from ..fields.proposal import Proposal
from ..rendering import proposed, sampling
from ..rendering.marching import Samples
from ..rendering.rays import Rays
from . import adam_state
from .touched_adam import TouchedAdam

_DISTORTION = 2e-3  # weight of the loss that draws the weights of a ray together
_TABLE_RATE, _NETWORK_RATE = 1e-2, 5e-3
_SHARPENED = 300  # steps until the proposal has its full say
_EAGER = 200  # steps in which it learns every time
_LEARN_EVERY = 4  # steps, from then on


class ProposalPlacing:
    """See `sample_placing.Placing`."""

    def __init__(
        self,
        proposal: Proposal,
        domain: Domain,
        counts: proposed.Counts,
        samples: int,
        learnt: bool = False,
    ) -> None:
        """samples: of a step.  learnt: whether the proposal has learnt before: it has its say at once."""
        self.proposal = proposal
        self._sampler = proposed.ProposedSampler(proposal, domain, counts)
        self._table = TouchedAdam(proposal.grid.table)
        self._networks = {name: each for name, each in proposal.named_parameters() if name != "grid.table"}
        self._adam = torch.optim.Adam(
            [*self._networks.values()], lr=_NETWORK_RATE, betas=(0.9, 0.99), eps=1e-15, fused=True
        )
        self.rays = max(1, samples // counts.last)
        self._newest: proposed.Proposed | None = None
        self._learning = False
        self._ahead = _SHARPENED if learnt else 0  # steps that count as done

    def look(self, step: int, random: torch.Generator) -> None:
        """Nothing."""

    def place(self, rays: Rays, step: int, random: torch.Generator) -> Samples:
        """Where the proposal says, jittered."""
        step += self._ahead
        self._learning = step < _EAGER or step % _LEARN_EVERY == 0
        share = min(1.0, step / _SHARPENED)
        with torch.set_grad_enabled(self._learning):
            self._newest = self._sampler.propose(rays, random, 10 * share / (9 * share + 1))
        return self._newest.samples

    def loss(self, densities: Tensor, samples: Samples) -> Tensor | None:
        """The distortion of the field's weights, and what of them the proposal does not bound."""
        assert self._newest is not None
        posts = self._newest.posts
        shape = (len(posts), posts.shape[1] - 1)
        weights = proposed.weights_of(densities.view(shape), samples.lengths.view(shape))
        total = _DISTORTION * distortion(posts, weights)
        if self._learning:
            for histogram in self._newest.histograms:
                total = total + unbounded_share(posts, weights.detach(), histogram)
        return total

    def learn(self, rate: float) -> None:
        """A step of the proposal, when the last loss was about it."""
        self._newest = None
        if not self._learning:
            return
        for group in self._adam.param_groups:
            group["lr"] = _NETWORK_RATE * rate
        self._adam.step()
        self._adam.zero_grad(set_to_none=True)
        self._table.step(_TABLE_RATE * rate)

    def sampler(self) -> proposed.ProposedSampler:
        """Of the proposal as it is now."""
        return self._sampler

    def state(self) -> dict[str, Tensor]:
        """Weights and moments."""
        tensors = {f"field.{name}": each.cpu().clone() for name, each in self.proposal.state_dict().items()}
        tensors |= {f"table.{name}": each for name, each in self._table.state().items()}
        return tensors | adam_state.saved(self._adam, self._networks)

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Goes on from a state."""
        self.proposal.load_state_dict(adam_state.under("field.", saved))
        self._table.restore(adam_state.under("table.", saved))
        adam_state.restore(self._adam, self._networks, saved)


def distortion(posts: Tensor, weights: Tensor) -> Tensor:
    """Mean over rays of Eq. 15: how far apart along the ray its weights lie.

    posts: [R, S + 1], rising, in 0..1.  weights: [R, S].
    """
    middles, widths = (posts[:, 1:] + posts[:, :-1]) / 2, posts.diff(dim=1)
    before = torch.cumsum(weights, 1) - weights
    moment = torch.cumsum(weights * middles, 1) - weights * middles
    between = 2 * (weights * (middles * before - moment)).sum(1)
    return (between + (weights.square() * widths).sum(1) / 3).mean()


def unbounded_share(posts: Tensor, weights: Tensor, histogram: proposed.Histogram) -> Tensor:
    """Mean over rays of Eq. 13: by how much weights [R, S] between posts [R, S + 1] exceed what the histogram
    leaves to their intervals. Differentiable in the histogram's weights.
    """
    most = sampling.bounds(posts, histogram.posts, histogram.weights)
    return ((weights - most).clamp(min=0).square() / (weights + 1e-7)).sum(1).mean()
