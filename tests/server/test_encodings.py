"""Encodings against printed numbers, averages over draws, and limits."""

import math

import pytest
import torch
from maquette_server.fields import encodings
from maquette_server.rendering import frustums


def test_the_integrated_encoding_has_the_printed_values_in_their_order() -> None:
    means = torch.tensor([0.3, -0.5, 0.1], dtype=torch.float64)
    variances = torch.tensor([0.01, 0.04, 0], dtype=torch.float64)
    sines = [0.294046, -0.469932, 0.099833, 0.553462, -0.776776, 0.198669, 0.860381, -0.660285, 0.389418]
    cosines = [0.950572, 0.860205, 0.995004, 0.808993, 0.498762, 0.980067, 0.334498, -0.302185, 0.921061]
    found = encodings.integrated(means, variances, 3)
    torch.testing.assert_close(
        found, torch.tensor([*sines, *cosines], dtype=torch.float64), rtol=0, atol=6e-7
    )


def test_attenuation_has_the_printed_values() -> None:
    cosines = encodings.integrated(torch.zeros(1), torch.tensor([0.01]), 6)[6:]
    expected = torch.tensor([0.995012, 0.980199, 0.923116, 0.726149, 0.278037, 0.005976])
    torch.testing.assert_close(cosines, expected, rtol=0, atol=1e-6)


def test_it_is_the_average_over_a_gaussian() -> None:
    generator = torch.Generator().manual_seed(0)
    means = torch.tensor([0.3, -0.5, 0.1], dtype=torch.float64)
    variances = torch.tensor([0.01, 0.04, 0], dtype=torch.float64)
    drawn = means + variances.sqrt() * torch.randn(1_000_000, 3, generator=generator, dtype=torch.float64)
    average = encodings.integrated(drawn, None, 3).mean(0)
    torch.testing.assert_close(encodings.integrated(means, variances, 3), average, rtol=0, atol=2e-3)


def test_points_become_96_numbers_and_directions_27() -> None:
    assert encodings.integrated(torch.zeros(5, 7, 3), torch.zeros(5, 7, 3)).shape == (5, 7, 96)
    assert encodings.positional(torch.zeros(5, 3)).shape == (5, 27)


def test_the_plain_encoding_begins_with_the_values_themselves() -> None:
    value = torch.tensor([0.6, 0.0, -0.8])
    found = encodings.positional(value, 2)
    twice = torch.cat([value, 2 * value])
    torch.testing.assert_close(found, torch.cat([value, torch.sin(twice), torch.cos(twice)]))


def test_without_variance_integration_changes_nothing() -> None:
    means = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        encodings.integrated(means, torch.zeros_like(means)), encodings.integrated(means, None)
    )


def test_large_gaussians_leave_nothing() -> None:
    found = encodings.integrated(torch.randn(9, 3), torch.full((9, 3), 1e6))
    assert float(found.abs().max()) < 1e-12


def test_large_arguments_keep_their_phase() -> None:
    generator = torch.Generator().manual_seed(0)
    means = 8 * torch.rand(2000, 3, generator=generator) - 4  # 2^15 times that is exact in float32
    found = encodings.integrated(means, None, 16).double()
    torch.testing.assert_close(found, encodings.integrated(means.double(), None, 16), rtol=0, atol=1e-5)
    top = torch.sin(means.double() * 2**15)
    torch.testing.assert_close(found[:, 45:48], top, rtol=0, atol=1e-5)


def test_derivatives_are_those_of_sine_and_cosine() -> None:
    means = torch.tensor([[0.3, -2.5, 7.0]], dtype=torch.float64, requires_grad=True)
    variances = torch.tensor([[0.01, 0.04, 0.0]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda m, v: encodings.integrated(m, v, 4), (means, variances))
    far = torch.full((1, 3), 1e9, requires_grad=True)
    encodings.integrated(torch.zeros(1, 3), far).sum().backward()
    assert far.grad is not None
    assert far.grad.isfinite().all()


def test_a_texture_seen_from_afar_fades_to_grey_only_with_integration() -> None:
    """The plane f(x) = 0.5 + 0.5 sin(40 x), seen through pixels 8 times as large as those that show it."""
    frequency, posts, pixel = 40.0, torch.tensor([[1.999, 2.001]]), 0.01
    for factor in (1, 8):
        radius = torch.tensor([2 / math.sqrt(12) * factor * pixel])
        moments = frustums.cone(posts, radius)
        found = frustums.lift(moments, torch.zeros(1, 3), torch.tensor([[0.0, 0.0, -1.0]]))
        variance = found.variances[0, 0, :1].double()
        # a pixel is 2 r across at the plane, so a Gaussian has the variance of that square
        assert float(variance) == pytest.approx((2 * factor * pixel) ** 2 / 12, rel=1e-3)
        x = torch.linspace(-1, 1, 4001, dtype=torch.float64)[:, None]

        def texture(variance: torch.Tensor | None, x: torch.Tensor = x) -> torch.Tensor:
            spread = None if variance is None else (frequency**2 * variance).expand_as(x)
            return 0.5 + 0.5 * encodings.integrated(frequency * x, spread, 1)[:, 0]

        amplitude = 0.5 * math.exp(-0.5 * frequency**2 * float(variance))
        assert float((texture(variance) - 0.5).abs().max()) == pytest.approx(amplitude, rel=1e-4)
        assert float((texture(None) - 0.5).abs().max()) == pytest.approx(0.5, rel=1e-4)
    assert amplitude < 0.1  # of the larger pixels


def test_wrong_shapes_and_half_precision_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        encodings.integrated(torch.zeros(2, 3), torch.zeros(3))
    with pytest.raises(ValueError, match="bfloat16"):
        encodings.integrated(torch.zeros(2, 3, dtype=torch.bfloat16), None)
    with pytest.raises(ValueError, match="degree"):
        encodings.positional(torch.zeros(2, 3), 0)
