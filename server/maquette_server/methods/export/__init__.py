"""A scene as a textured mesh: the surface of its field, for programs that know no fields."""

from typing import Annotated

from msgspec import Meta

from .. import base


class ExportParams(base.Params, frozen=True):
    """How fine the mesh and its texture become."""

    resolution: (
        Annotated[int, Meta(ge=16, le=512, description="Cells of the grid along an axis, at most")] | None
    ) = None
    texture_size: Annotated[int, Meta(ge=64, le=4096, description="Side of the texture in texels")] = 2048
    faces: Annotated[int, Meta(ge=500, le=2_000_000, description="Faces of the mesh, at most")] = 200_000


METHOD = base.Method(
    name="export",
    params=ExportParams,
    needs=frozenset({"scene"}),
    optional=frozenset(),
    gives=frozenset({"mesh", "uv", "texture", "images", "figures"}),
)
