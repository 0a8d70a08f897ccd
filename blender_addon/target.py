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

from . import steps
from .wire import arrays, errors

COUNTED = 64 * steps.FACES  # triangles that are counted in one step: 2 to 3 ms


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


@dataclass(frozen=True)
class Topology:
    """What says whether a mesh is still the one that was sent: a copy, taken at once."""

    vertex_count: int
    corner_vertices: NDArray[np.int32]  # [L]
    starts: NDArray[np.int32]  # [P + 1], the first loop of each polygon, then L
    uv_layer: str
    uvs: NDArray[np.float32] | None  # [L, 2]

    @property
    def size(self) -> int:
        """Bytes that `digest_steps` hashes."""
        uvs = 0 if self.uvs is None else self.uvs.nbytes
        return self.corner_vertices.nbytes + self.starts.nbytes + uvs


def topology(mesh: bpy.types.Mesh, uv_layer: str) -> Topology:
    """Copies polygons, their vertices and that UV layer of a mesh (not in edit mode)."""
    return steps.at_once(topology_steps(mesh, uv_layer))


def topology_steps(mesh: bpy.types.Mesh, uv_layer: str) -> steps.Steps[Topology]:
    """The same an array at a time, for who notices when the mesh is edited in between."""
    vertices = corner_vertices(mesh)
    yield 0
    mesh.calc_loop_triangles()
    yield 0
    starts = yield from start_steps(mesh)
    yield 0
    layer = mesh.uv_layers.get(uv_layer) if uv_layer else None
    uvs = None if layer is None else layer_uvs(layer)
    return Topology(len(mesh.vertices), vertices, starts, uv_layer, uvs)


def digest_steps(known: Topology) -> steps.Steps[str]:
    """SHA-256 over polygons, their vertices and the UV layer."""
    head = f"{known.vertex_count} {len(known.starts) - 1} {known.uv_layer}"
    total = hashlib.sha256(head.encode())
    uvs = known.uvs if known.uvs is not None else np.empty((0, 2), np.float32)
    for values in (known.corner_vertices, known.starts[:-1], uvs):
        yield from steps.hashed(total, arrays.view_of(values)[2])
    return total.hexdigest()


def digest(mesh: bpy.types.Mesh, uv_layer: str) -> str:
    """The same at once."""
    return steps.at_once(digest_steps(topology(mesh, uv_layer)))


def corner_vertices(mesh: bpy.types.Mesh) -> NDArray[np.int32]:
    """The vertex of each loop, i4 [L]; through the attribute, which is a copy of memory."""
    vertices = np.empty(len(mesh.loops), np.int32)
    if len(vertices):
        mesh.attributes[".corner_vert"].data.foreach_get("value", vertices)
    return vertices


def polygon_starts(mesh: bpy.types.Mesh) -> NDArray[np.int32]:
    """The first loop of each polygon and then the number of loops, i4 [P + 1]."""
    return steps.at_once(start_steps(mesh))


def start_steps(mesh: bpy.types.Mesh) -> steps.Steps[NDArray[np.int32]]:
    """The same in steps, all but the first of them on a copy.

    Counted from the polygons of the triangles, which are a copy of memory; `polygons.loop_start` takes ten
    times as long. A polygon has two triangles less than corners.
    """
    count, loops = len(mesh.polygons), len(mesh.loops)
    mesh.calc_loop_triangles()
    polygons = np.empty(len(mesh.loop_triangles), np.int32)
    if len(polygons):
        mesh.loop_triangle_polygons.foreach_get("value", polygons)
    yield 0
    starts = np.zeros(count + 1, np.int32)
    for begin, end in steps.ranges(len(polygons), COUNTED):
        part = polygons[begin:end]  # ascending
        counts = np.bincount(part - part[0])
        starts[1 + part[0] : 1 + part[0] + len(counts)] += counts.astype(np.int32)
        yield 0
    starts[1:] += 2
    np.cumsum(starts, out=starts)
    if starts[-1] != loops and len(mesh.polygons) == count:
        # A broken mesh, with polygons of fewer than three corners.
        mesh.polygons.foreach_get("loop_start", starts[:-1])
        starts[-1] = loops
    return starts


def layer_uvs(layer: bpy.types.MeshUVLoopLayer) -> NDArray[np.float32]:
    """The coordinates of a UV layer, f4 [L, 2]."""
    uvs = np.empty(len(layer.uv) * 2, np.float32)
    layer.uv.foreach_get("vector", uvs)
    return uvs.reshape(-1, 2)


def find(target: Target) -> bpy.types.Object:
    """The object of that target, unchanged. Raises UserError `result.gone` or `target.bad`."""
    found = locate(target)
    if digest(found.data, target.uv_layer) != target.digest:
        raise errors.UserError(
            "result.gone",
            f"The faces or UVs of '{found.name}' have changed since it was sent.",
            hint="Undo that change and apply again, or paint anew; the result stays in Results.",
        )
    return found


def locate(target: Target) -> bpy.types.Object:
    """The object of that target, which may have changed. Raises UserError `result.gone` or `target.bad`."""
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
    return found
