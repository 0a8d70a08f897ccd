"""The evaluated mesh of an object as a wire input: local coordinates and the world matrix, nothing rotated.

`read` copies all that is needed at one moment, through what Blender hands out as a piece of memory (about 80
ms a million faces); `input_steps` does the rest in short steps, from the copies. So an edit meanwhile changes
nothing.

V vertices, P polygons, L loops. Modifiers are applied as the viewport shows them. When they change the
topology, a new UV map could not be put back on the base mesh; then the UV map that modifiers carry through
must be usable, or it is refused.
"""

from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import axes, materials, steps
from .. import target as targets
from ..wire import errors, messages
from . import inputs, mask, texture, triangles

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


@dataclass(frozen=True)
class Reading:
    """A mesh and what belongs to it as they were at one moment: copies, which no edit reaches."""

    name: str
    world_from_object: tuple[axes.Row, axes.Row, axes.Row, axes.Row]
    front: axes.Vector
    base_colour: axes.Vector
    positions: NDArray[np.float32]  # [V, 3]
    corner_vertices: NDArray[np.int32]  # [L]
    starts: NDArray[np.int32]  # [P + 1], the first loop of each polygon, then L
    blenders: NDArray[np.int32]  # [N, 3], Blender's cut of polygons with many corners
    loop_uvs: NDArray[np.float32] | None  # [L, 2]
    mask: mask.Mask | None
    picture: texture.Picture | None
    base: targets.Topology
    target: targets.Target
    """without its digest"""
    modifiers: str
    """names of those that change the topology, empty when none does"""

    @property
    def size(self) -> int:
        """About what the steps yield in all, in bytes."""
        triangles = len(self.corner_vertices) - 2 * (len(self.starts) - 1)
        weights = 24 if self.mask is not None else 0
        picture = 2 * self.picture.size if self.picture is not None else 0
        uvs = 24 if self.loop_uvs is not None else 0
        return self.positions.nbytes + triangles * (40 + uvs + weights) + self.base.size + picture


def collect(
    depsgraph: bpy.types.Depsgraph, thing: bpy.types.Object, wish: Wish
) -> tuple[inputs.Inputs, targets.Target]:
    """Reads and finishes at once."""
    return steps.at_once(input_steps(read(depsgraph, thing, wish)))


def read(depsgraph: bpy.types.Depsgraph, thing: bpy.types.Object, wish: Wish) -> Reading:
    """Copies what a paint job needs, all of it now. The object must not be in edit mode.

    Raises UserError `target.bad`, `mesh.empty`, `mesh.not_finite`, `mesh.no_uv`, `mask.bad` or `texture.bad`.
    """
    refuse_unusable(thing)
    evaluated = thing.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    try:
        return _read(thing, evaluated, mesh, wish)
    finally:
        evaluated.to_mesh_clear()


def input_steps(reading: Reading) -> steps.Steps[tuple[inputs.Inputs, targets.Target]]:
    """The inputs of a paint job and what to remember for its result; needs nothing of Blender any more.

    Raises UserError `mesh.no_uv`.
    """
    if reading.loop_uvs is not None and reading.modifiers:
        yield from _refuse_stacked_faces(reading, reading.loop_uvs)
    cut = yield from triangles.cut(
        reading.positions, reading.corner_vertices, reading.starts, reading.blenders, reading.loop_uvs
    )
    given = inputs.Inputs()
    weights = None
    if reading.mask is not None:
        corners = yield from reading.mask.corner_steps(cut)
        weights = yield from given.array(corners)
    given.inputs.append(
        messages.MeshInput(
            name=reading.name,
            positions=(yield from given.array(reading.positions)),
            triangles=(yield from given.array(cut.vertices)),
            corner_uvs=None if cut.uvs is None else (yield from given.array(cut.uvs)),
            corner_weights=weights,
            triangle_polygons=(yield from given.array(cut.polygons)),
            triangle_loops=(yield from given.array(cut.loops)),
            loop_count=len(reading.corner_vertices),
            world_from_object=reading.world_from_object,
            up=axes.UP,
            front=reading.front,
            base_colour=reading.base_colour,
        )
    )
    if reading.picture is not None:
        file = yield from texture.file_steps(reading.picture)
        given.inputs.append(messages.TextureInput(image=(yield from given.file(file))))
    digest = yield from targets.digest_steps(reading.base)
    return given, replace(reading.target, digest=digest)


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


