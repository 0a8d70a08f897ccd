"""The painted surface as a list of texels: where each lies and which way it faces.

Only texels inside charts are listed. Positions are in the frame of the given vertices, normals are those of
the faces.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import uv_raster


@dataclass(frozen=True)
class SurfaceTexels:
    """N texels of an S x S texture."""

    side: int
    index: NDArray[np.int64]  # [N], flat index into the texture, row 0 at v = 1
    face: NDArray[np.int32]  # [N]
    position: NDArray[np.float32]  # [N, 3]
    normal: NDArray[np.float32]  # [N, 3], unit
    bary: NDArray[np.float32]  # [N, 2]

    @property
    def used(self) -> NDArray[np.bool_]:
        """[S, S], True inside charts."""
        used = np.zeros(self.side * self.side, bool)
        used[self.index] = True
        return used.reshape(self.side, self.side)


def texels(
    positions: NDArray[np.floating],
    triangles: NDArray[np.int32],
    corner_uvs: NDArray[np.float32],
    side: int,
) -> SurfaceTexels:
    """The texels of the atlas. positions: [V, 3], triangles: [T, 3], corner_uvs: [T, 3, 2]."""
    raster = uv_raster.rasterise(corner_uvs, side)
    index = np.flatnonzero(raster.face.reshape(-1) >= 0)
    face = raster.face.reshape(-1)[index]
    bary = raster.bary.reshape(-1, 2)[index]
    corners = np.asarray(positions, np.float32)[triangles]  # [T, 3, 3]
    normals = face_normals(corners)
    first, second = bary[:, :1], bary[:, 1:]
    here = corners[face]
    position = here[:, 0] * (1 - first - second) + here[:, 1] * first + here[:, 2] * second
    return SurfaceTexels(side, index, face, position, normals[face], bary)


def face_normals(corners: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit normals [T, 3] of triangles [T, 3, 3]; (0, 0, 0) for those without an area."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normal, axis=1, keepdims=True)
    return (normal / np.where(length > 0, length, 1)).astype(np.float32)
