"""Zip-NeRF's six points an interval against the frustum they stand for."""

import math

import pytest
import torch
from maquette_server.rendering import frustums, multisamples, rays


def some_rays(count: int = 40) -> rays.Rays:
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(count, 3, generator=generator, dtype=torch.float64)
    directions[:2] = torch.tensor([[0.0, 0, 1], [0, 0, -1]])  # the poles of the basis
    constant = torch.ones(count, dtype=torch.float64)
    return rays.Rays(
        torch.randn(count, 3, generator=generator, dtype=torch.float64),
        directions,
        0.1 * constant,
        constant,
        2 * constant,
    )


def test_places_have_the_printed_values() -> None:
    places = multisamples.places_of(torch.tensor([[1.0, 2.0]], dtype=torch.float64))[0, 0]
    expected = [1.20830161, 1.36783811, 1.52737461, 1.68691111, 1.84644761, 2.00598411]
    torch.testing.assert_close(places, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=5e-9)
    assert float(places.mean()) == pytest.approx(1.60714286)
    assert float(places.var(correction=0)) == pytest.approx(0.07423469)


@pytest.mark.parametrize("generator", [None, torch.Generator().manual_seed(3)])
def test_they_have_the_moments_of_the_frustum(generator: torch.Generator | None) -> None:
    seen = some_rays()
    posts = torch.tensor([0.5, 1.0, 1.1, 4.0], dtype=torch.float64).expand(len(seen), 4)
    moments = frustums.cone(posts, seen.radii)
    found = multisamples.of_rays(seen, posts, generator=generator)
    length = seen.directions.norm(dim=-1)[:, None, None]
    unit = seen.directions[:, None, None] / length[..., None]
    offset = found.points - seen.origins[:, None, None]
    along = (offset * unit).sum(-1)
    torch.testing.assert_close((along / length).mean(-1), moments.mean)
    torch.testing.assert_close((along / length).var(-1, correction=0), moments.along)
    aside = offset - along[..., None] * unit
    torch.testing.assert_close(aside.square().sum(-1).mean(-1), 2 * moments.across)
    places = multisamples.places_of(posts)
    torch.testing.assert_close(found.deviations, 0.5 * 0.1 * places / math.sqrt(2))
    torch.testing.assert_close(found.deviations, 0.5 * aside.norm(dim=-1))


def test_every_second_hexagon_is_mirrored_and_turned_by_a_twelfth() -> None:
    seen = some_rays(3)
    posts = torch.tensor([1.0, 1.001, 1.002], dtype=torch.float64).expand(3, 3)
    found = multisamples.of_rays(seen, posts)
    one, other = multisamples.across(seen.directions)
    offset = found.points - found.points.mean(2, keepdim=True)
    x, y = ((offset * axis[:, None, None]).sum(-1) for axis in (one, other))
    angles = torch.rad2deg(torch.atan2(y, x)).round().long() % 360
    expected = torch.tensor([[0, 120, 240, 180, 300, 60], [270, 150, 30, 90, 330, 210]])
    torch.testing.assert_close(angles, expected.expand(3, 2, 6))


def test_across_is_an_orthonormal_basis() -> None:
    directions = some_rays().directions
    one, other = multisamples.across(directions)
    basis = torch.stack([one, other, directions / directions.norm(dim=-1, keepdim=True)], 1)
    torch.testing.assert_close(
        basis @ basis.mT, torch.eye(3, dtype=torch.float64).expand(len(basis), 3, 3), atol=1e-9, rtol=0
    )


@pytest.mark.parametrize(
    ("deviation", "resolution", "expected"),
    [
        (0.01, 16, 0.99822195),
        (0.01, 64, 0.56534453),
        (0.01, 256, 0.15485169),
        (0.001, 256, 0.94919521),
        (0.001, 2048, 0.19287809),
    ],
)
def test_fading_has_the_printed_values(deviation: float, resolution: int, expected: float) -> None:
    found = multisamples.faded(torch.tensor(deviation, dtype=torch.float64), resolution)
    assert float(found) == pytest.approx(expected, rel=1e-7)


def test_gradients_are_finite_at_the_apex_and_at_points() -> None:
    deviations = torch.tensor([0.0, 1e-20, 1.0, 1e20], requires_grad=True)
    factors = multisamples.faded(deviations, 64)
    factors.sum().backward()
    assert float(factors.detach()[0]) == 1
    assert deviations.grad is not None
    assert deviations.grad.isfinite().all()
    posts = torch.zeros(1, 3, requires_grad=True)
    places = multisamples.places_of(posts)
    places.sum().backward()
    assert bool(places.isfinite().all())
    assert posts.grad is not None
    assert posts.grad.isfinite().all()


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[3, 4\]"):
        multisamples.of_rays(some_rays(), torch.zeros(3, 4))
    with pytest.raises(ValueError, match=r"\[3\]"):
        multisamples.across(torch.zeros(3))
    with pytest.raises(ValueError, match="0"):
        multisamples.faded(torch.ones(2), 0)
