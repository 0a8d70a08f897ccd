"""PSNR, SSIM and the average error: closed forms, bounds, and a second implementation."""

import math

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from maquette_server.metrics import picture_errors
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

PICTURES = arrays.arrays(np.float64, (13, 16, 3), elements=st.floats(0, 1))


def noise(height: int = 40, width: int = 52, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).random((height, width, 3))


@pytest.mark.parametrize(("difference", "decibel"), [(1.0, 0.0), (0.1, 20.0), (0.01, 40.0)])
def test_psnr_of_an_even_difference(difference: float, decibel: float) -> None:
    truth = np.zeros((4, 5, 3))
    assert picture_errors.psnr(truth, truth + difference) == pytest.approx(decibel)


def test_equal_pictures_have_no_error() -> None:
    for picture in (noise(), np.zeros((11, 11, 3)), np.ones((30, 11, 3))):
        assert picture_errors.psnr(picture, picture) == math.inf
        assert picture_errors.ssim(picture, picture) == pytest.approx(1.0, abs=1e-12)


def test_ssim_of_two_flat_pictures_is_its_luminance_term() -> None:
    dark, light = np.full((20, 20, 3), 0.2), np.full((20, 20, 3), 0.6)
    c1 = 0.01**2
    expected = (2 * 0.2 * 0.6 + c1) / (0.2**2 + 0.6**2 + c1)
    assert picture_errors.ssim(dark, light) == pytest.approx(expected, abs=1e-9)


def test_ssim_at_one_window_is_the_formula_written_out() -> None:
    one, other = noise(11, 11), noise(11, 11, 1)
    line = np.exp(-0.5 * (np.arange(-5, 6) / 1.5) ** 2)
    weight = np.outer(line, line) / line.sum() ** 2
    values = []
    for channel in range(3):
        a, b = one[..., channel], other[..., channel]
        mean_a, mean_b = (weight * a).sum(), (weight * b).sum()
        variance_a, variance_b = (weight * (a - mean_a) ** 2).sum(), (weight * (b - mean_b) ** 2).sum()
        covariance = (weight * (a - mean_a) * (b - mean_b)).sum()
        light = (2 * mean_a * mean_b + 0.0001) / (mean_a**2 + mean_b**2 + 0.0001)
        values.append(light * (2 * covariance + 0.0009) / (variance_a + variance_b + 0.0009))
    assert picture_errors.ssim(one, other) == pytest.approx(np.mean(values), abs=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_ssim_agrees_with_scikit_image(share: float) -> None:
    truth = np.sin(np.arange(40 * 52 * 3).reshape(40, 52, 3) / 17.0) * 0.5 + 0.5
    render = (1 - share) * truth + share * noise()
    other = structural_similarity(
        *(truth, render),
        channel_axis=-1,
        data_range=1.0,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert picture_errors.ssim(truth, render) == pytest.approx(other, abs=1e-7)


@hypothesis.given(PICTURES, PICTURES)
def test_errors_are_symmetric_and_bounded(one: NDArray[np.float64], other: NDArray[np.float64]) -> None:
    forth, back = picture_errors.compare(one, other), picture_errors.compare(other, one)
    assert forth.psnr == back.psnr >= 0
    assert forth.ssim is not None
    assert forth.ssim == pytest.approx(back.ssim)
    assert -1 <= forth.ssim <= 1 + 1e-12


def test_more_noise_is_more_error() -> None:
    truth = np.full((30, 30, 3), 0.5)
    pattern = noise(30, 30) - 0.5
    results = [picture_errors.compare(truth, truth + amount * pattern) for amount in (0.02, 0.1, 0.5)]
    assert [result.psnr for result in results] == sorted((result.psnr for result in results), reverse=True)
    similar = [result.ssim for result in results if result.ssim is not None]
    assert similar == sorted(similar, reverse=True)
    assert len(similar) == 3


def test_pictures_smaller_than_the_window_have_no_ssim_but_a_reason() -> None:
    result = picture_errors.compare(noise(10, 40), noise(10, 40, 1))
    assert result.ssim is None
    assert "11 x 11" in result.why_no_ssim
    assert "40 x 10" in result.why_no_ssim
    assert result.psnr > 0
    with pytest.raises(ValueError, match="40 x 10"):
        picture_errors.ssim(noise(10, 40), noise(10, 40))
    enough = picture_errors.compare(noise(11, 11), noise(11, 11, 1))
    assert enough.ssim is not None
    assert enough.why_no_ssim == ""


def test_single_precision_is_enough() -> None:
    one, other = noise(), noise(seed=1)
    half = picture_errors.compare(one.astype(np.float32), other.astype(np.float32))
    whole = picture_errors.compare(one, other)
    assert half.psnr == pytest.approx(whole.psnr, abs=1e-4)
    assert half.ssim == pytest.approx(whole.ssim, abs=1e-6)


def test_the_average_error_is_that_of_the_paper() -> None:
    assert picture_errors.average_error(33.085, 0.9605, 0.0425) == pytest.approx(0.016072, abs=5e-7)


def test_the_average_error_is_a_geometric_mean() -> None:
    assert picture_errors.average_error(20.0, 1 - 0.01**2, 0.01) == pytest.approx(0.01)
    assert picture_errors.average_error(math.inf, 0.9, 0.1) == 0
    assert picture_errors.average_error(20.0, 1.0, 0.1) == 0
    for wrong in ((math.nan, 0.9, 0.1), (20.0, 1.1, 0.1), (20.0, 0.9, -0.1), (20.0, math.nan, 0.1)):
        with pytest.raises(ValueError):
            picture_errors.average_error(*wrong)


def test_what_cannot_be_compared_is_refused() -> None:
    picture = noise()
    broken = picture.copy()
    broken[0, 0, 0] = math.nan
    for one, other in (
        (picture, picture[:-1]),
        (picture[..., 0], picture[..., 0]),
        (picture, broken),
        (picture[:0], picture[:0]),
        ((picture * 255).astype(np.uint8), picture),
    ):
        with pytest.raises(ValueError):
            picture_errors.psnr(one, other)
