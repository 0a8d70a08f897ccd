"""What colour a thing has, and which of two colours each of its pixels has, by CIELAB.

Pictures are sRGB [S, S, 3] in 0..1.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ...metrics import colour_names

# Shade is no colour: the brighter part of a thing is asked, without its highlights. Its pixels vote, so that
# a rim of the background does not decide. Both chosen on renders of another seed.
_BRIGHT = (40.0, 97.0)  # percentiles of lightness
LIT = 0.8  # even that part seldom has full light: white in a room is no pure white
_REACH = 1.2  # of the map, beyond the two colours themselves


def named(picture: NDArray[np.floating], where: NDArray[np.bool_], light: float = LIT) -> str:
    """The name, of the twelve, that most pixels `where` [S, S] are nearest to; empty when there are none.

    `light` is how much of full light falls on what is named; 1 for a painted background.
    """
    core = ndimage.binary_erosion(where)  # the outline is mixed with what is behind
    pixels = picture[core if core.sum() >= 12 else where]
    if not len(pixels):
        return ""
    lightness = colour_names.lab(pixels)[:, 0]
    low, high = np.percentile(lightness, _BRIGHT)
    bright = pixels[(lightness >= low) & (lightness <= high)]
    full = bright / np.maximum(light, bright.max(-1, keepdims=True))  # no brighter than keeps the hue
    names, votes = np.unique(colour_names.nearest(full), return_counts=True)
    return str(names[votes.argmax()])


def between(picture: NDArray[np.floating], first: str, second: str) -> NDArray[np.float64]:
    """-1 where the picture is nearer to `first`, 1 where it is nearer to `second`, [S, S]."""
    low, high = colour_names.lab(np.array([colour_names.NAMES[first], colour_names.NAMES[second]]))
    axis = (high - low) / ((high - low) @ (high - low))
    return np.clip(2 * (colour_names.lab(picture) - (low + high) / 2) @ axis, -_REACH, _REACH)
