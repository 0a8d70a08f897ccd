"""From a latent texture to colours: views of it are decoded one by one and painted onto the atlas.

Decoding the atlas itself would mix charts that are neighbours only in the image; a decoded view is an image
of the kind the latents were optimised in. Behind the object its border latents are spread outwards, so that
no background bleeds in.
"""

from collections.abc import Callable, Generator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..cameras.pinhole import Pinhole
from ..guidance.bridge import RgbBridge
from ..rasterise.base import Rasteriser
from ..rendering import surface_view
from . import views

DEPTH_SIDE = 512  # pixels of the visibility test
# Decoded pixels on either side of a cut that are evened out. Mean step across cuts over that inside charts:
# with 1.5, 2, 2.5 and 3 a box has 1.82, 1.91, 1.39, 1.40; spot 1.21, 1.14, 1.05, 1.02. Wider blurs more.
BAND = 2.5
_FADE = (1 / 512, 6 / 512)  # shares of the picture, from a silhouette


def bake(
    accumulator: views.Accumulator,
    render: Callable[[Pinhole], tuple[Tensor, Tensor]],
    bridge: RgbBridge,
    rasteriser: Rasteriser,
    cameras: Sequence[Pinhole],
    depth_side: int = DEPTH_SIDE,
) -> Generator[int, None, None]:
    """Adds every camera's decoded view to the accumulator (3 channels); yields how many are done.

    render: gives latents [1, C, n, n] and coverage [n, n] of a camera with n x n pixels.  depth_side: pixels
    of the visibility test.
    """
    for done, camera in enumerate(cameras, 1):
        latents, coverage = render(camera)
        with torch.no_grad():
            picture = bridge.to_rgb(spread_outwards(latents, coverage))
        add(accumulator, picture[0].movedim(0, -1).cpu().numpy(), camera, rasteriser, depth_side)
        yield done


def add(
    accumulator: views.Accumulator,
    picture: NDArray[np.float32],
    camera: Pinhole,
    rasteriser: Rasteriser,
    depth_side: int = DEPTH_SIDE,
) -> None:
    """Adds a decoded picture [H, W, 3]. camera: square, of any size."""
    fade = (_FADE[0] * depth_side, _FADE[1] * depth_side)
    accumulator.add(picture, camera, rasteriser.rasterise(camera.resized(depth_side, depth_side)), fade)


def spread_outwards(latents: Tensor, coverage: Tensor) -> Tensor:
    """[1, C, n, n] in which pixels without surface take the latents of the nearest pixel with some.

    latents are weighted by coverage [n, n] (black background); here they are divided by it.
    """
    covered = coverage.cpu().numpy() > 0.05
    if not covered.any():
        return latents
    row, column = ndimage.distance_transform_edt(~covered, return_distances=False, return_indices=True)
    straight = latents / coverage.clamp(min=0.05)
    return straight[
        :, :, torch.from_numpy(row).to(latents.device), torch.from_numpy(column).to(latents.device)
    ]


def surface_renderer(
    rasteriser: Rasteriser, surface: surface_view.UnwrappedSurface, table: Tensor, side: int, levels: int
) -> Callable[[Pinhole], tuple[Tensor, Tensor]]:
    """A `render` for `bake`: the latent texture `table` on its surface over nothing."""
    nothing = torch.zeros(1, table.shape[1], device=table.device)

    def render(camera: Pinhole) -> tuple[Tensor, Tensor]:
        seen = surface_view.view(
            rasteriser, surface, camera, side,
            samples=4, filter="mip", border="repeat", levels=levels, device=table.device,
        )  # fmt: skip
        return seen.render(table, nothing), seen.coverage.reshape(camera.height, camera.width)

    return render


def to_u8(texture: NDArray[np.float32]) -> NDArray[np.uint8]:
    """0..1 to 0..255 by rounding."""
    return (texture * 255 + 0.5).clip(0, 255).astype(np.uint8)
