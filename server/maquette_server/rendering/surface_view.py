"""A textured surface seen from one camera, as a linear map from texels to pixels.

n x n pixels of s x s samples each; S x S texels. Geometry gets no gradient, so what a camera sees is worked
out once and rendering is one gather (`texture.Lookup`), whichever rasteriser found the surface.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..cameras.pinhole import Pinhole
from ..rasterise.base import Raster, Rasteriser
from . import texture


@dataclass(frozen=True)
class UnwrappedSurface:
    """Triangles with UVs, and how many texels a world unit has on each."""

    positions: NDArray[np.float32]  # [V, 3]
    triangles: NDArray[np.int32]  # [T, 3]
    corner_uvs: NDArray[np.float32]  # [T, 3, 2], v up
    normals: NDArray[np.float32]  # [T, 3], unit
    uv_per_area: NDArray[np.float32]  # [T], UV area per surface area

    @classmethod
    def of(
        cls, positions: NDArray[np.floating], triangles: NDArray[np.int32], corner_uvs: NDArray[np.float32]
    ) -> "UnwrappedSurface":
        """Works out normals and texel densities; faces without an area get density 0."""
        positions = np.ascontiguousarray(positions, np.float32)
        corners = positions[triangles].astype(np.float64)
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        double_area = np.linalg.norm(cross, axis=1)
        safe = np.where(double_area > 0, double_area, 1)
        first, second = corner_uvs[:, 1] - corner_uvs[:, 0], corner_uvs[:, 2] - corner_uvs[:, 0]
        uv_area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
        density = np.where(double_area > 0, uv_area / safe, 0).astype(np.float32)
        return cls(positions, triangles, corner_uvs, (cross / safe[:, None]).astype(np.float32), density)


@dataclass(frozen=True)
class SurfaceView:
    """What one camera sees of a surface."""

    camera: Pinhole
    lookup: texture.Lookup
    coverage: Tensor  # [n * n], share of each pixel that the surface fills

    def render(self, table: Tensor, background: Tensor) -> Tensor:
        """[1, C, n, n] from a pyramid table [N, C] over a background [n * n or 1, C]."""
        pixels = self.lookup.render(table) + (1 - self.coverage)[:, None] * background
        return pixels.T.reshape(1, -1, self.camera.height, self.camera.width)


def view(
    rasteriser: Rasteriser,
    surface: UnwrappedSurface,
    camera: Pinhole,
    side: int,
    *,
    samples: int,
    filter: texture.Filter,
    border: texture.Border,
    levels: int,
    device: torch.device,
) -> SurfaceView:
    """The view of `camera` (n x n pixels) with `samples` x `samples` samples a pixel on a texture of `side`
    texels.
    """
    fine = camera.resized(camera.width * samples, camera.height * samples)
    raster = rasteriser.rasterise(fine)
    order = _grouped(camera.height, camera.width, samples)
    seen = raster.face.reshape(-1)[order] >= 0
    hit = torch.from_numpy(seen)
    uv = np.zeros((len(seen), 2), np.float32)
    footprint = np.zeros(len(seen), np.float32)
    uv[seen], footprint[seen] = uv_and_footprint(raster, surface, fine, side, order[seen])
    lookup = texture.lookup(
        torch.from_numpy(uv),
        side,
        filter=filter,
        border=border,
        texels_per_pixel=torch.from_numpy(footprint),
        levels=levels,
    )
    pooled, coverage = texture.pooled(lookup, hit, samples * samples)
    on_device = texture.Lookup(pooled.index.to(device), pooled.weight.to(device))
    return SurfaceView(camera, on_device, coverage.to(device))


def uv_and_footprint(
    raster: Raster,
    surface: UnwrappedSurface,
    camera: Pinhole,
    side: int,
    pixels: NDArray[np.intp],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """UV [P, 2] under each pixel and the square root of the texel area it covers [P].

    pixels: [P], flat numbers of pixels that see the surface.
    """
    face = raster.face.reshape(-1)[pixels]
    bary = raster.bary.reshape(-1, 2)[pixels]
    first, second = bary[:, :1], bary[:, 1:]
    corners = surface.corner_uvs[face]
    uv = corners[:, 0] * (1 - first - second) + corners[:, 1] * first + corners[:, 2] * second
    directions = camera.ray_directions().reshape(-1, 3)[pixels].astype(np.float32)
    cosine = _cosine(directions, surface.normals[face])
    depth = raster.depth.reshape(-1)[pixels]
    area = depth * depth / (camera.focal_x * camera.focal_y) / np.maximum(cosine, 0.1)
    footprint = side * np.sqrt(area * surface.uv_per_area[face])
    return uv.astype(np.float32), footprint.astype(np.float32)


def facing(
    raster: Raster, surface: UnwrappedSurface, camera: Pinhole, pixels: NDArray[np.intp]
) -> NDArray[np.float32]:
    """[P]: how squarely each pixel sees the surface, 0 edge-on to 1."""
    directions = camera.ray_directions().reshape(-1, 3)[pixels].astype(np.float32)
    return _cosine(directions, surface.normals[raster.face.reshape(-1)[pixels]])


def _cosine(directions: NDArray[np.float32], normals: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.sqrt(np.einsum("pc,pc->p", directions, directions))
    return np.abs(np.einsum("pc,pc->p", directions, normals)) / length


def _grouped(height: int, width: int, samples: int) -> NDArray[np.intp]:
    """Order that puts the samples of a pixel behind each other."""
    grid = np.arange(height * width * samples * samples).reshape(height, samples, width, samples)
    return grid.transpose(0, 2, 1, 3).reshape(-1)
