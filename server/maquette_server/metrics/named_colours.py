"""Colours that a text names, and how far things move towards one.

Colours are sRGB in 0..1, [..., 3].
"""

import re

import numpy as np
from numpy.typing import NDArray

from . import colour_names


def the_one_named(text: str) -> str | None:
    """The colour that a text names; None where it names none, or several."""
    named = [name for name in colour_names.NAMES if re.search(rf"\b{name}\b", text.lower())]
    return named[0] if len(named) == 1 else None


def moved_towards(before: NDArray[np.floating], after: NDArray[np.floating], name: str) -> float:
    """By how many dE (CIELAB, 1976) the mean colour of the pixels [N, 3] came nearer to a named one."""
    target = colour_names.lab(np.array(colour_names.NAMES[name]))
    was, now = (colour_names.lab(pixels.mean(0)) for pixels in (before, after))
    return float(np.linalg.norm(was - target) - np.linalg.norm(now - target))
