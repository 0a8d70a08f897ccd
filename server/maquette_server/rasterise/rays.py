"""The arithmetic all rasterisers share: camera space, and where a pixel's ray meets the plane of a triangle.

Camera space is OpenGL's (looking along -z); a pixel's ray is (x, y, -1), so the ray's parameter is the depth
along the viewing axis. With the corners p0, p1, p2 of a triangle in camera space and n0 = p1 x p2, n1 = p2 x
p0, n2 = p0 x p1, the perspective-correct weights of the corners are n_i . ray / sum_k n_k . ray (Olano and
Greer, Triangle Scan Conversion using 2D Homogeneous Coordinates, 1997): nothing is divided by the depth of a
corner, so corners behind the camera need no clipping. float64 throughout, since n_i cancel for small
triangles.
"""

import numpy as np
import torch
from torch import Tensor

from ..cameras.pinhole import Pinhole
from .base import TorchRaster

_CHUNK = 1 << 19  # pixels at once; bounds memory at about 200 MB


def to_camera(points: Tensor, camera: Pinhole) -> Tensor:
    """World points [..., 3] float64 in camera space."""
    camera_from_world = torch.from_numpy(np.linalg.inv(camera.world_from_camera)).to(points)
    return points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]


def edge_normals(corners: Tensor) -> Tensor:
    """n_i of triangles [N, 3, 3] in camera space: [N, 3, 3], first axis after N is i."""
    return torch.linalg.cross(corners.roll(-1, 1), corners.roll(-2, 1))


def planes(corners: Tensor, camera: Pinhole) -> Tensor:
    """What a pixel needs to know of triangles [N, 3, 3] in camera space: [N, 9] = (start, across, down) of
    three.

    start_i + across_i column + down_i row is the weight of corner i over the depth, so that the three add up
    to one over the depth, and nothing is divided a pixel. All zero for triangles without an area or seen
    edge-on.
    """
    normals = edge_normals(corners)
    across = normals[..., 0] / camera.focal_x
    down = -normals[..., 1] / camera.focal_y
    start = (
        normals[..., 0] * ((0.5 - camera.centre_x) / camera.focal_x)
        + normals[..., 1] * ((camera.centre_y - 0.5) / camera.focal_y)
        - normals[..., 2]
    )
    volume = (corners[:, 0] * normals[:, 0]).sum(-1, keepdim=True)
    # A triangle without an area has no plane; its rounded normal must not be taken for one.
    edges = corners.roll(-1, 1) - corners
    reach = (edges * edges).sum(-1).amax(1, keepdim=True)
    area = torch.linalg.vector_norm(torch.linalg.cross(edges[:, 0], edges[:, 1]), dim=-1, keepdim=True)
    seen = (area > 1e-12 * reach) & (volume != 0)
    scale = torch.where(seen, 1 / torch.where(seen, volume, 1.0), 0.0)
    return torch.cat([start, across, down], 1) * scale


def assemble(face: Tensor, positions: Tensor, triangles: Tensor, camera: Pinhole) -> TorchRaster:
    """Weights and depths for known faces.

    face: [H, W] int, -1 empty.  positions: [V, 3] float64 in the world.  triangles: [T, 3] int64.
    A pixel that the rasteriser counted to a face though its centre lies just beside it gets the nearest
    weights.
    """
    flat = torch.nonzero(face.reshape(-1) >= 0)[:, 0]
    hit = face.reshape(-1)[flat].long()
    bary = torch.zeros(face.numel(), 2, dtype=torch.float32, device=face.device)
    depth = torch.full((face.numel(),), torch.inf, dtype=torch.float32, device=face.device)
    every = None
    if len(flat) >= len(triangles):
        corners = to_camera(positions, camera)[triangles]
        every = (planes(corners, camera), -corners[..., 2])
    for start in range(0, len(flat), _CHUNK):
        pixel, seen = flat[start : start + _CHUNK], hit[start : start + _CHUNK]
        if every is None:
            corners = to_camera(positions[triangles[seen]], camera)
            plane, depths = planes(corners, camera), -corners[..., 2]
        else:
            plane, depths = every[0].index_select(0, seen), every[1].index_select(0, seen)
        weights = _weights(plane, pixel, camera.width)
        bary[pixel] = weights[:, 1:].float()
        met = weights * depths
        depth[pixel] = (met[:, 0] + met[:, 1] + met[:, 2]).float()
    height, width = face.shape
    return TorchRaster(face.to(torch.int32), bary.reshape(height, width, 2), depth.reshape(height, width))


def _weights(plane: Tensor, pixel: Tensor, width: int) -> Tensor:
    """Weights [n, 3] of the corners at pixels [n], each 0..1, adding up to 1."""
    row = torch.div(pixel, width, rounding_mode="floor")
    column = (pixel - row * width)[:, None]
    over_depth = plane[:, 0:3] + plane[:, 3:6] * column + plane[:, 6:9] * row[:, None]
    total = (over_depth[:, 0] + over_depth[:, 1] + over_depth[:, 2])[:, None]
    weights = (over_depth / torch.where(total == 0, 1.0, total)).clamp(0, 1)
    share = (weights[:, 0] + weights[:, 1] + weights[:, 2])[:, None]
    return torch.where(share > 0, weights / torch.where(share > 0, share, 1.0), 1 / 3)
