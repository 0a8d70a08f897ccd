"""Which faces are painted: a weight per triangle corner from faces, a vertex group or a slot.

T triangles, P polygons, V vertices of the evaluated mesh. 0 keeps, 1 paints.
"""

import bpy
import numpy as np
from numpy.typing import NDArray

from ..wire import errors

WAY_OUT = "Choose another mask, or None to paint the whole object."


def weights(
    thing: bpy.types.Object,
    mesh: bpy.types.Mesh,
    triangles: NDArray[np.int32],
    polygons: NDArray[np.int32],
    mode: str,
    vertex_group: str,
    slot: int,
) -> NDArray[np.float32] | None:
    """f4 [T, 3], or None when everything is painted. `triangles` i4 [T, 3], `polygons` i4 [T].

    Raises UserError `mask.bad` when the mask is empty or names nothing.
    """
    if mode == "NONE":
        return None
    if mode == "VERTEX_GROUP":
        corners = _group_weights(thing, mesh, vertex_group)[triangles]
    elif mode == "SLOT":
        indices = _material_indices(mesh)
        chosen = (indices == slot).astype(np.float32)
        corners = np.repeat(chosen[polygons][:, None], 3, axis=1)
    else:
        selected = np.zeros(len(mesh.polygons), bool)
        mesh.polygons.foreach_get("select", selected)
        corners = np.repeat(selected.astype(np.float32)[polygons][:, None], 3, axis=1)
    if not corners.any():
        said = {
            "FACES": f"No face of '{thing.name}' is selected.",
            "VERTEX_GROUP": f"No face of '{thing.name}' is in the vertex group '{vertex_group}'.",
            "SLOT": f"No face of '{thing.name}' uses material slot {slot + 1}.",
        }[mode]
        raise errors.UserError("mask.bad", said, hint=WAY_OUT, fix="mask")
    return np.ascontiguousarray(corners, np.float32)


def slots(
    mesh: bpy.types.Mesh, polygons: NDArray[np.int32], corners: NDArray[np.float32] | None
) -> tuple[int, ...]:
    """Material slots of the painted faces; empty when everything is painted."""
    if corners is None:
        return ()
    painted = _material_indices(mesh)[polygons[corners.any(axis=1)]]
    return tuple(int(slot) for slot in np.unique(painted))


def _material_indices(mesh: bpy.types.Mesh) -> NDArray[np.int32]:
    indices = np.zeros(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("material_index", indices)
    return indices


def _group_weights(thing: bpy.types.Object, mesh: bpy.types.Mesh, name: str) -> NDArray[np.float32]:
    """f4 [V]. Vertex groups have no fast way out, so this walks the vertices."""
    group = thing.vertex_groups.get(name)
    if group is None:
        raise errors.UserError(
            "mask.bad", f"'{thing.name}' has no vertex group '{name}'.", hint=WAY_OUT, fix="mask"
        )
    found = np.zeros(len(mesh.vertices), np.float32)
    for vertex in mesh.vertices:
        for element in vertex.groups:
            if element.group == group.index:
                found[vertex.index] = element.weight
    return found
