"""Rays of cameras, where intervals lie along them, and how they follow weights."""

import math

import pytest
import torch
from maquette_server.cameras.lens import Lens
from maquette_server.rendering import rays, sampling
from torch import Tensor


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def histograms(count: int = 50, bins: int = 16) -> tuple[Tensor, Tensor]:
    """Posts and weights, with empty bins and empty rays among them."""
    generator = seeded()
    posts = 2 + torch.cumsum(torch.rand(count, bins + 1, generator=generator) + 1e-3, 1)
    weights = torch.rand(count, bins, generator=generator) ** 4
    weights[torch.rand(count, bins, generator=generator) < 0.4] = 0
    weights[0] = 0
    return posts, weights


def lens(width: int) -> Lens:
    angle = 0.6911112070
    focal = 0.5 * width / math.tan(0.5 * angle)
    return Lens(width, width, focal, focal, width / 2, width / 2)


def seen(count: int) -> rays.Rays:
    """Rays that all differ."""
    generator = seeded(1)
    points = torch.rand(2, count, 3, generator=generator)
    ones = torch.ones(count)
    return rays.Rays(points[0], points[1], 0.1 * ones, 2 * ones, 6 * ones)


def test_radii_have_the_printed_values_and_double_as_pixels_do() -> None:
    assert lens(800).focal_x == pytest.approx(1111.111031, rel=1e-8)
    for width, radius in ((800, 5.19615280e-4), (400, 1.03923e-3), (200, 2.07846e-3), (100, 4.15692e-3)):
        assert rays.pixel_radius(lens(width)) == pytest.approx(radius, rel=1e-5)


def test_chunks_put_together_are_the_whole() -> None:
    found = seen(25)
    parts = list(found.chunks(4))
    assert [len(part) for part in parts] == [4] * 6 + [1]
    torch.testing.assert_close(torch.cat([part.directions for part in parts]), found.directions)
    batch = rays.Batch(found, torch.rand(25, 3), torch.rand(25))
    torch.testing.assert_close(batch[torch.tensor([3, 1])].colours, batch.colours[[3, 1]])
    assert batch.to("cpu").rays.device == torch.device("cpu")
    with pytest.raises(ValueError, match="0"):
        list(found.chunks(0))


def test_first_posts_divide_t_or_disparity_evenly() -> None:
    near, far = torch.tensor([1.0, 2.0]), torch.tensor([4.0, 6.0])
    posts = sampling.first_posts(near, far, 3)
    torch.testing.assert_close(posts, torch.tensor([[1.0, 2, 3, 4], [2, 10 / 3, 14 / 3, 6]]))
    inverse = 1 / sampling.first_posts(near, far, 3, disparity=True)
    torch.testing.assert_close(torch.diff(inverse), torch.diff(inverse)[:, :1].expand(2, 3))
    torch.testing.assert_close(1 / inverse[:, [0, -1]], torch.stack([near, far], 1))


def test_jitter_moves_posts_to_the_middles_at_most_and_evenly() -> None:
    posts = torch.tensor([[1.0, 2.0, 4.0, 5.0]]).expand(100_000, 4)
    drawn = sampling.jittered(posts, seeded())
    low, high = torch.tensor([1.0, 1.5, 3.0, 4.5]), torch.tensor([1.5, 3.0, 4.5, 5.0])
    assert bool((drawn >= low).all())
    assert bool((drawn <= high).all())
    assert bool((torch.diff(drawn) >= 0).all())
    torch.testing.assert_close(drawn.mean(0), (low + high) / 2, rtol=0, atol=0.01)
    torch.testing.assert_close(drawn.var(0), (high - low) ** 2 / 12, rtol=0.02, atol=0)


def test_the_blur_has_the_printed_values() -> None:
    weights = torch.tensor([[0, 0, 0.8, 0.2, 0, 0]])
    found = sampling.blurred(weights)
    torch.testing.assert_close(found, torch.tensor([[0, 0.4, 0.8, 0.5, 0.1, 0]]))
    padded = found + 0.01
    expected = torch.tensor([[0.00537634, 0.22043011, 0.43548387, 0.27419355, 0.05913978, 0.00537634]])
    torch.testing.assert_close(padded / padded.sum(), expected)


