"""The size at which a model edits pictures, and the way there and back.

Pictures are colours [3, H, W] or batches [B, 3, H, W] in 0..1.
"""

from torch import Tensor, nn


def working_size(width: int, height: int, long_side: int, stride: int) -> tuple[int, int]:
    """Width and height in pixels: the long side as wished, the other in proportion, both rounded to multiples
    of the model's stride and no less than one.
    """
    factor = long_side / max(width, height)
    across, down = (max(1, round(side * factor / stride)) * stride for side in (width, height))
    return across, down


def resized(pictures: Tensor, width: int, height: int) -> Tensor:
    """The same pictures with other pixels: bilinear, each new pixel a mean where there are fewer."""
    if pictures.shape[-2:] == (height, width):
        return pictures
    batch = pictures if pictures.dim() == 4 else pictures[None]
    found: Tensor = nn.functional.interpolate(
        batch, (height, width), mode="bilinear", align_corners=False, antialias=True
    )
    return found.clamp(0, 1).view(*pictures.shape[:-2], height, width)
