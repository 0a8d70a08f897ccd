"""The similarity that takes an input into the work frame, and meshes into the world of their owner.

Work frame: y up, +z front, centred, the farthest vertex `size` away from the centre, the centre lifted by
`lift`. Everything is float64: an object of 1e-5 or 1e6 units, or far from the origin, loses nothing before it
is centred.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

SIZE = 0.6  # farthest vertex from the centre in the work frame (the released code's shape scale)
LIFT = 0.25  # height of the centre in the work frame


@dataclass(frozen=True)
class Similarity:
    """work = scale * rotation @ (input - centre) + shift."""

    rotation: NDArray[np.float64]  # [3, 3], proper
    scale: float
    centre: NDArray[np.float64]  # [3], input frame
    shift: NDArray[np.float64]  # [3], work frame

    def apply(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Input points [..., 3] in the work frame."""
        return (np.asarray(points, np.float64) - self.centre) @ (self.scale * self.rotation).T + self.shift

    def undo(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Work points [..., 3] in the input frame."""
        return (np.asarray(points, np.float64) - self.shift) @ self.rotation / self.scale + self.centre

    def work_positions(self, points: NDArray[np.floating]) -> NDArray[np.float32]:
        """`apply`, rounded to float32 at the very end: what rasterisers get."""
        return self.apply(points).astype(np.float32)

    def undo_pose(self, pose: NDArray[np.floating]) -> NDArray[np.float64]:
        """A camera's pose [4, 4] of the work frame in the input frame."""
        found = np.eye(4)
        found[:3, :3] = self.rotation.T @ pose[:3, :3]
        found[:3, 3] = self.undo(pose[:3, 3])
        return found

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The same as [4, 4]; loses digits when the centre is far away, so prefer `apply`."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.scale * self.rotation
        matrix[:3, 3] = self.shift - matrix[:3, :3] @ self.centre
        return matrix


def work_from_input(
    positions: NDArray[np.floating],
    *,
    up: tuple[float, float, float] = (0.0, 1.0, 0.0),
    front: tuple[float, float, float] = (0.0, 0.0, 1.0),
    centre: Literal["box", "vertices"] = "box",
    triangles: NDArray[np.int32] | None = None,
    size: float = SIZE,
    lift: float = LIFT,
) -> Similarity:
    """The similarity into the work frame.

    positions: [V, 3].  up, front: directions in the input's axes, not parallel.  centre: the middle of the
    bounding box, or the mean of the vertices as the released code has it.  triangles: [T, 3]; when given,
    vertices that no triangle uses do not count.
    Raises UserError `mesh.degenerate` when all vertices are at one place, `params.bad` for unusable
    directions.
    """
    points = np.asarray(positions, np.float64)
    if triangles is not None:
        used = np.zeros(len(points), bool)
        used[triangles.reshape(-1)] = True
        points = points[used]
    if len(points) == 0:
        raise UserError("mesh.empty", "The mesh has no faces.", hint="Choose a mesh with at least one face.")
    low, high = points.min(0), points.max(0)
    # First relative to the box, then the mean: sums of far-away coordinates would lose digits.
    middle = low + 0.5 * (high - low)
    if centre == "vertices":
        middle = middle + (points - middle).mean(0)
    reach = float(np.sqrt(((points - middle) ** 2).sum(1).max()))
    if not reach > 1e-12 * float(np.abs(middle).max()) or reach < 1e-150:
        raise UserError(
            "mesh.degenerate",
            "All vertices of the mesh lie at one place.",
            hint="Choose a mesh that has a size, or move it nearer to the origin.",
        )
    return Similarity(rotation(up, front), size / reach, middle, np.array([0.0, lift, 0.0]))


def rotation(up: tuple[float, float, float], front: tuple[float, float, float]) -> NDArray[np.float64]:
    """The proper rotation [3, 3] that takes `up` to +y and the part of `front` across it to +z.

    Raises UserError `params.bad` when one is zero or not finite, or both are parallel.
    """
    vertical, forward = np.asarray(up, np.float64), np.asarray(front, np.float64)
    usable = all(np.isfinite(v).all() and np.linalg.norm(v) > 0 for v in (vertical, forward))
    if usable:
        vertical = vertical / np.linalg.norm(vertical)
        forward = forward / np.linalg.norm(forward)
        forward = forward - vertical * (forward @ vertical)
        usable = float(np.linalg.norm(forward)) > 1e-3
    if not usable:
        raise UserError(
            "params.bad",
            f"Up {_text(up)} and front {_text(front)} do not span a frame.",
            hint="Give two directions that are not zero and not parallel.",
        )
    forward = forward / np.linalg.norm(forward)
    return np.stack([np.cross(vertical, forward), vertical, forward])


def from_object(
    positions: NDArray[np.floating],
    triangles: NDArray[Any],
    world_from_object: NDArray[np.float64],
    *corner_data: NDArray[Any] | None,
) -> tuple[NDArray[np.float64], NDArray[Any], list[NDArray[Any] | None]]:
    """A mesh in local coordinates brought into the world.

    positions: [V, 3].  triangles: [T, 3].  world_from_object: [4, 4].  corner_data: arrays [T, 3, ...] or
    None. Returns world positions [V, 3], triangles and corner data; corners 1 and 2 are swapped when the
    matrix mirrors, so that outside stays outside.
    """
    matrix = np.asarray(world_from_object, np.float64)
    world = np.asarray(positions, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
    if np.linalg.det(matrix[:3, :3]) >= 0:
        return world, triangles, list(corner_data)
    order = [0, 2, 1]
    swapped = [None if data is None else np.ascontiguousarray(data[:, order]) for data in corner_data]
    return world, np.ascontiguousarray(triangles[:, order]), swapped


def _text(vector: tuple[float, float, float]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in vector) + ")"
