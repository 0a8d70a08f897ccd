"""An edit of small pictures as an edit of the pictures themselves: only what changed is taken over.

A model edits at its own size and through its autoencoder, and both lose detail. The *round trip* is what the
autoencoder alone makes of the small picture, so what differs between the edit and the round trip is the edit.
Where nothing differs the picture stays as it was, pixel for pixel; where the edit is, its colours are taken
and the detail that the round trip lost is given back as a factor of brightness, which keeps their hue.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..metrics import colour_names
from .working_size import resized

_UNSEEN, _PLAIN = 5.0, 12.0  # dE (CIELAB): a change as small is the editor's noise; one as large is an edit
_BLUR = 1 / 64  # of the long side: how far a change reaches
_DETAIL = 1.6  # the most that detail brightens or darkens by, a factor
_DARK = 0.02  # added to brightness before division
_BRIGHTNESS = (0.2126, 0.7152, 0.0722)  # of sRGB as it is coded; good enough for a ratio


@dataclass(frozen=True)
class Edited:
    """A picture after an edit."""

    colours: Tensor  # [3, H, W]
    changed: Tensor  # [H, W], how far each pixel belongs to the edit, 0..1


def put_back(original: Tensor, edited: Tensor, round_trip: Tensor, everywhere: bool = False) -> Edited:
    """The edit at the size of the original.

    original: [3, H, W].  edited, round_trip: [3, h, w].  everywhere: take all from the edit, resized and
    nothing else (the published way).
    """
    height, width = original.shape[-2:]
    if everywhere:
        return Edited(resized(edited, width, height), torch.ones_like(original[0]))
    share = torch.from_numpy(change(_pixels(edited), _pixels(round_trip))).to(original)
    changed = resized(share[None], width, height)[0]
    was, now = resized(round_trip, width, height), resized(edited, width, height)
    ratio = (_brightness(original) + _DARK) / (_brightness(was) + _DARK)
    detailed = (now * ratio.clamp(1 / _DETAIL, _DETAIL)).clamp(0, 1)
    return Edited(torch.lerp(original, detailed, changed), changed)


def change(edited: NDArray[np.floating], round_trip: NDArray[np.floating]) -> NDArray[np.float32]:
    """How far each pixel of [h, w, 3] belongs to the edit, 0..1, [h, w]."""
    blur = _BLUR * max(edited.shape[:2])
    difference = colour_names.lab(edited) - colour_names.lab(round_trip)
    smooth = np.stack([ndimage.gaussian_filter(difference[..., k], blur) for k in range(3)], -1)
    share = np.clip((np.linalg.norm(smooth, axis=-1) - _UNSEEN) / (_PLAIN - _UNSEEN), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def _pixels(picture: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = picture.permute(1, 2, 0).float().cpu().numpy()
    return found


def _brightness(picture: Tensor) -> Tensor:
    return torch.einsum("c,chw->hw", picture.new_tensor(_BRIGHTNESS), picture)
