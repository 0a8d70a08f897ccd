"""The object to be painted: its mesh in the work frame, and UVs that can hold a texture.

Own UVs are kept when they are usable; otherwise an atlas is made, and the reason is told.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ...geometry import check, normalise, unwrap, uv
from ...geometry.mesh import Mesh
from ...media import png
from .. import base, mesh_input
from . import LatentPaintParams


@dataclass(frozen=True)
class Target:
    """What the painting works on. `positions` are in the work frame (y up, +z front, radius 0.6 round (0,
    0.25, 0)).
    """

    mesh: Mesh
    positions: NDArray[np.float32]  # [V, 3]
    triangles: NDArray[np.int32]  # [T', 3], those that have an area
    faces: NDArray[np.int64]  # [T'], their numbers in the mesh
    corner_uvs: NDArray[np.float32]  # [T, 3, 2], of all triangles of the mesh, v up
    uv_source: str
    """"own", or how the atlas was made"""
    charts: int | None
    existing: NDArray[np.uint8] | None
    """[S, S, 3 or 4], the texture to start from or to keep under the mask"""
    mask_picture: NDArray[np.uint8] | None  # [H, W, 3 or 4]
    texture_size: int

    @property
    def masked(self) -> bool:
        """Whether parts are to be kept bit for bit."""
        return self.mask_picture is not None or self.mesh.corner_weights is not None

    @property
    def painted_uvs(self) -> NDArray[np.float32]:
        """[T', 3, 2], UVs of `triangles`."""
        return self.corner_uvs[self.faces]

    def mesh_of_faces(self) -> Mesh:
        """The mesh cut down to `triangles`."""
        weights = self.mesh.corner_weights
        return dataclasses.replace(
            self.mesh,
            triangles=self.triangles,
            corner_weights=None if weights is None else weights[self.faces],
        )


def prepare(ctx: base.RunContext) -> base.Part[Target]:
    """Reads the inputs, normalises and unwraps; yields while an atlas is being made.

    Raises UserError `mesh.*`, `texture.bad`, `mask.bad`.
    """
    params: LatentPaintParams = ctx.params
    ctx.timer.stage("prepare")
    mesh = mesh_input.mesh_of(ctx.inputs["mesh"], ctx.array)
    for note in mesh.notes:
        ctx.warn("mesh.note", note)
    looking = base.Step(0, 0, "prepare")
    yield looking
    faces = np.flatnonzero(check.has_area(mesh.positions, mesh.triangles))
    if not len(faces):
        raise UserError(
            "mesh.degenerate", f"No face of '{mesh.name}' has an area.", hint="Choose a mesh with a surface."
        )
    triangles = mesh.triangles[faces]
    work = normalise.work_from_input(
        mesh.positions,
        up=mesh.up,
        front=mesh.front,
        centre="vertices" if params.preset == "parity" else "box",
        triangles=triangles,
    )
    existing = _picture(ctx, "texture", "texture.bad")
    mask_picture = _picture(ctx, "mask", "mask.bad")
    masked = mask_picture is not None or mesh.corner_weights is not None
    size = params.texture_size
    if params.preset == "parity" and (existing is not None or masked):
        raise UserError(
            "params.bad",
            "The parity preset paints whole objects from noise: it takes no mask and no texture.",
            hint="Choose another preset.",
        )
    if existing is not None:
        side = _square_side(existing)
        size = side if masked else size
    yield looking
    usable, reason = (False, "it has no UV map") if mesh.corner_uvs is None else uv.usable(mesh, size)
    charts = None
    if usable and mesh.corner_uvs is not None:
        corner_uvs, source = mesh.corner_uvs, "own"
    elif masked:
        raise UserError(
            "mesh.no_uv",
            f"A mask keeps part of the texture of '{mesh.name}', but its UV map cannot be used: {reason}.",
            hint="Unwrap it first, or paint without a mask.",
            fix="unwrap",
        )
    elif existing is not None:
        raise UserError(
            "mesh.no_uv",
            f"The texture to start from does not fit '{mesh.name}': {reason}.",
            hint="Unwrap the mesh and bake its texture first, or start without a texture.",
            fix="unwrap",
        )
    else:
        corner_uvs, source, charts = yield from _atlas(ctx, mesh, size, reason)
    return Target(
        mesh, work.work_positions(mesh.positions), triangles, faces, corner_uvs, source, charts, existing,
        mask_picture, size,
    )  # fmt: skip


def _atlas(
    ctx: base.RunContext, mesh: Mesh, size: int, reason: str
) -> base.Part[tuple[NDArray[np.float32], str, int | None]]:
    if ctx.state is not None and "atlas.corner_uvs" in ctx.state.tensors:
        saved = ctx.state.values
        return ctx.state.tensors["atlas.corner_uvs"].numpy(), saved["atlas.source"], saved["atlas.charts"]
    ctx.timer.stage("unwrap")
    # The released code asks xatlas for four rounds of chart growing.
    rounds = 4 if ctx.params.preset == "parity" else 1
    with unwrap.Unwrapping(mesh, size, chart_iterations=rounds) as job:
        while (atlas := job.poll(0.1)) is None:
            yield base.Step(0, 0, "unwrap")
    return atlas.corner_uvs, f"{atlas.source}: {reason}", atlas.chart_count


def saved_atlas(target: Target) -> base.State:
    """What a checkpoint keeps of an atlas, so that it is not made twice."""
    if target.uv_source == "own":
        return base.State({}, {})
    uvs = torch.from_numpy(np.array(target.corner_uvs, np.float32))
    return base.State(
        {"atlas.corner_uvs": uvs}, {"atlas.source": target.uv_source, "atlas.charts": target.charts}
    )


def _picture(ctx: base.RunContext, role: str, code: str) -> NDArray[np.uint8] | None:
    message: Any = ctx.inputs.get(role)
    return None if message is None else png.read(ctx.file(message.image), code=code)


def _square_side(picture: NDArray[np.uint8]) -> int:
    height, width = picture.shape[:2]
    if height != width or not 64 <= height <= 4096:
        raise UserError(
            "texture.bad",
            f"The texture has {width} x {height} texels; painting needs a square one of 64 to 4096.",
            hint="Resize the texture, or paint without it.",
        )
    return height
