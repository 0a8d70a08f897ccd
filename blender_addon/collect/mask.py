"""Which faces are painted: weights from faces, a vertex group or a slot.

P polygons, L loops, V vertices, T triangles of the evaluated mesh. 0 keeps, 1 paints.
"""

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import steps
from ..wire import errors
from . import triangles

WAY_OUT = "Choose another mask, or None to paint the whole object."


@dataclass(frozen=True)
class Mask:
    """A weight for each vertex or for each polygon."""

    of_vertices: NDArray[np.float32] | None  # [V]
    of_polygons: NDArray[np.float32] | None  # [P]
    slots: tuple[int, ...]
    """material indices of the painted polygons"""

    def corner_steps(self, cut: triangles.Triangles) -> steps.Steps[NDArray[np.float32]]:
        """The weight of each corner of the triangles, f4 [T, 3]."""
        corners = np.empty(cut.vertices.shape, np.float32)
        for begin, end in steps.ranges(len(corners), 4 * steps.FACES):
            if self.of_vertices is not None:
                corners[begin:end] = self.of_vertices[cut.vertices[begin:end]]
            elif self.of_polygons is not None:
                corners[begin:end] = self.of_polygons[cut.polygons[begin:end], None]
            yield corners[begin:end].nbytes
        return corners


def read(
    thing: bpy.types.Object,
    mesh: bpy.types.Mesh,
    corner_vertices: NDArray[np.int32],
    starts: NDArray[np.int32],
    mode: str,
    vertex_group: str,
    slot: int,
) -> Mask | None:
    """None when everything is painted. corner_vertices: [L], starts: [P + 1].

    Raises UserError `mask.bad` when the mask is empty or names nothing.
    """
    if mode == "NONE":
        return None
    materials = _of_faces(mesh, "material_index", np.int32)
    of_vertices = of_polygons = None
    if mode == "VERTEX_GROUP":
        of_vertices = _group_weights(thing, mesh, vertex_group)
        painted = np.logical_or.reduceat(of_vertices[corner_vertices] > 0, starts[:-1])
    else:
        painted = materials == slot if mode == "SLOT" else _of_faces(mesh, ".select_poly", np.bool_)
        of_polygons = painted.astype(np.float32)
    if not painted.any():
        said = {
            "FACES": f"No face of '{thing.name}' is selected.",
            "VERTEX_GROUP": f"No face of '{thing.name}' is in the vertex group '{vertex_group}'.",
            "SLOT": f"No face of '{thing.name}' uses material slot {slot + 1}.",
        }[mode]
        raise errors.UserError("mask.bad", said, hint=WAY_OUT, fix="mask")
    slots = tuple(int(index) for index in np.unique(materials[painted]))
    return Mask(of_vertices, of_polygons, slots)


def _of_faces(mesh: bpy.types.Mesh, name: str, kind: type[np.generic]) -> NDArray[np.generic]:
    """An attribute of the faces [P], zeros when it is not there; a copy of memory."""
    values = np.zeros(len(mesh.polygons), kind)
    attribute = mesh.attributes.get(name)
    if attribute is not None:
        attribute.data.foreach_get("value", values)
    return values


def _group_weights(thing: bpy.types.Object, mesh: bpy.types.Mesh, name: str) -> NDArray[np.float32]:
    """f4 [V]. Vertex groups have no fast way out, so this walks the vertices."""
    group = thing.vertex_groups.get(name)
    if group is None:
        raise errors.UserError(
            "mask.bad", f"'{thing.name}' has no vertex group '{name}'.", hint=WAY_OUT, fix="mask"
        )
    index, found = group.index, np.zeros(len(mesh.vertices), np.float32)
    for number, vertex in enumerate(mesh.vertices):
        for element in vertex.groups:
            if element.group == index:
                found[number] = element.weight
    return found
