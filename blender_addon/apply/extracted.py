"""The surface of a field as a mesh object: arrays of the server, in the coordinates of the capture.

V vertices, T triangles.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import png
from ..wire import errors
from . import texture


@dataclass(frozen=True)
class Surface:
    """What a job gave."""

    positions: NDArray[np.float64]  # [V, 3]
    triangles: NDArray[np.int32]  # [T, 3]
    corner_uvs: NDArray[np.float32]  # [T, 3, 2], v up
    png: bytes
    recipe: Mapping[str, Any]
    """settings and report of the job: written on object and image"""


def build(context: bpy.types.Context, empty: bpy.types.Object, surface: Surface) -> bpy.types.Object:
    """A new object below the Empty, where the field has its surface; its origin is in the middle of it.

    Raises UserError `result.gone`, `texture.bad`, before anything is made.
    """
    refuse_unusable(surface)
    png.size(surface.png)
    low, high = surface.positions.min(0), surface.positions.max(0)
    middle = 0.5 * (low + high)
    name = f"{empty.name} Mesh"
    mesh = bpy.data.meshes.new(name)
    _fill(mesh, surface, middle)
    image = bpy.data.images.new(name, 8, 8, alpha=False)
    image.pack(data=surface.png, data_len=len(surface.png))
    image.source = "FILE"
    image.colorspace_settings.name = "sRGB"
    image[texture.RECIPE] = json.dumps(dict(surface.recipe), sort_keys=True)
    material = texture.material_of(name, image, texture.UV_LAYER, [])
    mesh.materials.append(material)
    thing = bpy.data.objects.new(name, mesh)
    thing.parent = empty
    thing.location = tuple(middle)
    for collection in empty.users_collection or (context.scene.collection,):
        collection.objects.link(thing)
    context.view_layer.update()  # else a layer may not know yet what was linked
    for other in context.view_layer.objects.selected:
        other.select_set(False)
    if thing.name in context.view_layer.objects:
        thing.select_set(True)
        context.view_layer.objects.active = thing
    return thing


def _fill(mesh: bpy.types.Mesh, surface: Surface, middle: NDArray[np.float64]) -> None:
    count, corners = len(surface.triangles), surface.triangles.size
    mesh.vertices.add(len(surface.positions))
    mesh.vertices.foreach_set("co", (surface.positions - middle).astype(np.float32).ravel())
    mesh.loops.add(corners)
    mesh.loops.foreach_set("vertex_index", surface.triangles.ravel())
    mesh.polygons.add(count)
    mesh.polygons.foreach_set("loop_start", np.arange(0, corners, 3, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(count, bool))
    mesh.update(calc_edges=True)
    layer = mesh.uv_layers.new(name=texture.UV_LAYER, do_init=False)
    layer.uv.foreach_set("vector", np.ascontiguousarray(surface.corner_uvs, np.float32).ravel())


def refuse_unusable(surface: Surface) -> None:
    """Raises UserError `result.gone`: Blender would crash at an index that is not there."""
    positions, triangles = surface.positions, surface.triangles
    fits = (
        positions.ndim == 2
        and positions.shape[1:] == (3,)
        and triangles.ndim == 2
        and triangles.shape[1:] == (3,)
        and len(triangles) > 0
        and surface.corner_uvs.shape == (len(triangles), 3, 2)
        and bool(np.isfinite(positions).all())
        and int(triangles.min()) >= 0
        and int(triangles.max()) < len(positions)
    )
    if not fits:
        raise errors.UserError("result.gone", "The mesh that came is not whole.", hint="Extract it again.")
