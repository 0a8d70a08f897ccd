"""Where an object grows: the sketch, the cube round it, and which way is up.

Three frames: the *input's*, which the scene and the mesh are in; the *field's*, the same axes scaled and
moved so that the sketch reaches `REACH` from the middle of the cube -1..1; and the *work frame* of cameras
and view words, y up and +z front, whose middle and scale are the field's.
"""

from dataclasses import dataclass

import numpy as np
from maquette_wire.errors import UserError

from ...fields.domain import Domain
from ...geometry import normalise, sketch_volume
from ...geometry.mesh import Mesh
from .. import base, sketch_input
from . import LatentNerfParams

REACH = 0.7  # of the farthest vertex of a sketch from the middle, as the released code has it
_LOOKING = base.Step(0, 0, "look")


@dataclass(frozen=True)
class Sketch:
    """What the object is to keep to."""

    meshes: tuple[Mesh, ...]  # in the input's frame
    volume: sketch_volume.SketchVolume


@dataclass(frozen=True)
class Place:
    """The frames, and the sketch if there is one."""

    work: normalise.Similarity  # work frame from the input's
    up: tuple[float, float, float]  # in the input's axes
    front: tuple[float, float, float]
    sketch: Sketch | None

    @property
    def domain(self) -> Domain:
        """Of the field, in the input's frame."""
        x, y, z = self.work.centre.tolist()
        return Domain((x, y, z), self.work.scale, False)


def find(ctx: base.RunContext) -> base.Part[Place]:
    """Raises UserError `sketch.*`, `mesh.*`, `input.bad`, `params.bad`."""
    params: LatentNerfParams = ctx.params
    solids = yield from sketch_input.solids(ctx, _LOOKING)
    if solids is None:
        turned = normalise.rotation(params.up, params.front)
        still = normalise.Similarity(turned, 1.0, np.zeros(3), np.zeros(3))
        return Place(still, params.up, params.front, None)
    meshes = tuple(solid.mesh for solid in solids)
    up, front = meshes[0].up, meshes[0].front
    work = normalise.work_from_input(
        np.concatenate([mesh.positions[np.unique(mesh.triangles)] for mesh in meshes]),
        up=up,
        front=front,
        size=REACH,
        lift=0.0,
    )
    parts = [
        sketch_volume.Part(
            (solid.mesh.positions - work.centre) * work.scale,
            solid.mesh.triangles.astype(np.int64),
            solid.strength,
            solid.lock,
        )
        for solid in solids
    ]
    volume = yield from base.telling(sketch_volume.sampled(parts), _LOOKING)
    thin = []
    for number in volume.missed:
        name = meshes[number].name
        is_thin = sketch_volume.encloses(parts[number])
        if is_thin:
            thin.append(name)
        if volume.filled:
            what = "is too thin beside the rest" if is_thin else "encloses no volume"
            ctx.warn("sketch.thin" if is_thin else "sketch.flat", f"'{name}' {what}, so nothing keeps to it.")
        yield _LOOKING
    if volume.filled == 0:
        names = ", ".join(f"'{mesh.name}'" for mesh in meshes[:3])
        what = "is too thin for its length" if thin else "encloses no volume"
        raise UserError(
            "sketch.flat",
            f"The sketch {what} ({names}{', ...' if len(meshes) > 3 else ''}).",
            hint="Use solids such as spheres and boxes, give surfaces a thickness (Solidify modifier), "
            "or join walls that enclose something together.",
        )
    return Place(work, up, front, Sketch(meshes, volume))
