"""A rasteriser in plain torch, for any device: every pixel in a triangle's bounding box is tested against it.

The tests run in chunks, so memory is bounded whatever the sizes of mesh and picture. Pixel centres within
1e-9 of an edge belong to both triangles that share it, so there are no cracks; of equally deep triangles the
first one is seen.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..cameras.pinhole import Pinhole
from . import rays
from .base import Raster, TorchRaster

_EDGE = 1e-9  # weight by which a pixel centre may lie outside an edge
_CHUNK_CPU = 1 << 18  # pixel tests at once: about 60 MB, and small enough for the cache to help
_CHUNK_CUDA = 1 << 22
_NEAR = 1e-7  # nearest depth, as a share of the farthest


class TorchRasteriser:
    """See `base.Rasteriser`."""

    name = "torch"

    def __init__(
        self, positions: NDArray[np.float32], triangles: NDArray[np.int32], device: str = "cpu"
    ) -> None:
        self._positions = torch.as_tensor(np.asarray(positions, np.float64)).to(device)
        self._triangles = torch.as_tensor(np.ascontiguousarray(triangles, dtype=np.int64)).to(device)

    def rasterise(self, camera: Pinhole) -> Raster:
        """See `base.Rasteriser`."""
        return self.rasterise_torch(camera).numpy()

    @torch.no_grad()
    def rasterise_torch(self, camera: Pinhole) -> TorchRaster:
        """See `base.Rasteriser`."""
        points = rays.to_camera(self._positions, camera)
        face = _visible(points, self._triangles, camera)
        return rays.assemble(face, self._positions, self._triangles, camera)


def _visible(points: Tensor, triangles: Tensor, camera: Pinhole) -> Tensor:
    """[H, W] int64: the nearest triangle under each pixel centre, -1 for none."""
    pixels = camera.width * camera.height
    face = torch.full((pixels,), -1, dtype=torch.int64, device=points.device)
    if len(triangles) == 0:
        return face.reshape(camera.height, camera.width)
    far = float((-points[:, 2]).max())
    near = _NEAR * far
    if far > 0:
        kept, low, size = _boxes(points, triangles, camera, near)
        planes = rays.planes(points[triangles[kept]], camera)
        _draw(face, kept, low, size, planes, camera.width, near)
    return face.reshape(camera.height, camera.width)


def _boxes(points: Tensor, triangles: Tensor, camera: Pinhole, near: float) -> tuple[Tensor, Tensor, Tensor]:
    """Triangles [N] that may cover a pixel centre, the first pixel (x, y) [N, 2] of their boxes and the sizes
    [N, 2].
    """
    depth = -points[:, 2]
    front = depth > near
    focal = points.new_tensor([camera.focal_x, -camera.focal_y])
    centre = points.new_tensor([camera.centre_x, camera.centre_y])
    limit = points.new_tensor([camera.width, camera.height])
    screen = points[:, :2] / torch.where(front, depth, 1.0)[:, None] * focal + centre
    in_front = front[triangles]
    lowest, highest = screen[triangles].amin(1), screen[triangles].amax(1)
    crossing = torch.nonzero(in_front.any(1) & ~in_front.all(1))[:, 0]
    if len(crossing):
        lowest[crossing], highest[crossing] = _clipped_box(points[triangles[crossing]], near, focal, centre)
    # A pixel's centre lies at + 0.5; the slack keeps centres that lie on an edge.
    low = torch.ceil(torch.maximum(lowest, torch.zeros_like(limit)) - 0.5 - 1e-6)
    high = torch.floor(torch.minimum(highest, limit) - 0.5 + 1e-6).minimum(limit - 1)
    low = low.clamp(min=0)
    size = (high - low + 1).clamp(min=0)
    kept = torch.nonzero(in_front.any(1) & (size > 0).all(1))[:, 0]
    return kept, low[kept].long(), size[kept].long()


def _clipped_box(corners: Tensor, near: float, focal: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
    """Screen box of the part of triangles [N, 3, 3] that lies farther than `near`."""
    depth = -corners[..., 2]
    after, after_depth = corners.roll(-1, 1), depth.roll(-1, 1)
    cut = (depth > near) != (after_depth > near)
    step = torch.where(cut, after_depth - depth, 1.0)
    met = corners + (after - corners) * ((near - depth) / step)[..., None]
    front = depth > near
    points = torch.cat([corners[..., :2] / torch.where(front, depth, 1.0)[..., None], met[..., :2] / near], 1)
    valid = torch.cat([front, cut], 1)[..., None]
    screen = points * focal + centre
    return (
        torch.where(valid, screen, torch.inf).amin(1),
        torch.where(valid, screen, -torch.inf).amax(1),
    )


def _draw(
    face: Tensor, kept: Tensor, low: Tensor, size: Tensor, planes: Tensor, width: int, near: float
) -> None:
    """Writes the nearest of the triangles into `face` [H W]; see `rays.planes`."""
    closeness = torch.zeros(len(face), dtype=torch.float64, device=face.device)  # one over the depth
    counts = size[:, 0] * size[:, 1]
    ends = counts.cumsum(0)
    begins = ends - counts
    total = int(ends[-1]) if len(ends) else 0
    chunk = _CHUNK_CUDA if face.is_cuda else _CHUNK_CPU
    box_width, left, top = size[:, 0].contiguous(), low[:, 0].contiguous(), low[:, 1].contiguous()
    for start in range(0, total, chunk):
        stop = min(start + chunk, total)
        bounds = torch.searchsorted(ends, ends.new_tensor([start, stop - 1]), right=True).tolist()
        part = slice(bounds[0], bounds[1] + 1)
        taken = ends[part].clamp(max=stop) - begins[part].clamp(min=start)
        which = torch.repeat_interleave(taken) + bounds[0]
        within = torch.arange(start, stop, device=face.device) - begins.index_select(0, which)
        across = box_width.index_select(0, which)
        down = torch.div(within, across, rounding_mode="floor")
        column = left.index_select(0, which) + within - down * across
        row = top.index_select(0, which) + down
        plane = planes.index_select(0, which)
        shares = plane[:, 0:3] + plane[:, 3:6] * column[:, None] + plane[:, 6:9] * row[:, None]
        first, second, third = shares.unbind(1)
        here = first + second + third
        least = torch.minimum(torch.minimum(first, second), third)
        inside = (least >= -_EDGE * here) & (here > 0) & (here * near < 1)
        hit = torch.nonzero(inside)[:, 0]
        here, triangle = here.index_select(0, hit), kept.index_select(0, which.index_select(0, hit))
        pixel = (row * width + column).index_select(0, hit)
        nearest = closeness.scatter_reduce(0, pixel, here, "amax")
        # Chunks come in the order of the triangles, so an equally near one of an earlier chunk stays.
        best = (here == nearest[pixel]) & (here > closeness[pixel])
        pixel, triangle = pixel[best], triangle[best]
        face[pixel] = torch.iinfo(torch.int64).max
        face.scatter_reduce_(0, pixel, triangle, "amin")
        closeness = nearest
