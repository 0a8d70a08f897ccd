"""What the model is shown of a field of latents: the latents themselves, or colours made of them, encoded.

The second is the refinement of arXiv:2211.07600, section 3.4: a linear layer from latents to colours begins
as the model's own approximation of its decoder (`guidance.latent_rgb`), and is then learnt with the field by
what the model says of whole pictures. It is applied to pixels; applied to samples it would be the same, since
it is linear and a ray's weights, with its background's, add up to 1.
"""

import torch
from torch import Tensor

from ..guidance.bridge import RgbBridge


class Plain:
    """Latents as they are."""

    def __init__(self, side: int) -> None:
        self.side = side

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """None."""
        return {}

    def latents(self, seen: Tensor) -> Tensor:
        """The views themselves."""
        return seen


class Colours:
    """Latents -> colours -> the encoder's latents."""

    def __init__(self, bridge: RgbBridge, matrix: Tensor, side: int, pixels: int) -> None:
        """matrix: [C, 3], to colours in [-1, 1].  side: rays of a view.  pixels: of the picture that is
        encoded, along a side.
        """
        self.side = side
        self.matrix = torch.nn.Parameter(matrix.clone())
        self._bridge, self._pixels = bridge, pixels

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """The linear layer."""
        return {"colours": self.matrix}

    def rgb(self, seen: Tensor) -> Tensor:
        """Colours [B, 3, h, w], about 0..1, of latents [B, C, h, w]."""
        return rgb(seen, self.matrix)

    def latents(self, seen: Tensor) -> Tensor:
        """Encoded by the mode of the encoder's posterior."""
        pictures = self.rgb(seen)
        if pictures.shape[-1] != self._pixels:
            size = (self._pixels, self._pixels)
            pictures = torch.nn.functional.interpolate(pictures, size, mode="bilinear", align_corners=False)
        return self._bridge.to_latents(pictures, sample=False)


def rgb(latents: Tensor, matrix: Tensor) -> Tensor:
    """Colours [B, 3, h, w], about 0..1, of latents [B, C, h, w] by a matrix [C, 3] (paper's eq. 3)."""
    return (torch.einsum("bchw,cd->bdhw", latents, matrix) + 1) / 2