def test_the_blur_starves_nothing() -> None:
    _, weights = histograms()
    assert bool((sampling.blurred(weights) >= weights).all())


@pytest.mark.parametrize("generator", [None, seeded()])
def test_resampling_keeps_total_weight(generator: torch.Generator | None) -> None:
    """As many places fall into each bin as its share of the weight says, to one place at each end."""
    posts, weights = histograms()
    count = 4000
    places = sampling.resampled(posts, weights, count, generator=generator)
    assert bool((torch.diff(places) >= 0).all())
    shares = weights / weights.sum(1, keepdim=True)
    shares[0] = 1 / weights.shape[1]  # of the ray without weights: spread evenly
    above = places[:, :, None] >= posts[:, None, :-1]
    below = places[:, :, None] < posts[:, None, 1:]
    found = (above & below).sum(1) / count
    torch.testing.assert_close(found, shares, rtol=0, atol=2.5 / count)


def test_resampling_evenly_gives_even_posts() -> None:
    posts = torch.linspace(2, 6, 9)[None]
    found = sampling.resampled(posts, torch.ones(1, 8), 17)
    torch.testing.assert_close(found, torch.linspace(2, 6, 17)[None])


def test_resampled_posts_stay_on_the_ray() -> None:
    posts, weights = histograms()
    for generator in (None, seeded()):
        found = sampling.next_posts(posts, weights, 33, generator=generator)
        assert found.shape == (50, 34)
        assert bool((found >= posts[:, :1]).all())
        assert bool((found <= posts[:, -1:]).all())
        assert bool((torch.diff(found) >= 0).all())


def test_hopeless_weights_give_posts_all_the_same() -> None:
    posts = torch.linspace(2, 6, 5).expand(3, 5)
    weights = torch.tensor([[0.0] * 4, [1e-30] * 4, [0.0, 0.0, 3e30, 0.0]])
    found = sampling.next_posts(posts, weights, 8, padding=0)
    assert bool(found.isfinite().all())
    torch.testing.assert_close(found[0], torch.linspace(2, 6, 9))


def test_no_gradient_goes_through_posts() -> None:
    posts, weights = histograms()
    weights.requires_grad_()
    posts.requires_grad_()
    assert not sampling.next_posts(posts, weights, 8, generator=seeded()).requires_grad


def test_bounds_are_the_weight_of_all_bins_that_are_touched() -> None:
    inner, weights = torch.tensor([[0.0, 1, 2, 3, 4]]), torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    posts = torch.tensor([[0.0, 1.0, 1.5, 3.5, 4.0]])
    found = sampling.bounds(posts, inner, weights)
    torch.testing.assert_close(found, torch.tensor([[0.1, 0.2, 0.9, 0.4]]))


def test_a_histogram_bounds_itself_however_it_is_divided() -> None:
    posts, weights = histograms()
    torch.testing.assert_close(sampling.bounds(posts, posts, weights), weights)
    middles = (posts[:, 1:] + posts[:, :-1]) / 2
    finer = torch.cat([posts, middles], 1).sort(1).values
    halves = sampling.bounds(finer, posts, weights)
    torch.testing.assert_close(halves, weights.repeat_interleave(2, 1))


def test_wrong_shapes_are_refused() -> None:
    posts, weights = histograms()
    with pytest.raises(ValueError, match=r"\[50, 16\]"):
        sampling.next_posts(posts[:, :-1], weights, 8)
    with pytest.raises(ValueError, match="place"):
        sampling.resampled(posts, weights, 0)
    with pytest.raises(ValueError, match=r"\[2\]"):
        sampling.first_posts(torch.ones(2), torch.ones(3), 4)
    with pytest.raises(ValueError, match="rays"):
        sampling.bounds(posts[:3], posts, weights)
    given = seen(25)
    with pytest.raises(ValueError, match="radii"):
        rays.Rays(given.origins, given.directions, given.radii[:3], given.near, given.far)
    with pytest.raises(ValueError, match="colours"):
        rays.Batch(given, torch.rand(24, 3), torch.rand(25))
