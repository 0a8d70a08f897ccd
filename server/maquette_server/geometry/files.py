"""Mesh files: whatever a user names becomes a `Mesh` in the file's own coordinates and vertex order, or one
sentence.

OBJ, PLY, GLB, glTF, STL and OFF. Nothing outside the file's folder is opened, nothing is fetched, and what is
allocated is bounded by what the file holds.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import check, gltf, normalise, obj, off, ply, polygons, stl
from .mesh import Y_UP, Z_FRONT, Mesh
from .polygons import Polygons

MAX_FACES = 2_000_000
MAX_BYTES = 2 << 30
LARGEST = 1e30  # coordinates beyond this overflow when they are squared in float32
SUFFIXES = (".obj", ".ply", ".glb", ".gltf", ".stl", ".off")
_KINDS = "OBJ, PLY, GLB, glTF, STL or OFF"


@dataclass(frozen=True)
class Loaded:
    """A mesh from a file. `polygons` are those of the file when it can hold larger ones than triangles."""

    mesh: Mesh
    polygons: Polygons | None


def load(
    path: str | Path,
    up: tuple[float, float, float] = Y_UP,
    front: tuple[float, float, float] = Z_FRONT,
) -> Loaded:
    """The mesh of a file.

    up, front: directions in the file's axes.  Raises UserError `mesh.missing`, `mesh.bad`, `mesh.empty`,
    `mesh.not_finite`, `mesh.degenerate` or `mesh.too_large`.
    """
    normalise.rotation(up, front)  # refuses directions that span no frame
    up, front = _unit(up), _unit(front)
    path = Path(path)
    suffix = path.suffix.lower()
    data = _bytes(path, suffix)
    try:
        return _loaded(data, suffix, path, up, front)
    except MemoryError as error:
        raise UserError(
            "mesh.too_large", f"{path.name!r} does not fit into memory.", hint="Reduce the mesh first."
        ) from error


def _loaded(
    data: bytes,
    suffix: str,
    path: Path,
    up: tuple[float, float, float],
    front: tuple[float, float, float],
) -> Loaded:
    name = path.name
    colour: tuple[float, float, float] | None = None
    notes: tuple[str, ...] = ()
    if suffix == ".stl":
        positions, triangles = stl.read(data, name)
        return Loaded(_checked(name, positions, triangles, None, up, front), None)
    if suffix in (".glb", ".gltf"):
        scene = gltf.read(data, suffix[1:], path.parent, name, MAX_FACES)
        return Loaded(
            _checked(
                name,
                scene.positions,
                scene.triangles,
                scene.corner_uvs,
                up,
                front,
                scene.base_colour,
                scene.notes,
            ),
            None,
        )
    loop_uvs = None
    if suffix == ".obj":
        found = obj.read(data, path.parent, name)
        positions, shape, loop_uvs = found.positions, found.polygons, found.loop_uvs
        colour, notes = found.base_colour, found.notes
    elif suffix == ".ply":
        held = ply.read(data, name)
        positions, shape, loop_uvs = held.positions, held.polygons, held.loop_uvs
    else:
        positions, shape = off.read(data, name)
    del data
    _require_finite(name, positions)
    if len(shape.vertices) - 2 * (len(shape.starts) - 1) > MAX_FACES:
        raise _too_large(name, len(shape.vertices) - 2 * (len(shape.starts) - 1))
    if len(shape.vertices) == 0:
        raise UserError("mesh.empty", f"{name!r} has no faces.", hint="Export the mesh with its faces.")
    cut = polygons.cut(shape.starts, positions[shape.vertices])
    corner_uvs = None if loop_uvs is None else loop_uvs[cut.loops]
    mesh = _checked(name, positions, shape.vertices[cut.loops], corner_uvs, up, front, colour, notes)
    with_polygons = replace(
        mesh, triangle_polygons=cut.polygons, triangle_loops=cut.loops, loop_count=len(shape.vertices)
    )
    return Loaded(with_polygons, shape)


def _bytes(path: Path, suffix: str) -> bytes:
    """The file's contents, once it is clear that it is worth reading."""
    name = path.name or str(path)
    try:
        if not path.exists():
            raise UserError(
                "mesh.missing", f"There is no file {str(path)!r}.", hint="Check the path and its spelling."
            )
        if not path.is_file():
            raise UserError("mesh.bad", f"{name!r} is not a file.", hint=f"Name a mesh file ({_KINDS}).")
        if suffix not in SUFFIXES:
            raise UserError(
                "mesh.bad", f"{name!r} is not a mesh file that can be read.", hint=f"Export it as {_KINDS}."
            )
        if path.stat().st_size > MAX_BYTES:
            raise UserError(
                "mesh.too_large", f"{name!r} is larger than 2 GiB.", hint="Reduce the mesh first."
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            "mesh.missing", f"{name!r} cannot be read: {reason}.", hint="Check the path and its permissions."
        ) from error
    if not data:
        raise UserError("mesh.empty", f"{name!r} is an empty file.", hint="Export the mesh again.")
    return data


def _checked(
    name: str,
    positions: NDArray[np.float64],
    triangles: NDArray[np.integer],
    corner_uvs: NDArray[np.float32] | None,
    up: tuple[float, float, float],
    front: tuple[float, float, float],
    colour: tuple[float, float, float] | None = None,
    notes: tuple[str, ...] = (),
) -> Mesh:
    """The mesh with its notes; raises UserError for what cannot be used."""
    if len(triangles) == 0:
        raise UserError("mesh.empty", f"{name!r} has no faces.", hint="Export the mesh with its faces.")
    if len(triangles) > MAX_FACES:
        raise _too_large(name, len(triangles))
    _require_finite(name, positions)
    if corner_uvs is not None and not np.isfinite(corner_uvs).all():
        corner_uvs = None
        notes = (*notes, "Some texture coordinates are not finite numbers, so none are used.")
    mesh = Mesh(
        name,
        np.ascontiguousarray(positions, np.float64),
        np.ascontiguousarray(triangles, np.int32),
        corner_uvs,
        up=up,
        front=front,
        base_colour=colour,
    )
    return replace(mesh, notes=(*notes, *check.notes(mesh)))


def _require_finite(name: str, positions: NDArray[np.float64]) -> None:
    wrong = ~(np.abs(positions) < LARGEST).all(1)
    if wrong.any():
        raise UserError(
            "mesh.not_finite",
            f"{int(wrong.sum())} vertices of {name!r} are not finite numbers "
            f"(the first is number {int(np.argmax(wrong)) + 1}).",
            hint="Repair the mesh in the program it comes from, then export it again.",
        )


def _too_large(name: str, faces: int) -> UserError:
    return UserError(
        "mesh.too_large",
        f"{name!r} has {faces} faces; at most {MAX_FACES} are accepted.",
        hint="Reduce it first, for example with Blender's Decimate modifier.",
    )


def _unit(vector: tuple[float, float, float]) -> tuple[float, float, float]:
    length = math.hypot(*vector)
    return (vector[0] / length, vector[1] / length, vector[2] / length)
