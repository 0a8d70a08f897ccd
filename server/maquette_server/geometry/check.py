"""What is odd about a mesh: sentences for the user, and masks for the code. Tolerances are relative to its
size.

A face is degenerate when it is thinner than 1e-6 of its longest side, or smaller than the last digit of its
coordinates: it is not rendered, but stays in every array.
"""

from dataclasses import dataclass

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from scipy import sparse

from .mesh import Mesh

_THIN = 1e-6  # height over longest side under which a face has no area
_TINY, _HUGE = 1e-3, 1e4  # diagonals that suggest wrong units
MANY_PARTS = 100


@dataclass(frozen=True)
class Bounds:
    """The bounding box of the vertices that faces use."""

    low: NDArray[np.float64]  # [3]
    high: NDArray[np.float64]  # [3]

    @property
    def centre(self) -> NDArray[np.float64]:
        """[3]"""
        return self.low + 0.5 * (self.high - self.low)

    @property
    def diagonal(self) -> float:
        """Length from corner to corner."""
        return float(np.linalg.norm(self.high - self.low))


def bounds(positions: NDArray[np.floating], triangles: NDArray[np.int32] | None = None) -> Bounds:
    """Bounding box of positions [V, 3], of those that triangles [T, 3] use when they are given."""
    points = np.asarray(positions, np.float64)
    if triangles is not None:
        used = np.zeros(len(points), bool)
        used[triangles.reshape(-1)] = True
        points = points[used]
    return Bounds(points.min(0), points.max(0))


def has_area(positions: NDArray[np.floating], triangles: NDArray[np.int32]) -> NDArray[np.bool_]:
    """[T], False for degenerate faces."""
    points = np.asarray(positions, np.float64)
    corners = points[triangles]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.linalg.norm(np.cross(first, second), axis=1)
    third = second - first
    longest = np.maximum((first * first).sum(1), np.maximum((second * second).sum(1), (third * third).sum(1)))
    # Coordinates far from the origin are only known to their last digit.
    digit = 4 * np.finfo(np.float64).eps * np.abs(points).max() if len(points) else 0.0
    return np.asarray((area > _THIN * longest) & (longest > digit * digit))


def require_area(mesh: Mesh) -> NDArray[np.bool_]:
    """`has_area`; raises UserError `mesh.empty` or `mesh.degenerate` when nothing can be seen of the mesh."""
    if len(mesh.triangles) == 0:
        raise UserError("mesh.empty", f"{mesh.name!r} has no faces.", hint="Choose a mesh with faces.")
    solid = has_area(mesh.positions, mesh.triangles)
    if not solid.any():
        raise UserError(
            "mesh.degenerate",
            f"No face of {mesh.name!r} has an area.",
            hint="Merge doubled vertices or rebuild the mesh; all its faces are lines or points.",
        )
    return solid


def part_count(vertex_count: int, triangles: NDArray[np.int32]) -> int:
    """Number of pieces that share no vertex."""
    rows = np.concatenate([triangles[:, 0], triangles[:, 1]])
    columns = np.concatenate([triangles[:, 1], triangles[:, 2]])
    links = sparse.coo_matrix((np.ones(len(rows), bool), (rows, columns)), (vertex_count, vertex_count))
    _, label = sparse.csgraph.connected_components(links, directed=False)
    return len(np.unique(label[triangles[:, 0]]))


def edge_use(triangles: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many faces use each edge, one number an edge."""
    edges = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    key = edges[:, 0].astype(np.int64) * (int(triangles.max(initial=0)) + 1) + edges[:, 1]
    _, count = np.unique(key, return_counts=True)
    return count


def notes(mesh: Mesh) -> list[str]:
    """What the user should know about the mesh, one sentence each."""
    solid = require_area(mesh)
    found = []
    if not solid.all():
        found.append(f"{int((~solid).sum())} of {len(solid)} faces have no area and are not painted.")
    use = edge_use(mesh.triangles[solid])
    if (use > 2).any():
        found.append(f"{int((use > 2).sum())} edges belong to more than two faces (not a manifold).")
    parts = part_count(len(mesh.positions), mesh.triangles[solid])
    if parts > MANY_PARTS:
        found.append(
            f"The mesh consists of {parts} separate parts; parts inside others cannot be seen or painted."
        )
    box = bounds(mesh.positions, mesh.triangles)
    if np.abs(box.centre).max() > 100 * box.diagonal:
        found.append(
            "The mesh lies far from the origin, which costs digits in file formats with short numbers."
        )
    if box.diagonal < _TINY:
        found.append(f"The mesh is tiny ({box.diagonal:.3g} units across); check its units.")
    if box.diagonal > _HUGE:
        found.append(f"The mesh is huge ({box.diagonal:.3g} units across); check its units.")
    return found
