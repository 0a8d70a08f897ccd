"""Changes to a whole picture: night, sunset, snow and the like.

Pictures are [N, 3, H, W] in 0..1; each grade is one formula, so that what an edit should give is known.
"""

import torch
from torch import Tensor

GRADES: dict[str, tuple[str, ...]] = {
    "night": (
        *("make it night", "turn it to night", "turn it into night", "make it nighttime"),
        *("as if it were at night", "what would it look like at night", "at night"),
    ),
    "black and white": (
        *("make it black and white", "turn it black and white", "remove the colors", "remove the colours"),
        "as a black and white photo",
    ),
    "sunset": ("make it sunset", "turn it to sunset", "at sunset", "add a sunset", "as if it were sunset"),
    "bright": ("make it brighter", "brighten it", "make it lighter"),
    "dark": ("make it darker", "darken it"),
    "snow": (
        "make it snowy",
        "add snow",
        "make it winter",
        "cover it in snow",
        "turn it to winter",
        "turn it into snow",
    ),
    "sepia": ("make it sepia", "as an old photo", "make it vintage", "turn it sepia"),
}
_LUMA = (0.30, 0.59, 0.11)


def luminance(picture: Tensor) -> Tensor:
    """[N, 1, H, W]."""
    weights = picture.new_tensor(_LUMA).reshape(1, 3, 1, 1)
    return (picture * weights).sum(1, keepdim=True)


def _colour(picture: Tensor, red: float, green: float, blue: float) -> Tensor:
    return picture.new_tensor((red, green, blue)).reshape(1, 3, 1, 1)


def graded(picture: Tensor, grade: str) -> Tensor:
    """The picture after one of GRADES."""
    grey = luminance(picture)
    if grade == "night":
        dim = (0.6 * picture + 0.4 * grey).clamp(min=0) ** 1.2
        result = dim * _colour(picture, 0.22, 0.28, 0.52) + _colour(picture, 0.0, 0.01, 0.05)
    elif grade == "black and white":
        result = grey.expand_as(picture)
    elif grade == "sunset":
        height = torch.linspace(1, 0, picture.shape[2], device=picture.device).reshape(1, 1, -1, 1)
        warm = (0.65 * picture + 0.35 * grey) * _colour(picture, 1.18, 0.72, 0.42)
        result = warm + _colour(picture, 0.12, 0.04, 0.03) * height
    elif grade == "bright":
        result = 1.25 * picture + 0.12
    elif grade == "dark":
        result = 0.45 * picture
    elif grade == "snow":
        white = (0.35 + 0.5 * grey).clamp(0, 1)
        result = 0.9 * picture * (1 - white) + white * _colour(picture, 0.95, 0.97, 1.0) * (0.75 + 0.3 * grey)
    elif grade == "sepia":
        result = grey * _colour(picture, 1.05, 0.85, 0.62) + 0.04
    else:
        raise ValueError(f"no grade is called {grade!r}")
    return result.clamp(0, 1)
