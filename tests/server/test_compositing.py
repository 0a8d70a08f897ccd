"""Compositing against closed forms: constant densities, walls, emptiness."""

import pytest
import torch
from maquette_server.rendering import compositing
from torch import Tensor

FORWARD = torch.tensor([[0.0, 0.0, -1.0]])


def scene(rays: int = 6, intervals: int = 9) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Densities, colours, posts and directions of no meaning."""
    generator = torch.Generator().manual_seed(0)
    densities = 3 * torch.rand(rays, intervals, generator=generator)
    colours = torch.rand(rays, intervals, 3, generator=generator)
    posts = 2 + torch.cumsum(torch.rand(rays, intervals + 1, generator=generator), 1)
    return densities, colours, posts, torch.randn(rays, 3, generator=generator)


def test_weights_opacity_and_distance_have_the_printed_values() -> None:
    densities, posts = torch.tensor([[1.0, 2.0, 0.5]]), torch.tensor([[2.0, 2.5, 3.0, 4.0]])
    found = compositing.composite(densities, torch.zeros(1, 3, 3), posts, FORWARD, "black")
    torch.testing.assert_close(found.weights[0], torch.tensor([0.39346934, 0.38340050, 0.08779488]))
    assert float(found.opacity) == pytest.approx(0.86466472, rel=1e-6)
    assert float(found.distance) == pytest.approx(2.59862513, rel=1e-6)


@pytest.mark.parametrize("density", [1e-4, 0.3, 50.0])
def test_constant_density_follows_the_exponential_law(density: float) -> None:
    posts = torch.linspace(1, 3, 400, dtype=torch.float64)[None]
    densities = torch.full((1, 399), density, dtype=torch.float64)
    length = 2 * 1.5
    found = compositing.composite(
        densities,
        torch.ones(1, 399, 3, dtype=torch.float64),
        posts,
        torch.tensor([[0.5, 1.0, 1.0]], dtype=torch.float64),
        "black",
    )
    share = -torch.expm1(torch.tensor(-density * length, dtype=torch.float64))
    torch.testing.assert_close(found.opacity[0], share)
    torch.testing.assert_close(found.colours[0], share.expand(3))
    beyond = 1 / density - length * (1 - share) / share  # mean way of a photon that is stopped
    torch.testing.assert_close(found.distance[0], 1 + beyond / 1.5, rtol=1e-3, atol=0)


def test_weights_are_shares() -> None:
    densities, _, posts, directions = scene(200, 64)
    for factor in (0.0, 1.0, 1e3, 1e30):
        weights = compositing.weights_of(densities * factor, posts, directions)
        assert float(weights.min()) >= 0
        assert float(weights.sum(-1).max()) <= 1 + 1e-6


def test_splitting_an_interval_changes_nothing() -> None:
    densities, colours, posts, directions = (value.double() for value in scene())
    halves = torch.stack([posts[:, :-1], (posts[:, :-1] + posts[:, 1:]) / 2], -1).flatten(1)
    whole = compositing.composite(densities, colours, posts, directions)
    split = compositing.composite(
        densities.repeat_interleave(2, 1),
        colours.repeat_interleave(2, 1),
        torch.cat([halves, posts[:, -1:]], 1),
        directions,
    )
    torch.testing.assert_close(whole.colours, split.colours)
    torch.testing.assert_close(whole.opacity, split.opacity)


def test_a_wall_hides_what_is_behind_it() -> None:
    densities, colours, posts, directions = scene()
    densities[:, 4] = 1e6
    other = colours.clone()
    other[:, 5:] = 0
    one = compositing.composite(densities, colours, posts, directions)
    torch.testing.assert_close(
        one.colours, compositing.composite(densities, other, posts, directions, "black").colours
    )
    torch.testing.assert_close(one.opacity, torch.ones(6))


def test_emptiness_shows_the_background_at_the_far_end() -> None:
    _, colours, posts, directions = scene()
    empty = torch.zeros(6, 9, requires_grad=True)
    own = torch.tensor([0.1, 0.2, 0.3])
    expected = {
        "white": torch.ones(6, 3),
        "black": torch.zeros(6, 3),
        "last_sample": colours[:, -1],
    }
    for name, colour in expected.items():
        torch.testing.assert_close(
            compositing.composite(empty, colours, posts, directions, name).colours, colour
        )
    found = compositing.composite(empty, colours, posts, directions, own)
    torch.testing.assert_close(found.colours, own.expand(6, 3))
    each = torch.rand(6, 3)
    torch.testing.assert_close(compositing.composite(empty, colours, posts, directions, each).colours, each)
    torch.testing.assert_close(found.distance, posts[:, -1])
    (found.colours.sum() + found.distance.sum()).backward()
    assert empty.grad is not None
    assert empty.grad.isfinite().all()


def test_distance_stays_on_the_ray() -> None:
    _, _, posts, _ = scene()
    found = compositing.distance_of(torch.full((6, 9), 1e-38), posts)
    assert bool((found >= posts[:, 0]).all())
    assert bool((found <= posts[:, -1]).all())


def test_gradients_are_those_of_the_formulas() -> None:
    densities, colours, posts, directions = (value.double() for value in scene(2, 4))
    densities.requires_grad_()
    colours.requires_grad_()

    def outputs(densities: Tensor, colours: Tensor) -> tuple[Tensor, ...]:
        found = compositing.composite(densities, colours, posts, directions, "last_sample")
        return found.colours, found.weights, found.distance

    assert torch.autograd.gradcheck(outputs, (densities, colours))


def test_wrong_shapes_and_backgrounds_are_refused() -> None:
    densities, colours, posts, directions = scene()
    with pytest.raises(ValueError, match=r"\[6, 9\]"):
        compositing.composite(densities, colours, posts[:, :9], directions)
    with pytest.raises(ValueError, match=r"\[6, 9, 3\]"):
        compositing.composite(densities, colours[:, :3], posts, directions)
    with pytest.raises(ValueError, match="green"):
        compositing.composite(densities, colours, posts, directions, "green")
    with pytest.raises(ValueError, match=r"\[4\]"):
        compositing.composite(densities, colours, posts, directions, torch.zeros(4))
    with pytest.raises(ValueError, match=r"\[3\]"):
        compositing.weights_of(densities, posts, directions[0])
