"""Which object a result belongs to: a random id saved in the file, and a hash of topology and UVs.

Blender's own session ids change when a file is reloaded, so they cannot re-attach a result. L loops.
"""

import hashlib
import secrets
from dataclasses import asdict, dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .wire import errors


@dataclass(frozen=True)
class Target:
    """What is remembered of the object between sending and applying; JSON-able."""

    uid: str
    name: str
    digest: str
    """of the base mesh: topology and the UV layer that was sent"""
    uv_layer: str
    """the UV layer that was sent, empty when there was none"""
    carried: bool
    """True when modifiers change the topology: the UVs that were sent must come back, modifiers carry them
    through
    """
    slots: tuple[int, ...]
    """material slots that the result replaces; empty means all"""

    def record(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def from_record(record: dict[str, Any]) -> Target:
    """The inverse of `Target.record`. Raises KeyError, TypeError, ValueError for anything else."""
    return Target(
        uid=str(record["uid"]),
        name=str(record["name"]),
        digest=str(record["digest"]),
        uv_layer=str(record["uv_layer"]),
        carried=bool(record["carried"]),
        slots=tuple(int(slot) for slot in record["slots"]),
    )


def named(thing: bpy.types.Object) -> str:
    """The object's uid; made when it has none or when another object has the same (a duplicate)."""
    uid = thing.maquette.uid
    if not uid or any(o.maquette.uid == uid for o in bpy.data.objects if o != thing):
        uid = secrets.token_hex(16)
        thing.maquette.uid = uid
    return str(uid)


def digest(mesh: bpy.types.Mesh, uv_layer: str) -> str:
    """SHA-256 over polygons, their vertices and that UV layer of a mesh (not in edit mode)."""
    total = hashlib.sha256(f"{len(mesh.vertices)} {len(mesh.polygons)} {uv_layer}".encode())
    total.update(corner_vertices(mesh).tobytes())
    total.update(polygon_starts(mesh).tobytes())
    layer = mesh.uv_layers.get(uv_layer) if uv_layer else None
    if layer is not None:
        total.update(layer_uvs(layer).tobytes())
    return total.hexdigest()


def corner_vertices(mesh: bpy.types.Mesh) -> NDArray[np.int32]:
    """The vertex of each loop, i4 [L]; through the attribute, which is a copy of memory."""
    vertices = np.empty(len(mesh.loops), np.int32)
    if len(vertices):
        mesh.attributes[".corner_vert"].data.foreach_get("value", vertices)
    return vertices


def polygon_starts(mesh: bpy.types.Mesh) -> NDArray[np.int32]:
    """The first loop of each polygon, i4 [P]."""
    starts = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_start", starts)
    return starts


def layer_uvs(layer: bpy.types.MeshUVLoopLayer) -> NDArray[np.float32]:
    """The coordinates of a UV layer, f4 [L, 2]."""
    uvs = np.empty(len(layer.uv) * 2, np.float32)
    layer.uv.foreach_get("vector", uvs)
    return uvs.reshape(-1, 2)


def find(target: Target) -> bpy.types.Object:
    """The object of that target, unchanged. Raises UserError `result.gone` or `target.bad`."""
    candidates = [o for o in bpy.data.objects if o.type == "MESH" and o.maquette.uid == target.uid]
    if len(candidates) != 1:  # duplicated, or the id was undone: the name decides
        candidates = [o for o in candidates or bpy.data.objects if o.name == target.name and o.type == "MESH"]
    if len(candidates) != 1:
        raise errors.UserError(
            "result.gone",
            f"'{target.name}' is no longer in this file.",
            hint="The result stays in Results; open the file that has the object.",
        )
    found = candidates[0]
    if found.mode == "EDIT":  # its mesh is not up to date, and UV layers written there are lost
        raise errors.UserError(
            "target.bad", f"'{found.name}' is in edit mode.", hint="Leave edit mode and apply again."
        )
    if target.uv_layer and target.uv_layer not in found.data.uv_layers:
        raise errors.UserError(
            "result.gone",
            f"'{found.name}' has lost its UV map '{target.uv_layer}' since it was sent.",
            hint="Undo that change and apply again; the result stays in Results.",
        )
    if digest(found.data, target.uv_layer) != target.digest:
        raise errors.UserError(
            "result.gone",
            f"The faces or UVs of '{found.name}' have changed since it was sent.",
            hint="Undo that change and apply again, or paint anew; the result stays in Results.",
        )
    return found
