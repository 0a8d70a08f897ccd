"""Gaussians of cone pieces against exact fractions, drawn points and limits."""

from fractions import Fraction

import pytest
import torch
from maquette_server.rendering import frustums, rays


def exact(before: float, after: float, radius: float) -> tuple[float, float, float]:
    """Mean of t, variance of t and variance across, by the raw moments in whole fractions."""
    t0, t1, r = (Fraction(value) for value in (before, after, radius))
    mean = Fraction(3, 4) * (t1**4 - t0**4) / (t1**3 - t0**3)
    square = Fraction(3, 5) * (t1**5 - t0**5) / (t1**3 - t0**3)
    return float(mean), float(square - mean**2), float(r**2 * square / 4)


def one_cone(before: float, after: float, radius: float, dtype: torch.dtype) -> torch.Tensor:
    found = frustums.cone(torch.tensor([[before, after]], dtype=dtype), torch.tensor([radius], dtype=dtype))
    return torch.stack([found.mean, found.along, found.across]).flatten()


@pytest.mark.parametrize(
    ("interval", "printed"),
    [
        ((1, 2, 0.01), (1.607142857143, 0.0742346938776, 6.64285714286e-05)),
        ((2, 6, 0.001), (4.615384615385, 1.036686390533, 5.584615384615e-06)),
        ((0, 1, 1), (0.75, 0.0375, 0.15)),
        ((2, 2.03125, 5e-4), (2.01570574774, 8.13749922e-05, 2.53946940e-07)),
    ],
)
def test_moments_are_those_of_the_solid_frustum(
    interval: tuple[float, float, float], printed: tuple[float, float, float]
) -> None:
    expected = torch.tensor(exact(*interval), dtype=torch.float64)
    torch.testing.assert_close(expected, torch.tensor(printed, dtype=torch.float64), rtol=1e-8, atol=0)
    torch.testing.assert_close(one_cone(*interval, torch.float64), expected, rtol=1e-11, atol=0)
    found = one_cone(*interval, torch.float32).double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_thin_frustums_keep_their_variance_in_float32() -> None:
    before, after = (float(value) for value in torch.tensor([5.999, 6.0]))  # as float32 has them
    expected = torch.tensor(exact(before, after, 1.0), dtype=torch.float64)
    found = one_cone(before, after, 1.0, torch.float32).double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=0)


def test_moments_are_those_of_points_drawn_in_a_frustum() -> None:
    generator = torch.Generator().manual_seed(0)
    drawn = torch.rand(3, 1_000_000, generator=generator, dtype=torch.float64)
    t = (1 + 7 * drawn[0]) ** (1 / 3)  # from 1 to 2, with density t^2
    x = 0.3 * t * drawn[1].sqrt() * torch.cos(2 * torch.pi * drawn[2])
    expected = torch.stack([t.mean(), t.var(), x.var()])
    torch.testing.assert_close(one_cone(1, 2, 0.3, torch.float64), expected, rtol=3e-3, atol=0)


def test_a_cylinder_is_a_uniform_one() -> None:
    found = frustums.cylinder(torch.tensor([[1.0, 4.0]]), torch.tensor([0.2]))
    values = [float(value) for value in (found.mean, found.along, found.across)]
    assert values == pytest.approx([2.5, 9 / 12, 0.01])


def test_far_away_a_short_cone_is_a_cylinder() -> None:
    posts, radii = torch.tensor([[1000.0, 1001.0]]), torch.tensor([1e-3])
    cone, cylinder = frustums.cone(posts, radii), frustums.cylinder(posts, radii * 1000.5)
    for name, value in vars(cone).items():
        torch.testing.assert_close(value, getattr(cylinder, name), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("direction", "mean", "variance"),
    [
        ((0.5, 1, 1), (0.80357143, 1.60714286, 1.60714286), (0.01861772, 0.07427160, 0.07427160)),
        ((0, 0, -1), (0, 0, -1.60714286), (6.64285714e-5, 6.64285714e-5, 0.0742346939)),
    ],
)
def test_lifting_gives_the_printed_diagonal(
    direction: tuple[float, ...], mean: tuple[float, ...], variance: tuple[float, ...]
) -> None:
    moments = frustums.cone(torch.tensor([[1.0, 2.0]]), torch.tensor([0.01]))
    found = frustums.lift(moments, torch.zeros(1, 3), torch.tensor([direction], dtype=torch.float32))
    torch.testing.assert_close(found.means[0, 0], torch.tensor(mean), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(found.variances[0, 0], torch.tensor(variance), rtol=1e-6, atol=1e-10)


def test_the_trace_does_not_hang_on_where_the_ray_goes() -> None:
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(50, 3, generator=generator), dim=-1)
    moments = frustums.cone(torch.tensor([[1.0, 2.0, 3.5]]).expand(50, 3), torch.full((50,), 0.4))
    found = frustums.lift(moments, torch.randn(50, 3, generator=generator), directions)
    torch.testing.assert_close(found.variances.sum(-1), moments.along + 2 * moments.across)


def test_stretching_a_direction_and_shrinking_t_changes_nothing() -> None:
    seen = rays.Rays(
        torch.tensor([[0.1, 0.2, 0.3]]),
        torch.tensor([[0.5, 1.0, -2.0]]),
        torch.tensor([0.01]),
        torch.tensor([1.0]),
        torch.tensor([3.0]),
    )
    posts = torch.tensor([[1.0, 1.5, 3.0]])
    stretched = rays.Rays(seen.origins, 4 * seen.directions, 4 * seen.radii, seen.near / 4, seen.far / 4)
    for shape in ("cone", "cylinder"):
        if shape == "cylinder":  # its radius is a length in the world, whatever t is
            stretched = rays.Rays(seen.origins, 4 * seen.directions, seen.radii, seen.near / 4, seen.far / 4)
        one, other = frustums.of_rays(seen, posts, shape), frustums.of_rays(stretched, posts / 4, shape)
        torch.testing.assert_close(one.means, other.means)
        torch.testing.assert_close(one.variances, other.variances)


def test_gradients_are_finite_without_extent_at_the_apex() -> None:
    posts = torch.zeros(1, 3, requires_grad=True)
    radii = torch.zeros(1, requires_grad=True)
    directions = torch.zeros(1, 3, requires_grad=True)
    found = frustums.lift(frustums.cone(posts, radii), torch.zeros(1, 3), directions)
    (found.means.sum() + found.variances.sum()).backward()
    assert found.variances.isfinite().all()
    for value in (posts, radii, directions):
        assert value.grad is not None
        assert value.grad.isfinite().all()


def test_wrong_shapes_and_half_precision_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[4, 3\]"):
        frustums.cone(torch.zeros(4, 3), torch.zeros(3))
    with pytest.raises(ValueError, match="bfloat16"):
        frustums.cone(torch.zeros(4, 3, dtype=torch.bfloat16), torch.zeros(4))
    moments = frustums.cone(torch.ones(4, 3), torch.zeros(4))
    with pytest.raises(ValueError, match=r"\[1, 3\]"):
        frustums.lift(moments, torch.zeros(1, 3), torch.zeros(4, 3))
