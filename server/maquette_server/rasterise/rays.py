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


def to_camera(points: Tensor, camera: Pinhole) -> Tensor:
    """World points [..., 3] float64 in camera space."""
    camera_from_world = torch.from_numpy(np.linalg.inv(camera.world_from_camera)).to(points)
    return points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]


def edge_normals(corners: Tensor) -> Tensor:
    """n_i of triangles [N, 3, 3] in camera space: [N, 3, 3], first axis after N is i."""
    return torch.linalg.cross(corners.roll(-1, 1), corners.roll(-2, 1))


def pixel_rays(flat: Tensor, camera: Pinhole) -> Tensor:
    """Camera-space rays [N, 3] through the centres of the pixels `flat` [N] = row * width + column."""
    column = (flat % camera.width).to(torch.float64)
    row = torch.div(flat, camera.width, rounding_mode="floor").to(torch.float64)
    x = (column + (0.5 - camera.centre_x)) / camera.focal_x
    y = (camera.centre_y - 0.5 - row) / camera.focal_y
    return torch.stack([x, y, -torch.ones_like(x)], -1)


def assemble(face: Tensor, camera_points: Tensor, triangles: Tensor, camera: Pinhole) -> TorchRaster:
    """Weights and depths for known faces.

    face: [H, W] int, -1 empty.  camera_points: [V, 3] float64 in camera space.  triangles: [T, 3].
    A pixel that the rasteriser counted to a face though its centre lies just beside it gets the nearest
    weights.
    """
    flat = torch.nonzero(face.reshape(-1) >= 0)[:, 0]
    corners = camera_points[triangles[face.reshape(-1)[flat].long()].long()]  # [N, 3, 3]
    rays = pixel_rays(flat, camera)
    edges = torch.einsum("nij,nj->ni", edge_normals(corners), rays)
    total = edges.sum(-1, keepdim=True)
    weights = (edges / torch.where(total == 0, torch.ones_like(total), total)).clamp(0, 1)
    share = weights.sum(-1, keepdim=True)
    weights = torch.where(share > 0, weights / share, torch.full_like(weights, 1 / 3))
    bary = torch.zeros(face.numel(), 2, dtype=torch.float32, device=face.device)
    depth = torch.full((face.numel(),), torch.inf, dtype=torch.float32, device=face.device)
    bary[flat] = weights[:, 1:].float()
    depth[flat] = -(weights * corners[..., 2]).sum(-1).float()
    height, width = face.shape
    return TorchRaster(face.to(torch.int32), bary.reshape(height, width, 2), depth.reshape(height, width))
