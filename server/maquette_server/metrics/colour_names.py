"""Which of twelve colour names a colour is nearest to, in CIELAB.

Colours are sRGB in 0..1, [..., 3].
"""

import numpy as np
from numpy.typing import NDArray

# sRGB of the named colours as people mean them on an object, not the corners of the cube.
NAMES: dict[str, tuple[float, float, float]] = {
    "red": (0.80, 0.08, 0.08),
    "green": (0.10, 0.60, 0.15),
    "blue": (0.10, 0.20, 0.80),
    "yellow": (0.95, 0.85, 0.10),
    "orange": (0.95, 0.50, 0.05),
    "purple": (0.50, 0.10, 0.65),
    "pink": (0.95, 0.55, 0.70),
    "brown": (0.42, 0.25, 0.12),
    "black": (0.05, 0.05, 0.05),
    "white": (0.95, 0.95, 0.95),
    "gray": (0.50, 0.50, 0.50),
    "cyan": (0.10, 0.80, 0.85),
}

_XYZ_FROM_LINEAR = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])  # D65


def lab(srgb: NDArray[np.floating]) -> NDArray[np.float64]:
    """CIELAB (D65) [..., 3] of sRGB [..., 3]."""
    srgb = np.asarray(srgb, np.float64)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    share = (linear @ _XYZ_FROM_LINEAR.T) / _WHITE
    f = np.where(share > (6 / 29) ** 3, np.cbrt(share), share / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], -1)


def nearest(srgb: NDArray[np.floating]) -> NDArray[np.str_]:
    """The nearest name of each colour."""
    references = lab(np.array(list(NAMES.values())))
    difference = lab(srgb)[..., None, :] - references
    # Lightness counts half: a shaded red is still red.
    distance = (difference * (0.5, 1.0, 1.0)) ** 2
    return np.array(list(NAMES))[distance.sum(-1).argmin(-1)]


def share(srgb: NDArray[np.floating], name: str) -> float:
    """Share of the colours whose nearest name is `name`."""
    return float((nearest(srgb) == name).mean())
