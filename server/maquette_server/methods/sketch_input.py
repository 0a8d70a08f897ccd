"""The sketch of a request as the libraries see it."""

from dataclasses import dataclass

from maquette_wire import messages
from maquette_wire.errors import UserError

from ..geometry import files
from ..geometry.mesh import Mesh
from . import base, mesh_input


@dataclass(frozen=True)
class Solid:
    """One part of a sketch."""

    mesh: Mesh  # in world coordinates
    strength: float
    lock: bool


def solids(ctx: base.RunContext, step: base.Step) -> base.Part[tuple[Solid, ...] | None]:
    """The parts, None where no sketch was given; yields `step` after each.

    Raises UserError `sketch.empty`, `mesh.*`, `input.bad`, `params.bad`.
    """
    given: messages.SketchInput | None = ctx.inputs.get("sketch")
    if given is None:
        return None
    if not given.parts:
        raise UserError(
            "sketch.empty", "The sketch has no objects.", hint="Add a few solids to it, or leave it out."
        )
    found = []
    for part in given.parts:
        try:
            mesh = mesh_input.mesh_of(part.mesh, ctx.array)
        except UserError as error:
            if error.code != "mesh.degenerate":
                raise
            raise UserError(
                "mesh.degenerate",
                f"'{part.mesh.name}' has no extent.",
                hint="Give it a scale that is not zero, or take it out of the sketch.",
            ) from error
        found.append(Solid(mesh, part.strength, part.lock))
        yield step
    count = sum(len(solid.mesh.triangles) for solid in found)
    if count > files.MAX_FACES:
        raise UserError(
            "mesh.too_large",
            f"The sketch has {count} triangles; at most {files.MAX_FACES} are accepted.",
            hint="A sketch may be rough: use simpler solids, or a Decimate modifier.",
        )
    return tuple(found)
