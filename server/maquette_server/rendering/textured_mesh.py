"""A mesh with a finished texture, drawn from any camera: for previews, contact sheets and live views."""

import numpy as np
import torch
from numpy.typing import NDArray

from ..cameras.pinhole import Pinhole
from ..rasterise import choose
from . import surface_view, texture

_SAMPLES = 2  # samples a pixel and axis


class TexturedMesh:
    """A surface, its texture pyramid and a rasteriser, ready for many views."""

    def __init__(
        self,
        positions: NDArray[np.floating],
        triangles: NDArray[np.int32],
        corner_uvs: NDArray[np.float32],
        texture_u8: NDArray[np.uint8],
        rasteriser: str = "auto",
    ) -> None:
        """texture_u8: [S, S, 3 or 4], sRGB, row 0 at v = 1. positions must lie within a few units of the
        origin.
        """
        self._surface = surface_view.UnwrappedSurface.of(positions, triangles, corner_uvs)
        self._rasteriser = choose.make(rasteriser, self._surface.positions, triangles, "cpu")
        self._side = texture_u8.shape[0]
        self._levels = texture.level_count(self._side)
        colours = torch.from_numpy(np.ascontiguousarray(texture_u8)).movedim(-1, 0).float() / 255
        if len(colours) == 3:
            colours = torch.cat([colours, torch.ones_like(colours[:1])])
        colours[:3] *= colours[3:]
        self._table = texture.pyramid(colours, self._levels)

    def draw(self, camera: Pinhole, *, shade: float = 0.0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Colour u8 [H, W, 4] with straight alpha, and depth f4 [H, W] along the axis (+inf where nothing is
        seen). A transparent texel lets the background show, not the surface behind it.

        shade: 0 draws the texture as it is, 1 shades it fully with a light at the camera.
        """
        fine = camera.resized(camera.width * _SAMPLES, camera.height * _SAMPLES)
        raster = self._rasteriser.rasterise(fine)
        pixels = np.flatnonzero(raster.face.reshape(-1) >= 0)
        uv, footprint = surface_view.uv_and_footprint(raster, self._surface, fine, self._side, pixels)
        lookup = texture.lookup(
            torch.from_numpy(uv),
            self._side,
            filter="mip",
            border="repeat",
            texels_per_pixel=torch.from_numpy(footprint),
            levels=self._levels,
        )
        colour = lookup.render(self._table).numpy()
        if shade:
            cosine = surface_view.facing(raster, self._surface, fine, pixels)
            colour[:, :3] *= (1 - shade * (1 - cosine))[:, None]
        picture = np.zeros((*raster.face.shape, 4), np.float32)
        picture.reshape(-1, 4)[pixels] = colour
        rgba = _boxed(picture)
        rgba[..., :3] /= np.maximum(rgba[..., 3:], 1e-6)
        return (rgba * 255 + 0.5).clip(0, 255).astype(np.uint8), raster.depth[1::2, 1::2].copy()


def _boxed(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = picture.shape[0] // _SAMPLES, picture.shape[1] // _SAMPLES
    return picture.reshape(height, _SAMPLES, width, _SAMPLES, -1).mean((1, 3))
