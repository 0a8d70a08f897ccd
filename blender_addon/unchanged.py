"""Whether meshes are still as they were sent, without hashing them at each picture.

A mesh is hashed in steps, when somebody first asks; the answer holds until Blender says that its geometry was
updated (`touched`, a handler of the dependency graph), or until it has another number of vertices, loops or
faces. `find` in `target` does not rely on it: what is applied is always compared anew.
"""

from dataclasses import dataclass

import bpy

from . import steps
from . import target as targets


@dataclass
class _Check:
    sizes: tuple[int, int, int, int]
    work: steps.Work[str]


_checks: dict[tuple[str, str], _Check] = {}
"""by uid of the object and name of the UV layer"""


def is_unchanged(thing: bpy.types.Object, target: targets.Target) -> bool | None:
    """True or False, or None when it is not known yet: `advance`, and ask again."""
    mesh = thing.data
    sizes = (mesh.as_pointer(), len(mesh.vertices), len(mesh.loops), len(mesh.polygons))
    key = (target.uid, target.uv_layer)
    check = _checks.get(key)
    if check is None or check.sizes != sizes:
        check = _checks[key] = _Check(sizes, steps.Work(_digest(mesh, target.uv_layer), 1))
    return check.work.result == target.digest if check.work.finished else None


def advance(until: float) -> None:
    """Hashes until that time of `time.monotonic`."""
    for key, check in list(_checks.items()):
        if not check.work.finished:
            try:
                check.work.advance(until)
            except ReferenceError:  # the mesh was removed; whoever asks again asks of another one
                del _checks[key]
            return


@bpy.app.handlers.persistent
def touched(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    """Forgets what was known of meshes that were edited."""
    if not _checks:
        return
    for update in depsgraph.updates:
        if not update.is_updated_geometry:
            continue
        edited = update.id.original
        for key, check in list(_checks.items()):
            if edited.as_pointer() == check.sizes[0] or key[0] == _uid(edited):
                del _checks[key]


def forget() -> None:
    """Forgets everything: references are void after an undo and in another file."""
    _checks.clear()


def _digest(mesh: bpy.types.Mesh, uv_layer: str) -> steps.Steps[str]:
    known = yield from targets.topology_steps(mesh, uv_layer)
    return (yield from targets.digest_steps(known))


def _uid(block: bpy.types.ID) -> str:
    return str(block.maquette.uid) if isinstance(block, bpy.types.Object) else ""
