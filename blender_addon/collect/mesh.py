"""The evaluated mesh of an object as a wire input: local coordinates and the world matrix, nothing rotated.

V vertices, T triangles, L loops. Modifiers are applied as the viewport shows them. When they change the
topology, a new UV map could not be put back on the base mesh; then the UV map that modifiers carry through
must be usable, or it is refused.
"""

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import axes
from .. import target as targets
from ..wire import errors, messages
from . import inputs, mask, texture

APPLY_OR_UNWRAP = "Unwrap it (UV > Smart UV Project) so that no faces overlap, or apply the modifiers."
STACKED = 0.01  # share of faces that lie on another one, from which a UV map is of no use


@dataclass(frozen=True)
class Wish:
    """What the panel says about a mesh."""

    front: str = "-Y"
    mask_mode: str = "NONE"
    """NONE, FACES, VERTEX_GROUP or SLOT"""
    vertex_group: str = ""
    slot: int = 0


def collect(
    depsgraph: bpy.types.Depsgraph, thing: bpy.types.Object, wish: Wish
) -> tuple[inputs.Inputs, targets.Target]:
    """The inputs of a paint job and what to remember for its result. The object must not be in edit mode.

    Raises UserError `target.bad`, `mesh.empty`, `mesh.not_finite`, `mesh.no_uv`, `mask.bad` or `texture.bad`.
    """
    refuse_unusable(thing)
    evaluated = thing.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    try:
        return _collect(thing, evaluated, mesh, wish)
    finally:
        evaluated.to_mesh_clear()


def refuse_unusable(thing: bpy.types.Object | None) -> None:
    """Raises UserError `target.bad` or `mesh.empty` when the object cannot be painted at all."""
    if thing is None:
        raise errors.UserError("target.bad", "No object is selected.", hint="Select a mesh to paint.")
    if thing.type != "MESH":
        kind = thing.type.replace("_", " ").lower()
        raise errors.UserError(
            "target.bad",
            f"'{thing.name}' is a {kind}, not a mesh.",
            hint="Convert it (Object > Convert > Mesh), or select a mesh.",
        )
    if thing.library is not None or thing.data.library is not None:
        raise errors.UserError(
            "target.bad",
            f"'{thing.name}' is linked from another file, so it cannot be changed here.",
            hint="Make it local (Object > Relations > Make Local).",
        )


def _collect(
    thing: bpy.types.Object, evaluated: bpy.types.Object, mesh: bpy.types.Mesh, wish: Wish
) -> tuple[inputs.Inputs, targets.Target]:
    if len(mesh.polygons) == 0:
        raise errors.UserError(
            "mesh.empty", f"'{thing.name}' has no faces.", hint="Add faces, or see what its modifiers do."
        )
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", positions)
    if not np.isfinite(positions).all():
        raise errors.UserError(
            "mesh.not_finite",
            f"Some vertices of '{thing.name}' are not finite numbers.",
            hint="Delete them (Mesh > Clean Up), or see what its modifiers do.",
        )
    triangles, loops, polygons = _triangles(mesh)
    corners = mask.weights(thing, mesh, triangles, polygons, wish.mask_mode, wish.vertex_group, wish.slot)
    last = max(len(thing.material_slots) - 1, 0)  # Blender shows a higher index as the last slot
    slots = tuple(sorted({min(slot, last) for slot in mask.slots(mesh, polygons, corners)}))
    if len(slots) > 1:
        raise errors.UserError(
            "mask.bad",
            f"The mask of '{thing.name}' reaches into {len(slots)} materials.",
            hint="Mask the faces of one material at a time.",
            fix="mask",
        )
    material = _material(thing, slots[0] if slots else 0)
    used = texture.used_by(material)
    if corners is not None:
        texture.require_readable(material)
    layer = _uv_layer(mesh, used)
    loop_uvs = targets.layer_uvs(mesh.uv_layers[layer]) if layer else None
    uvs = None if loop_uvs is None else loop_uvs[loops]
    carried = not _same_topology(thing.data, mesh)
    if loop_uvs is None:
        _refuse_without_uvs(thing, carried=carried, masked=corners is not None)
    elif carried:
        _refuse_stacked_faces(thing, loop_uvs, targets.polygon_starts(mesh))

    given = inputs.Inputs()
    given.inputs.append(
        messages.MeshInput(
            name=thing.name,
            positions=given.array(positions.reshape(-1, 3)),
            triangles=given.array(triangles),
            corner_uvs=None if uvs is None else given.array(uvs),
            corner_weights=None if corners is None else given.array(corners),
            triangle_polygons=given.array(polygons),
            triangle_loops=given.array(loops),
            loop_count=len(mesh.loops),
            world_from_object=axes.matrix_rows(evaluated.matrix_world),
            up=axes.UP,
            front=axes.FRONTS[wish.front],
            base_colour=texture.colour_of(material),
        )
    )
    if corners is not None and used is not None:
        image = given.file(texture.file_of(used.image))
        given.inputs.append(messages.TextureInput(image=image))
    base_layer = layer if layer in thing.data.uv_layers else ""
    remembered = targets.Target(
        uid=targets.named(thing),
        name=thing.name,
        digest=targets.digest(thing.data, base_layer),
        uv_layer=base_layer,
        carried=carried,
        slots=slots,
    )
    return given, remembered


