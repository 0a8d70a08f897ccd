"""A textured mesh as the items of a result."""

import numpy as np
from numpy.typing import NDArray

from ..geometry.mesh import Mesh
from ..media import glb
from . import base


def of(mesh: Mesh, corner_uvs: NDArray[np.float32], texture_png: bytes) -> list[base.Item]:
    """mesh.glb, and the same as arrays in the mesh's own coordinates, for who builds meshes and reads no
    GLB.

    corner_uvs: [T, 3, 2], v up.
    """
    return [
        base.Item("mesh", "mesh.glb", glb.write(mesh, corner_uvs, texture_png)),
        base.Item("mesh", "positions", np.asarray(mesh.positions, np.float64)),
        base.Item("mesh", "triangles", np.asarray(mesh.triangles, np.int32)),
        base.Item("uv", "corner_uvs", np.asarray(corner_uvs, np.float32)),
        base.Item("texture", "texture.png", texture_png),
    ]
