"""The solids of a sketch as a wire input: the evaluated meshes of a collection, each with its world matrix.

`read` copies all that is needed at one moment; `input_steps` does the rest in short steps, from the copies.
Everything that has faces counts: curves and texts with a thickness too. V vertices, P polygons, L loops.
"""

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import axes, solids, steps
from .. import target as targets
from ..wire import errors, messages
from . import inputs, triangles
from . import mesh as meshes


@dataclass(frozen=True)
class Solid:
    """One object as it was."""

    name: str
    world_from_object: tuple[axes.Row, axes.Row, axes.Row, axes.Row]
    positions: NDArray[np.float32]  # [V, 3]
    corner_vertices: NDArray[np.int32]  # [L]
    starts: NDArray[np.int32]  # [P + 1]
    blenders: NDArray[np.int32]  # [N, 3], Blender's cut of polygons with many corners
    strength: float
    lock: bool


@dataclass(frozen=True)
class Reading:
    """A sketch as it was."""

    solids: tuple[Solid, ...]
    front: axes.Vector

    @property
    def size(self) -> int:
        """About what the steps yield in all, in bytes."""
        return sum(solid.positions.nbytes + 40 * len(solid.corner_vertices) for solid in self.solids)


def things(collection: bpy.types.Collection | None) -> list[bpy.types.Object]:
    """The objects of a sketch that are not hidden, neither in viewports nor with the eye."""
    if collection is None:
        return []
    return [thing for thing in collection.all_objects if solids.counts(thing)]


def read(depsgraph: bpy.types.Depsgraph, collection: bpy.types.Collection, front: str) -> Reading:
    """Copies the sketch, all of it now. Raises UserError `sketch.empty` or `mesh.not_finite`."""
    found = []
    for thing in things(collection):
        evaluated = thing.evaluated_get(depsgraph)
        mesh = evaluated.to_mesh()
        try:
            if mesh is not None and len(mesh.polygons):
                found.append(_read(thing, evaluated, mesh))
        finally:
            evaluated.to_mesh_clear()
    if not found:
        raise errors.UserError(
            "sketch.empty",
            f"The sketch '{collection.name}' has no objects with faces.",
            hint="Add a few solids to it, or choose no sketch.",
        )
    return Reading(tuple(found), axes.FRONTS[front])


def _read(thing: bpy.types.Object, evaluated: bpy.types.Object, mesh: bpy.types.Mesh) -> Solid:
    positions = meshes.finite_positions(thing, mesh)
    starts = targets.polygon_starts(mesh)
    return Solid(
        name=thing.name,
        world_from_object=axes.matrix_rows(evaluated.matrix_world),
        positions=positions,
        corner_vertices=targets.corner_vertices(mesh),
        starts=starts,
        blenders=triangles.blenders_cut(mesh, triangles.many_cornered(starts)),
        strength=thing.maquette.strength,
        lock=thing.maquette.lock,
    )


def input_steps(reading: Reading) -> steps.Steps[inputs.Inputs]:
    """The input of a sculpting job; needs nothing of Blender any more."""
    given = inputs.Inputs()
    parts = []
    for solid in reading.solids:
        cut = yield from triangles.cut(
            solid.positions, solid.corner_vertices, solid.starts, solid.blenders, None
        )
        mesh = messages.MeshInput(
            name=solid.name,
            positions=(yield from given.array(solid.positions)),
            triangles=(yield from given.array(cut.vertices)),
            world_from_object=solid.world_from_object,
            up=axes.UP,
            front=reading.front,
        )
        parts.append(messages.SketchPart(mesh=mesh, strength=solid.strength, lock=solid.lock))
    given.inputs.append(messages.SketchInput(parts=tuple(parts)))
    return given