def _triangles(mesh: bpy.types.Mesh) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Vertices [T, 3], loops [T, 3] and polygon [T] of the triangles, cut as Blender cuts polygons."""
    mesh.calc_loop_triangles()
    count = len(mesh.loop_triangles)
    vertices, loops = np.empty(count * 3, np.int32), np.empty(count * 3, np.int32)
    polygons = np.empty(count, np.int32)
    mesh.loop_triangles.foreach_get("vertices", vertices)
    mesh.loop_triangles.foreach_get("loops", loops)
    mesh.loop_triangles.foreach_get("polygon_index", polygons)
    return vertices.reshape(-1, 3), loops.reshape(-1, 3), polygons


def _same_topology(base: bpy.types.Mesh, mesh: bpy.types.Mesh) -> bool:
    """True when loops and polygons of the evaluated mesh are those of the base mesh."""
    sizes = (len(base.vertices), len(base.loops), len(base.polygons))
    return (
        sizes == (len(mesh.vertices), len(mesh.loops), len(mesh.polygons))
        and np.array_equal(targets.corner_vertices(base), targets.corner_vertices(mesh))
        and np.array_equal(targets.polygon_starts(base), targets.polygon_starts(mesh))
    )


def _material(thing: bpy.types.Object, slot: int) -> bpy.types.Material | None:
    return thing.material_slots[slot].material if slot < len(thing.material_slots) else None


def _uv_layer(mesh: bpy.types.Mesh, used: texture.Used | None) -> str:
    """The UV map that the present texture is laid out by, else the one that renders, else none."""
    if used is not None and used.uv_layer in mesh.uv_layers:
        return used.uv_layer
    return next((layer.name for layer in mesh.uv_layers if layer.active_render), "")


def _refuse_without_uvs(thing: bpy.types.Object, *, carried: bool, masked: bool) -> None:
    if masked:
        raise errors.UserError(
            "mesh.no_uv",
            f"'{thing.name}' has no UV map, and a mask keeps what is there.",
            hint="Unwrap it (UV > Smart UV Project), or paint without a mask.",
            fix="mask",
        )
    if carried:
        raise errors.UserError(
            "mesh.no_uv",
            f"'{thing.name}' has no UV map, and modifiers ({_modifiers(thing)}) change its faces.",
            hint=APPLY_OR_UNWRAP,
        )


def _refuse_stacked_faces(
    thing: bpy.types.Object, loop_uvs: NDArray[np.float32], starts: NDArray[np.int32]
) -> None:
    """Mirrors and arrays put copies of faces onto the same place; the server would have to make a new UV map.

    Overlaps of other kinds are found by the server only, and told when the result is applied.
    """
    sizes = np.diff(starts, append=len(loop_uvs))[:, None]
    centres = np.round(np.add.reduceat(loop_uvs.astype(np.float64), starts, axis=0) / sizes, 5)
    if len(np.unique(centres, axis=0)) < (1 - STACKED) * len(centres):
        raise errors.UserError(
            "mesh.no_uv",
            f"Modifiers of '{thing.name}' ({_modifiers(thing)}) stack faces in its UV map.",
            hint="Apply the modifiers, so that a new UV map can be made.",
        )


def _modifiers(thing: bpy.types.Object) -> str:
    return ", ".join(modifier.name for modifier in thing.modifiers if modifier.show_viewport)
