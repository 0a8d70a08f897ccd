"""Facts about samples that a proposal places, and about its losses."""

import math

import pytest
import torch
from maquette_server.fields.domain import Domain
from maquette_server.fields.proposal import Proposal, Settings
from maquette_server.rendering import proposed
from maquette_server.rendering.rays import Rays
from maquette_server.training import proposal_placing
from torch import Tensor

DOMAIN = Domain((0.0, 0.0, 0.0), 1.0, True)


class Shell(Proposal):
    """A proposal that is dense at one distance from the middle and empty elsewhere."""

    def __init__(self, radius: float, thickness: float) -> None:
        super().__init__(Settings())
        self._radius, self._thickness = radius, thickness

    def forward(self, points: Tensor) -> Tensor:
        contracted = points.clamp(1e-6, 1 - 1e-6) * 4 - 2
        largest = contracted.abs().amax(-1, keepdim=True).clamp(min=1)
        away = (contracted / largest / (2 - largest)).norm(dim=-1)
        return 50.0 * ((away - self._radius).abs() < self._thickness).float()


def rays(count: int) -> Rays:
    random = torch.Generator().manual_seed(0)
    directions = torch.randn(count, 3, generator=random)  # of any length: t is not the distance
    ones = torch.ones(count)
    return Rays(torch.zeros(count, 3), directions, 1e-3 * ones, 1e-2 * ones, 100 * ones)


def test_s_and_the_distance_are_each_others_inverse() -> None:
    distance = torch.tensor([0.0, 0.3, 1.0, 1.5, 20.0, 1e4])
    even = proposed.to_even(distance)
    assert bool((even.diff() > 0).all())
    assert 0 <= float(even[0]) <= float(even[-1]) < 1
    assert torch.allclose(proposed.to_distance(even), distance, rtol=1e-2)
    assert float(even[2]) == 0.5


@pytest.mark.parametrize("radius", [0.5, 3.0])
def test_samples_gather_where_the_proposal_is_dense(radius: float) -> None:
    given = rays(20)
    sampler = proposed.ProposedSampler(Shell(radius, 0.1 * radius), DOMAIN, proposed.Counts())
    samples = sampler.samples(given)
    distance = samples.places * given.directions.norm(dim=-1)[samples.rays]
    near_shell = ((distance - radius).abs() < 0.25 * radius).float().mean()
    assert float(near_shell) > 0.8
    assert len(samples) == 20 * 32
    assert samples.offsets.tolist() == list(range(0, 20 * 32 + 1, 32))
    assert torch.equal(samples.rays, torch.arange(20).repeat_interleave(32))


def test_no_place_is_left_out_however_sure_the_proposal_is() -> None:
    """Of the samples some lie behind what is opaque and before it, or a field that is wrong stays so."""
    given = rays(20)
    sampler = proposed.ProposedSampler(Shell(0.5, 0.02), DOMAIN, proposed.Counts())
    distance = proposed.to_distance(sampler.propose(given).posts)
    assert bool(((distance < 0.4).sum(1) >= 2).all())
    assert bool(((distance > 0.6).sum(1) >= 3).all())


def test_intervals_meet_and_reach_from_near_to_far_when_nothing_is_known() -> None:
    given = rays(4)
    sampler = proposed.ProposedSampler(Shell(1e9, 0.0), DOMAIN, proposed.Counts(8, 8, 8))
    found = sampler.propose(given)
    speed = given.directions.norm(dim=-1)
    assert torch.allclose(found.posts[:, 0], proposed.to_even(given.near * speed), atol=1e-5)
    assert torch.allclose(found.posts[:, -1], proposed.to_even(given.far * speed), atol=1e-4)
    assert torch.allclose(found.posts.diff(dim=1), found.posts.diff(dim=1).mean(1, keepdim=True), atol=1e-4)
    lengths = found.samples.lengths.view(4, 8)
    assert torch.allclose(lengths, proposed.to_distance(found.posts).diff(dim=1))


def test_weights_are_those_of_compositing() -> None:
    densities, lengths = torch.tensor([[0.0, 2.0, 5.0]]), torch.tensor([[1.0, 0.5, 1.0]])
    alpha = 1 - torch.exp(-densities * lengths)
    expected = alpha * torch.cumprod(torch.cat([torch.ones(1, 1), 1 - alpha[:, :-1]], 1), 1)
    assert torch.allclose(proposed.weights_of(densities, lengths), expected)


def test_the_distortion_is_that_of_the_definition() -> None:
    random = torch.Generator().manual_seed(1)
    posts = torch.rand(3, 6, generator=random).sort(dim=1).values
    weights = torch.rand(3, 5, generator=random)
    middles = (posts[:, 1:] + posts[:, :-1]) / 2
    apart = (middles[:, :, None] - middles[:, None]).abs()
    pairs = (weights[:, :, None] * weights[:, None] * apart).sum((1, 2))
    own = (weights.square() * posts.diff(dim=1)).sum(1) / 3
    assert torch.allclose(proposal_placing.distortion(posts, weights), (pairs + own).mean())


def test_nothing_is_unbounded_below_a_histogram_that_says_enough() -> None:
    posts = torch.linspace(0, 1, 5).expand(2, 5)
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.1], [0.0, 0.9, 0.0, 0.1]])
    enough = proposed.Histogram(posts, weights)
    assert float(proposal_placing.unbounded_share(posts, weights, enough)) == 0
    lower = weights.clone().requires_grad_()
    less = proposed.Histogram(posts, 0.5 * lower)
    loss = proposal_placing.unbounded_share(posts, weights, less)
    assert float(loss.detach()) == pytest.approx(float((weights / 4).sum(1).mean()), rel=1e-3)
    loss.backward()
    assert lower.grad is not None
    assert bool((lower.grad[weights > 0] < 0).all()), "the histogram rises"


def test_a_proposal_learns_where_a_wall_is() -> None:
    """A field with a wall at one distance teaches a fresh proposal to send samples there."""
    torch.manual_seed(0)
    made = Proposal(Settings(), generator=torch.Generator().manual_seed(0))
    placing = proposal_placing.ProposalPlacing(made, DOMAIN, proposed.Counts(32, 32, 16), 64 * 16)
    random = torch.Generator().manual_seed(0)

    def near_wall() -> float:
        samples = placing.sampler().samples(rays(64))
        distance = samples.places * rays(64).directions.norm(dim=-1)[samples.rays]
        return float(((distance - 0.7).abs() < 0.1).float().mean())

    before = near_wall()
    for step in range(60):
        given = rays(placing.rays)
        samples = placing.place(given, step, random)
        distance = samples.places * given.directions.norm(dim=-1)[samples.rays]
        wall = 200.0 * ((distance - 0.7).abs() < 0.05)
        loss = placing.loss(wall, samples)
        assert loss is not None
        loss.backward()
        placing.learn(1.0)
    assert near_wall() > max(0.6, 2 * before)
    assert math.isfinite(float(loss.detach()))
