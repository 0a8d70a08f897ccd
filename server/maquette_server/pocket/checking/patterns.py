"""Which pattern a thing has in two named colours: stripes and checks by spectrum, dots by counting."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from ...metrics import colour_names
from . import colours, things
from .spectrum import spectrum

NONE = "none"
MISSING = ", a colour missing"
_NEAR = 26.0  # CIELAB, lightness by half: a pixel may have one of two colours within this
_MIDDLE = 0.42  # of the side, radius within which such pixels are looked for
_DOTS = 4  # one of them clear of the outline
_DOT_PIXELS = 5
_DOT_SHARE = 0.15  # of the thing, at most


def verdicts(
    pictures: NDArray[np.floating],
    pairs: Sequence[tuple[str, str]],
    where: NDArray[np.bool_] | None = None,
) -> list[str]:
    """ "stripes", "checks", "dots" or "none" of each picture [N, S, S, 3].

    `where` [N, S, S] says where the things are. Without it two guesses are tried: what stands out from the
    border, and what has one of the two colours. `MISSING` is added when a named colour is not there.
    """
    maps = np.stack([colours.between(each, *pair) for each, pair in zip(pictures, pairs, strict=True)])
    if where is not None:
        guesses = [where]
    else:
        near = np.stack([_near(each, pair) for each, pair in zip(pictures, pairs, strict=True)])
        found = things.find(pictures)
        # a stripe may have the background's colour; other gaps in the hull are background
        guesses = [found.pixels | (found.whole & near), near & _middle(pictures.shape[1])]
    value = torch.from_numpy(maps).float()
    verdict = [NONE] * len(maps)
    for guess in guesses:
        seen = spectrum(value, torch.from_numpy(guess).float())
        stripes, checks = seen.stripes.tolist(), seen.checks.tolist()
        for k, place in enumerate(guess):
            if verdict[k] == NONE:
                kind = "stripes" if stripes[k] else "checks" if checks[k] else NONE
                verdict[k] = _with_colours(kind, pictures[k], maps[k], place, pairs[k])
    for k, place in enumerate(guesses[0]):
        if verdict[k] == NONE and dotted(maps[k], place):
            verdict[k] = _with_colours("dots", pictures[k], maps[k], place, pairs[k])
    return verdict


def dotted(map_: NDArray[np.floating], where: NDArray[np.bool_]) -> bool:
    """Whether the second colour lies on the first in several small pieces, [S, S] each."""
    labels, count = ndimage.label((map_ > 0.2) & where)
    sizes = np.bincount(labels.reshape(-1), minlength=count + 1)[1:]
    small = (sizes >= _DOT_PIXELS) & (sizes <= _DOT_SHARE * where.sum())
    # at the outline it may be background that shows between
    outline = where & ~ndimage.binary_erosion(where)
    within = small & (np.bincount(labels[outline], minlength=count + 1)[1:] == 0)
    return bool(small.sum() >= _DOTS and within.any() and sizes[small].sum() > 0.6 * sizes.sum())


def _near(picture: NDArray[np.floating], pair: tuple[str, str]) -> NDArray[np.bool_]:
    """Pixels that have one of two colours, [S, S]."""
    reference = colour_names.lab(np.array([colour_names.NAMES[name] for name in pair]))
    apart = (colour_names.lab(picture)[..., None, :] - reference) * (0.5, 1, 1)
    return np.asarray(ndimage.binary_closing(np.linalg.norm(apart, axis=-1).min(-1) < _NEAR))


def _middle(side: int) -> NDArray[np.bool_]:
    line = (np.arange(side) + 0.5) / side - 0.5
    return np.hypot(line[:, None], line) < _MIDDLE


def _with_colours(
    kind: str,
    picture: NDArray[np.floating],
    map_: NDArray[np.floating],
    where: NDArray[np.bool_],
    pair: tuple[str, str],
) -> str:
    if kind == NONE:
        return NONE
    there = tuple(colours.won(picture, where & side) for side in (map_ < 0, map_ > 0))
    return kind if there == pair else kind + MISSING
