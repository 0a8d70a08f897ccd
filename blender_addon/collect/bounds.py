"""A sphere round objects as the viewport shows them."""

from collections.abc import Sequence

import bpy
import numpy as np
from numpy.typing import NDArray

from ..wire import errors

SOLID = frozenset(
    {"MESH", "CURVE", "SURFACE", "META", "FONT", "CURVES", "POINTCLOUD", "VOLUME", "GPENCIL", "GREASEPENCIL"}
)
"""kinds of objects that cameras can be put round"""


def sphere(
    depsgraph: bpy.types.Depsgraph, things: Sequence[bpy.types.Object]
) -> tuple[NDArray[np.float64], float]:
    """Centre [3] of the box round the objects, and the distance of what lies farthest from it.

    Raises UserError `target.bad`.
    """
    solid = [thing for thing in things if thing.type in SOLID]
    if not solid:
        raise errors.UserError(
            "target.bad",
            "No object is selected that cameras could be put round.",
            hint="Select a mesh, or another object that can be seen.",
        )
    points = np.concatenate([_points(thing.evaluated_get(depsgraph)) for thing in solid])
    if not np.isfinite(points).all():
        raise errors.UserError(
            "target.bad", f"'{solid[0].name}' has no finite size.", hint="Check its scale."
        )
    centre = 0.5 * (points.min(0) + points.max(0))
    radius = float(np.sqrt(((points - centre) ** 2).sum(-1).max()))
    return centre, radius or 1.0


def _points(thing: bpy.types.Object) -> NDArray[np.float64]:
    """World coordinates [N, 3] of the vertices of a mesh, else of the corners of the object's box."""
    local = np.array([tuple(corner) for corner in thing.bound_box], np.float64)
    position = thing.data.attributes.get("position") if thing.type == "MESH" else None
    if position is not None and len(position.data):
        vertices = np.empty(len(position.data) * 3, np.float32)
        position.data.foreach_get("vector", vertices)
        local = vertices.reshape(-1, 3).astype(np.float64)
    world = np.array(thing.matrix_world, np.float64)
    return local @ world[:3, :3].T + world[:3, 3]
