"""Whether a mesh's own UVs can carry a texture. Textures repeat, so UVs may leave the unit square."""

import numpy as np
from numpy.typing import NDArray

from . import check, uv_raster
from .mesh import Mesh

OVERLAP = 0.01  # share of used texels that may belong to two faces
_SIDE = 512  # texels at which overlap is measured
_TILE = 1.0 + 1e-5  # a face may fill exactly one tile: the plain plane does


def usable(mesh: Mesh, texture_size: int = 1024) -> tuple[bool, str]:
    """Whether the mesh's UVs are usable, and if not, the reason as a clause.

    Every face has UVs and spans at most one tile, fewer than 1 % of the used texels belong to two faces after
    repeating, and no face with an area has none in UV space.
    """
    uvs = mesh.corner_uvs
    if uvs is None:
        return False, "it has no UV map"
    if not np.isfinite(uvs).all():
        return False, "some UVs are not finite numbers"
    solid = check.has_area(mesh.positions, mesh.triangles)
    corners = np.asarray(uvs, np.float64)[solid]
    if len(corners) == 0:
        return False, "no face has an area"
    span = corners.max(1) - corners.min(1)
    wide = int((span > _TILE).any(1).sum())
    if wide:
        return False, f"{wide} faces span more than one tile of the UV map"
    flat = int((~has_uv_area(corners)).sum())
    if flat:
        return False, f"{flat} faces have no area in the UV map"
    share = overlap(corners, min(_SIDE, max(texture_size, 64)))
    if share >= OVERLAP:
        reason = f"{100 * share:.0f} % of the used texture belongs to more than one face"
        tiles = len(np.unique(np.floor(corners.mean(1)), axis=0))
        if tiles > 1:
            reason += f" (its UVs lie in {tiles} tiles, which share one texture)"
        return False, reason
    return True, ""


def has_uv_area(corners: NDArray[np.float64]) -> NDArray[np.bool_]:
    """[T], False where the UVs [T, 3, 2] of a face are one point or line up to float32's last digit."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0])
    third = second - first
    longest = np.sqrt(np.maximum((first**2).sum(1), np.maximum((second**2).sum(1), (third**2).sum(1))))
    digit = np.finfo(np.float32).eps * np.maximum(np.abs(corners).max((1, 2)), 2.0**-6)
    return np.asarray(area > digit * longest)


def overlap(corner_uvs: NDArray[np.floating], side: int) -> float:
    """Share of the used texels of a side x side texture whose centre lies inside two faces; 0 when none is
    used.
    """
    count = uv_raster.coverage(corner_uvs, side)
    used = int((count > 0).sum())
    return float((count > 1).sum()) / used if used else 0.0


def loop_uvs(mesh: Mesh, corner_uvs: NDArray[np.float32]) -> NDArray[np.float32]:
    """[L, 2] for the sender's loops from [T, 3, 2]; the corners of all triangles, flattened, when it named no
    loops.
    """
    if mesh.triangle_loops is None:
        return np.ascontiguousarray(corner_uvs.reshape(-1, 2))
    result = np.zeros((mesh.loop_count, 2), np.float32)
    result[mesh.triangle_loops.reshape(-1)] = corner_uvs.reshape(-1, 2)
    return result
