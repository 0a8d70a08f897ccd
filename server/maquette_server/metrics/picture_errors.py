"""How far a render is from the truth: PSNR, SSIM and the combined "average error" of mip-NeRF.

Pictures are float [H, W, 3] in 0..1, sRGB as shown. SSIM is Wang et al. 2004 (doi:10.1109/TIP.2003.819861)
as the tables of radiance fields have it: a Gaussian window of 11 x 11 pixels, sigma 1.5, only where it lies
wholly inside (valid convolution), k1 0.01, k2 0.03, population covariances, each channel by itself and then
the mean. The average error is that of mip-NeRF (arXiv:2103.13415, sec. 4).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

WINDOW = 11  # pixels
SIGMA = 1.5
K1, K2 = 0.01, 0.03


@dataclass(frozen=True)
class PictureErrors:
    """What one pair of pictures gave."""

    psnr: float  # decibel; infinite for equal pictures
    ssim: float | None  # None with a reason
    why_no_ssim: str = ""


def compare(truth: NDArray[np.floating], render: NDArray[np.floating]) -> PictureErrors:
    """PSNR and SSIM of two pictures [H, W, 3]; no SSIM, with the reason, when they are too small for it."""
    height, width = truth.shape[:2]
    if min(height, width) < WINDOW:
        why = f"SSIM needs {WINDOW} x {WINDOW} pixels; these pictures have {width} x {height}"
        return PictureErrors(psnr(truth, render), None, why)
    return PictureErrors(psnr(truth, render), ssim(truth, render))


def psnr(truth: NDArray[np.floating], render: NDArray[np.floating]) -> float:
    """-10 log10 of the mean squared difference, in decibel; the largest value is 1. Equal pictures: infinity.

    Raises ValueError if the shapes differ, there is no pixel, or a value is not finite.
    """
    one, other = _pair(truth, render)
    mean = float(np.mean((one - other) ** 2))
    return -10.0 * math.log10(mean) if mean > 0 else math.inf


def ssim(truth: NDArray[np.floating], render: NDArray[np.floating]) -> float:
    """Structural similarity, -1..1, 1 for equal pictures. Both sides have at least 11 pixels.

    Rounding can make a variance negative, or a covariance larger than the variances allow: they are clipped
    to 0 and to sqrt(variance x variance), as mip-NeRF's release does. Raises ValueError as `psnr` does.
    """
    one, other = _pair(truth, render)
    if min(one.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs {WINDOW} x {WINDOW} pixels, not {one.shape[1]} x {one.shape[0]}")
    mean_one, mean_other = _blurred(one), _blurred(other)
    variance_one = np.maximum(_blurred(one * one) - mean_one**2, 0.0)
    variance_other = np.maximum(_blurred(other * other) - mean_other**2, 0.0)
    most = np.sqrt(variance_one * variance_other)
    covariance = np.clip(_blurred(one * other) - mean_one * mean_other, -most, most)
    c1, c2 = K1**2, K2**2
    above = (2 * mean_one * mean_other + c1) * (2 * covariance + c2)
    below = (mean_one**2 + mean_other**2 + c1) * (variance_one + variance_other + c2)
    return float(np.mean(above / below))


def average_error(psnr: float, ssim: float, lpips: float) -> float:
    """Geometric mean of the squared error, sqrt(1 - SSIM) and LPIPS (VGG): one number, smaller is better.

    To be taken of a data set's means, not picture by picture. Raises ValueError for SSIM above 1, LPIPS
    below 0, or what is no number.
    """
    if math.isnan(psnr) or not ssim <= 1 or not lpips >= 0:
        raise ValueError(f"there is no average of PSNR {psnr}, SSIM {ssim} and LPIPS {lpips}")
    return float(np.cbrt(10.0 ** (-psnr / 10.0) * math.sqrt(1.0 - ssim) * lpips))


def _pair(
    truth: NDArray[np.floating], render: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    one, other = np.asarray(truth), np.asarray(render)
    if one.shape != other.shape or one.ndim != 3 or one.shape[2] != 3 or one.size == 0:
        raise ValueError(
            f"two pictures [H, W, 3] of one size are compared, not {one.shape} with {other.shape}"
        )
    if not np.issubdtype(one.dtype, np.floating) or not np.issubdtype(other.dtype, np.floating):
        raise ValueError(f"pictures are floats in 0..1, not {one.dtype} and {other.dtype}")
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise ValueError("a picture holds what is no finite number")
    return one.astype(np.float64), other.astype(np.float64)


def _blurred(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Gaussian window's mean wherever the window fits, [H - 10, W - 10, 3]."""
    reach = WINDOW // 2
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / SIGMA) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        picture = ndimage.correlate1d(picture, weights, axis=axis, mode="nearest")
    return picture[reach:-reach, reach:-reach]