def _read(thing: bpy.types.Object, evaluated: bpy.types.Object, mesh: bpy.types.Mesh, wish: Wish) -> Reading:
    if len(mesh.polygons) == 0:
        raise errors.UserError(
            "mesh.empty", f"'{thing.name}' has no faces.", hint="Add faces, or see what its modifiers do."
        )
    positions = finite_positions(thing, mesh)
    corner_vertices, starts = targets.corner_vertices(mesh), targets.polygon_starts(mesh)
    masked = mask.read(thing, mesh, corner_vertices, starts, wish.mask_mode, wish.vertex_group, wish.slot)
    last = max(len(thing.material_slots) - 1, 0)  # Blender shows a higher index as the last slot
    slots = tuple(sorted({min(slot, last) for slot in masked.slots})) if masked is not None else ()
    if len(slots) > 1:
        raise errors.UserError(
            "mask.bad",
            f"The mask of '{thing.name}' reaches into {len(slots)} materials.",
            hint="Mask the faces of one material at a time.",
            fix="mask",
        )
    material = _material(thing, slots[0] if slots else 0)
    used = materials.used_by(material)
    if masked is not None:
        texture.require_readable(material)
    layer = _uv_layer(mesh, used)
    base_layer = layer if layer in thing.data.uv_layers else ""
    base = targets.topology(thing.data, base_layer)
    carried = not (
        base.vertex_count == len(mesh.vertices)
        and np.array_equal(base.corner_vertices, corner_vertices)
        and np.array_equal(base.starts, starts)
    )
    if not layer:
        _refuse_without_uvs(thing, carried=carried, masked=masked is not None)
    return Reading(
        name=thing.name,
        world_from_object=axes.matrix_rows(evaluated.matrix_world),
        front=axes.FRONTS[wish.front],
        base_colour=texture.colour_of(material),
        positions=positions,
        corner_vertices=corner_vertices,
        starts=starts,
        blenders=triangles.blenders_cut(mesh, triangles.many_cornered(starts)),
        loop_uvs=targets.layer_uvs(mesh.uv_layers[layer]) if layer else None,
        mask=masked,
        picture=texture.read(used.image) if masked is not None and used is not None else None,
        base=base,
        target=targets.Target(
            uid=targets.named(thing),
            name=thing.name,
            digest="",
            uv_layer=base_layer,
            carried=carried,
            slots=slots,
        ),
        modifiers=_modifiers(thing) if carried else "",
    )


def finite_positions(thing: bpy.types.Object, mesh: bpy.types.Mesh) -> NDArray[np.float32]:
    """[V, 3] of the evaluated mesh of an object. Raises UserError `mesh.not_finite`."""
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", positions)
    if not np.isfinite(positions).all():
        raise errors.UserError(
            "mesh.not_finite",
            f"Some vertices of '{thing.name}' are not finite numbers.",
            hint="Delete them (Mesh > Clean Up), or see what its modifiers do.",
        )
    return positions.reshape(-1, 3)


def _material(thing: bpy.types.Object, slot: int) -> bpy.types.Material | None:
    return thing.material_slots[slot].material if slot < len(thing.material_slots) else None


def _uv_layer(mesh: bpy.types.Mesh, used: materials.Used | None) -> str:
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


def _refuse_stacked_faces(reading: Reading, loop_uvs: NDArray[np.float32]) -> steps.Steps[None]:
    """Mirrors and arrays put copies of faces onto the same place; the server would have to make a new UV map.

    Overlaps of other kinds are found by the server only, and told when the result is applied.
    """
    starts = reading.starts
    count = len(starts) - 1
    places = np.empty(count, np.int64)
    """the centre of each face in the UV map, in steps of 1e-5, both numbers in one"""
    for begin, end in steps.ranges(count):
        part = loop_uvs[starts[begin] : starts[end]].astype(np.float64)
        sums = np.add.reduceat(part, starts[begin:end] - starts[begin], axis=0)
        centres = np.rint(1e5 * np.nan_to_num(sums / np.diff(starts[begin : end + 1])[:, None]))
        places[begin:end] = centres[:, 0].astype(np.int64) * 2**32 + centres[:, 1].astype(np.int64)
        yield 0
    distinct, heaps = 0, count // steps.FACES + 1
    heap_of = places % heaps  # equal places are in the same heap
    for heap in range(heaps):
        distinct += len(np.unique(places[heap_of == heap]))
        yield 0
    if distinct < (1 - STACKED) * count:
        raise errors.UserError(
            "mesh.no_uv",
            f"Modifiers of '{reading.name}' ({reading.modifiers}) stack faces in its UV map.",
            hint="Apply the modifiers, so that a new UV map can be made.",
        )


def _modifiers(thing: bpy.types.Object) -> str:
    return ", ".join(modifier.name for modifier in thing.modifiers if modifier.show_viewport)
