"""A pinhole camera for rendering: OpenGL axes (x right, y up, looking along -z), pixel row 0 at the top.

Pixel (i, j) covers [i, i+1] x [j, j+1]; its centre is (i + 0.5, j + 0.5).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Pinhole:
    """A camera with its picture size."""

    world_from_camera: NDArray[np.float64]  # [4, 4]
    focal_x: float  # pixels
    focal_y: float
    centre_x: float  # pixels from the left edge
    centre_y: float  # pixels from the top edge
    width: int
    height: int

    @classmethod
    def from_fov(
        cls, world_from_camera: NDArray[np.float64], fov_y: float, width: int, height: int
    ) -> "Pinhole":
        """Square pixels, principal point in the middle; `fov_y` is the full vertical angle in radians."""
        focal = 0.5 * height / math.tan(0.5 * fov_y)
        return cls(
            np.asarray(world_from_camera, dtype=np.float64),
            focal,
            focal,
            0.5 * width,
            0.5 * height,
            width,
            height,
        )

    def resized(self, width: int, height: int) -> "Pinhole":
        """The same view with other pixels."""
        sx, sy = width / self.width, height / self.height
        return Pinhole(
            self.world_from_camera,
            self.focal_x * sx,
            self.focal_y * sy,
            self.centre_x * sx,
            self.centre_y * sy,
            width,
            height,
        )

    @property
    def position(self) -> NDArray[np.float64]:
        """Where the camera is, [3]."""
        return self.world_from_camera[:3, 3]

    def project(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pixel coordinates [..., 2] and depth along the viewing axis [...] of world points [..., 3].

        The pixel of a point at or behind the camera (depth <= 0) means nothing.
        """
        camera_from_world = np.linalg.inv(self.world_from_camera)
        local = points @ camera_from_world[:3, :3].T + camera_from_world[:3, 3]
        depth = -local[..., 2]
        divisor = np.where(depth == 0, 1e-30, depth)
        x = self.centre_x + self.focal_x * local[..., 0] / divisor
        y = self.centre_y - self.focal_y * local[..., 1] / divisor
        return np.stack([x, y], -1), depth

    def ray_directions(self) -> NDArray[np.float64]:
        """World directions through the pixel centres, [H, W, 3], length 1 along the viewing axis (not
        unit).
        """
        x = (np.arange(self.width) + 0.5 - self.centre_x) / self.focal_x
        y = (self.centre_y - np.arange(self.height) - 0.5) / self.focal_y
        local = np.stack(np.broadcast_arrays(x[None, :], y[:, None], -1.0), -1)
        return local @ self.world_from_camera[:3, :3].T


def look_at(
    eye: NDArray[np.float64], target: NDArray[np.float64], up: NDArray[np.float64]
) -> NDArray[np.float64]:
    """world_from_camera [4, 4] of a camera at `eye` that looks at `target`; `up` may be parallel to the
    view.
    """
    backward = eye - target
    backward = backward / np.linalg.norm(backward)
    right = np.cross(up, backward)
    if np.linalg.norm(right) < 1e-6 * np.linalg.norm(up):
        # Straight above or below: as the view from azimuth 0 (+z when y is up) becomes in the limit.
        right = np.cross(up, np.roll(np.eye(3)[np.argmax(np.abs(up))], 1))
    right = right / np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, 0], matrix[:3, 1], matrix[:3, 2], matrix[:3, 3] = (
        right,
        np.cross(backward, right),
        backward,
        eye,
    )
    return matrix
