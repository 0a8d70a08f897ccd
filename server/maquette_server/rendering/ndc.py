"""Normalised device coordinates: what a camera shows, to infinity, as a box with parallel rays (NeRF,
arXiv:2003.08934, appendix on forward-facing captures; mip-NeRF, arXiv:2103.13415, then has cylinders).

In the axes of a *reference camera* a point (x, y, z), z < 0, becomes (-x / (a z), -y / (b z), 1 + 2 n / z),
where a and b are half the width and height of its picture at distance 1 and n the distance of the *near
plane*: -1 is the plane, 1 infinity. Lines stay lines. Along a mapped ray t runs from 0 on the plane to 1 at
infinity. What lies before the plane, and rays that do not look its way, are not seen.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .rays import Rays

_LEAST = 1e-3  # cosine to the plane's normal below which a ray goes beside it, not through it
_CLOSE = 0.25  # of the plane's distance: cameras that are closer to it have the footprint from there


@dataclass(frozen=True)
class Ndc:
    """A reference camera in a field's frame. Raises ValueError for numbers that no camera has."""

    place: tuple[float, float, float]
    axes: tuple[tuple[float, float, float], ...]  # right, up, backward; orthonormal rows
    near: float  # n
    slopes: tuple[float, float]  # a, b
    reach: tuple[float, float]  # |x|, |y| of the mapped space beyond which no picture shows anything

    def __post_init__(self) -> None:
        turn = np.array(self.axes, np.float64)
        right = turn.shape == (3, 3) and bool(np.abs(turn @ turn.T - np.eye(3)).max() < 1e-6)
        numbers = np.array([*self.place, self.near, *self.slopes, *self.reach], np.float64)
        if not right or numbers.shape != (8,) or not np.isfinite(numbers).all() or numbers[3:].min() <= 0:
            raise ValueError(f"this is no reference camera: {self}")

    def points(self, points: Tensor) -> Tensor:
        """Points [..., 3] of the field's frame, before the reference camera, in the mapped space."""
        x, y, z = self._local(points - self._vector(self.place, points)).unbind(-1)
        a, b = self.slopes
        return torch.stack([-x / (a * z), -y / (b * z), 1 + 2 * self.near / z], -1)

    def depths(self, points: Tensor) -> Tensor:
        """Distances [...] of points [..., 3] along the reference camera's axis."""
        return -self._local(points - self._vector(self.place, points))[..., 2]

    def rays(self, rays: Rays, scale: float) -> tuple[Rays, Tensor]:
        """The rays that look through the plane, mapped, and which of all [R] they are.

        scale: of the field's frame; a ray's direction has that length along its own camera's axis. Their near
        and far are t in the mapped space, cut to `reach`; their radius is that of a cylinder, half the
        diameter of what their pixel covers on the plane, by area (the released code takes the mean of the
        two sides instead, which is the same for square cells of the mapped space).
        """
        origins = self._local(rays.origins - self._vector(self.place, rays.origins))
        directions = self._local(rays.directions)
        ahead = -directions[:, 2]
        through = ahead > _LEAST * directions.norm(dim=-1)
        origins, directions, ahead = origins[through], directions[through], ahead[through]
        begun = (self.near + origins[:, 2]) / ahead  # t on the plane; below 0 behind the camera
        on_plane = origins + begun[:, None] * directions
        a, b = self.slopes
        shape = self._vector((a, b), origins)
        # with z = -n there
        first = on_plane[:, :2] / (self.near * shape)
        last = directions[:, :2] / (ahead[:, None] * shape)
        minus_one = -torch.ones_like(ahead)[:, None]
        mapped_origins = torch.cat([first, minus_one], -1)
        mapped_directions = torch.cat([last - first, -2 * minus_one], -1)
        footprint = rays.radii[through] * begun.clamp_min(_CLOSE * self.near / scale)
        radii = footprint * (scale / ahead).sqrt() / (self.near * (a * b) ** 0.5)
        least = self._share(rays.near[through] - begun, ahead)
        most = self._share(rays.far[through] - begun, ahead)
        least, most = self._cut(mapped_origins, mapped_directions, least, most)
        met = least < most
        which = torch.zeros_like(through)
        which[through] = met
        found = Rays(mapped_origins, mapped_directions, radii, least, most)
        return found[met], which

    def along(self, rays: Rays, shares: Tensor) -> Tensor:
        """The inverse of the mapping along rays of the field's frame: t [R] of t in the mapped space."""
        origins = self._local(rays.origins - self._vector(self.place, rays.origins))
        ahead = -self._local(rays.directions)[:, 2]
        begun = (self.near + origins[:, 2]) / ahead
        return begun + self.near * shares / (ahead * (1 - shares).clamp_min(1e-7))

    def _share(self, beyond: Tensor, ahead: Tensor) -> Tensor:
        """t in the mapped space from t beyond the plane; 0 before it."""
        depth = (beyond * ahead).clamp_min(0)
        return 1 - self.near / (self.near + depth)

    def _cut(self, origins: Tensor, directions: Tensor, least: Tensor, most: Tensor) -> tuple[Tensor, Tensor]:
        """Near and far within `reach`."""
        reach = self._vector(self.reach, origins)
        slope = directions[:, :2]
        slope = torch.where(slope.abs() < 1e-9, torch.full_like(slope, 1e-9), slope)
        one, other = (-reach - origins[:, :2]) / slope, (reach - origins[:, :2]) / slope
        least = torch.maximum(least, torch.minimum(one, other).amax(-1))
        most = torch.minimum(most, torch.maximum(one, other).amin(-1))
        return least, most

    def _local(self, vectors: Tensor) -> Tensor:
        """[..., 3] in the reference camera's axes."""
        return vectors @ torch.tensor(self.axes, dtype=vectors.dtype, device=vectors.device).T

    @staticmethod
    def _vector(values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device)


def facing(
    places: NDArray[np.float64], backward: NDArray[np.float64], upward: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Place [3] and axes [3, 3] (right, up, backward) in the middle of cameras [N, 3] that face one way."""
    back = backward.mean(0)
    back = back / np.linalg.norm(back)
    right = np.cross(upward.mean(0), back)
    if np.linalg.norm(right) < 1e-6:  # heads tilted every way
        right = np.cross(np.eye(3)[int(np.argmin(np.abs(back)))], back)
    right = right / np.linalg.norm(right)
    return places.mean(0), np.stack([right, np.cross(back, right), back])
