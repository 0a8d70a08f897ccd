"""Cameras of a scene as rays in a field's frame: lens, pose and where the rays begin and end.

V cameras. Depth t along a ray is the scene's depth along the viewing axis whatever the field's frame is: the
frame scales origins, directions and radii, and leaves t alone. A fisheye, which may see what lies beside and
behind it, has directions of length 1 instead, so its t is the distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..cameras.lens import Lens
from ..fields.domain import Domain
from .rays import Rays, distances, pixel_radius


@dataclass(frozen=True)
class Posed:
    """A camera: OpenGL axes, world of the scene."""

    world_from_camera: NDArray[np.float64]  # [4, 4]
    lens: Lens
    time: float | None = None


class CameraRays:
    """Makes rays through pixel centres of V cameras on the fly; a distorted lens is undone once, a table."""

    def __init__(
        self,
        cameras: Sequence[Posed],
        domain: Domain,
        near: float,
        far: float,
        device: torch.device | str = "cpu",
    ) -> None:
        """near, far: depths in units of the scene. Raises ValueError unless 0 <= near < far and V > 0."""
        if not 0 <= near < far:
            raise ValueError(
                f"rays must reach from a near depth of 0 or more to a far one, not {near} to {far}"
            )
        if not cameras:
            raise ValueError("there is no camera")
        self._near, self._far = near, far
        poses = np.stack([camera.world_from_camera for camera in cameras])
        centre = np.asarray(domain.centre)
        self._origins = _tensor(domain.scale * (poses[:, :3, 3] - centre), device)
        self._rotations = _tensor(domain.scale * poses[:, :3, :3], device)
        lenses = [camera.lens for camera in cameras]
        inner = [[each.focal_x, each.focal_y, each.centre_x, each.centre_y] for each in lenses]
        self._inner = _tensor(np.array(inner), device)
        # a fisheye's pixels have no sides in common
        straight = all(each.model != "fisheye" for each in lenses)
        self._sides = self._rotations[:, :, :2].mT / self._inner[:, :2, None] if straight else None
        widths = [each.width for each in lenses]
        self.widths = torch.tensor(widths, device=device)
        self.sizes = torch.tensor([each.width * each.height for each in lenses], device=device)
        radii = [domain.scale * pixel_radius(each) for each in lenses]
        self.radii = _tensor(np.array(radii), device)  # [V], see `Rays`
        self._tables, self._table_of = _tables(lenses, device)

    def __len__(self) -> int:
        return len(self._origins)

    def rays(self, cameras: Tensor, pixels: Tensor) -> Rays:
        """R rays: numbers of cameras [R], and of pixels row by row from the top [R]."""
        widths = self.widths[cameras]
        inner = self._inner[cameras]
        x = ((pixels % widths) + 0.5 - inner[:, 2]) / inner[:, 0]
        y = (inner[:, 3] - torch.div(pixels, widths, rounding_mode="floor") - 0.5) / inner[:, 1]
        local = torch.stack([x, y, -torch.ones_like(x)], -1)
        if len(self._tables):
            start = self._table_of[cameras]
            bent = start >= 0
            local[bent] = self._tables[start[bent] + pixels[bent]]
        directions = (self._rotations[cameras] * local[:, None]).sum(-1)
        ones = torch.ones_like(x)
        return Rays(
            self._origins[cameras],
            directions,
            self.radii[cameras],
            ones * self._near,
            ones * self._far,
            None if self._sides is None else self._sides[cameras],
        )

    @property
    def footprints(self) -> Tensor:
        """Of the cameras' rays [V], see `distances`."""
        return self.radii * distances(self._origins)

    def whole(self, camera: int) -> Rays:
        """All rays of one camera, row by row from the top."""
        pixels = torch.arange(int(self.sizes[camera]), device=self.sizes.device)
        return self.rays(torch.full_like(pixels, camera), pixels)


def _tensor(values: NDArray[np.floating], device: torch.device | str) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device)


def _tables(lenses: Sequence[Lens], device: torch.device | str) -> tuple[Tensor, Tensor]:
    """Directions in camera axes of all pixels of distorted lenses, and each camera's first row; -1: none."""
    first: dict[Lens, int] = {}
    count = 0
    for lens in lenses:
        if lens.distorted and lens not in first:
            first[lens] = count
            count += lens.width * lens.height
    table = torch.empty(count, 3, dtype=torch.float32, device=device)
    for lens, start in first.items():  # one by one: undoing a lens takes many times the room of its rows
        rows = torch.from_numpy(lens.directions(lens.pixel_centres()).reshape(-1, 3))
        table[start : start + len(rows)] = rows
    return table, torch.tensor([first.get(lens, -1) for lens in lenses], device=device)
