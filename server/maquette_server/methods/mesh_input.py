"""The mesh of a request as the libraries see it. Everything a client sends is checked here, once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from maquette_wire.errors import UserError
from maquette_wire.messages import MeshInput
from numpy.typing import NDArray

from ..geometry import check, files, normalise
from ..geometry.mesh import Mesh

MAX_VERTICES = 6_000_000
MAX_LOOPS = 16_000_000


def mesh_of(message: MeshInput, array: Callable[[Any], NDArray[Any]]) -> Mesh:
    """The mesh in world coordinates, with notes.

    array: gives the array of a reference.  Raises UserError `mesh.*` for what cannot be used, `input.bad` for
    arrays that do not fit together, `params.bad` for unusable directions.
    """
    name = message.name or "mesh"
    positions = _floats(name, "positions", array(message.positions), (None, 3))
    triangles = _indices(name, "triangles", array(message.triangles), (None, 3), len(positions))
    count = len(triangles)
    if count == 0:
        raise UserError("mesh.empty", f"{name!r} has no faces.", hint="Choose an object with faces.")
    if count > files.MAX_FACES or len(positions) > MAX_VERTICES:
        raise UserError(
            "mesh.too_large",
            f"{name!r} has {count} triangles and {len(positions)} vertices; "
            f"at most {files.MAX_FACES} triangles and {MAX_VERTICES} vertices are accepted.",
            hint="Reduce it first, for example with a Decimate modifier.",
        )
    corner_uvs = corner_weights = polygons = loops = None
    notes: tuple[str, ...] = ()
    if message.corner_uvs is not None:
        corner_uvs = _floats(name, "corner_uvs", array(message.corner_uvs), (count, 3, 2)).astype(np.float32)
        if not np.isfinite(corner_uvs).all():
            corner_uvs, notes = None, ("Some texture coordinates are not finite numbers, so none are used.",)
    if message.corner_weights is not None:
        corner_weights = _floats(name, "corner_weights", array(message.corner_weights), (count, 3)).astype(
            np.float32
        )
        if not ((corner_weights >= 0) & (corner_weights <= 1)).all():
            raise UserError(
                "mask.bad", f"The mask of {name!r} has weights outside 0 to 1.", hint="Set the mask again."
            )
    if message.triangle_polygons is not None:
        polygons = _indices(name, "triangle_polygons", array(message.triangle_polygons), (count,), MAX_LOOPS)
    if message.triangle_loops is not None:
        if message.loop_count > MAX_LOOPS:
            raise UserError("mesh.too_large", f"{name!r} has too many corners.", hint="Reduce it first.")
        loops = _indices(
            name, "triangle_loops", array(message.triangle_loops), (count, 3), message.loop_count
        )
    matrix = np.array(message.world_from_object, np.float64)
    if not np.isfinite(matrix).all() or matrix[3].tolist() != [0.0, 0.0, 0.0, 1.0]:
        raise _bad(name, "its world matrix is not an affine one")
    normalise.rotation(message.up, message.front)  # refuses directions that span no frame
    with np.errstate(over="ignore", invalid="ignore"):
        world, triangles, [corner_uvs, corner_weights, loops] = normalise.from_object(
            positions, triangles, matrix, corner_uvs, corner_weights, loops
        )
    wrong = ~(np.abs(world) < files.LARGEST).all(1)
    if wrong.any():
        raise UserError(
            "mesh.not_finite",
            f"{int(wrong.sum())} vertices of {name!r} are not finite numbers "
            f"(the first is number {int(np.argmax(wrong))}).",
            hint="Delete those vertices, or undo what made them.",
        )
    mesh = Mesh(
        name, world, triangles, corner_uvs, corner_weights, polygons, loops,
        message.loop_count if loops is not None else 0,
        up=_unit(message.up),
        front=_unit(message.front),
        base_colour=_colour(message.base_colour),
    )  # fmt: skip
    return replace(mesh, notes=(*notes, *check.notes(mesh)))


def _floats(name: str, what: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> NDArray[np.floating]:
    _require_shape(name, what, array, shape)
    if array.dtype.kind != "f":
        raise _bad(name, f"its {what} are not floating-point numbers")
    return array


def _indices(
    name: str, what: str, array: NDArray[Any], shape: tuple[int | None, ...], limit: int
) -> NDArray[np.int32]:
    _require_shape(name, what, array, shape)
    if array.dtype.kind not in "iu":
        raise _bad(name, f"its {what} are not whole numbers")
    if array.size and (int(array.min()) < 0 or int(array.max()) >= limit):
        raise _bad(name, f"its {what} name something that does not exist")
    return array.astype(np.int32)


def _require_shape(name: str, what: str, array: NDArray[Any], shape: tuple[int | None, ...]) -> None:
    fits = array.ndim == len(shape) and all(
        wanted is None or wanted == given for wanted, given in zip(shape, array.shape, strict=True)
    )
    if not fits:
        raise _bad(name, f"its {what} have the shape {array.shape}")


def _bad(name: str, why: str) -> UserError:
    return UserError("input.bad", f"The mesh {name!r} cannot be used: {why}.", hint="Send the mesh again.")


def _unit(vector: tuple[float, float, float]) -> tuple[float, float, float]:
    x, y, z = (np.asarray(vector, np.float64) / np.linalg.norm(vector)).tolist()
    return (x, y, z)


def _colour(colour: tuple[float, float, float] | None) -> tuple[float, float, float] | None:
    if colour is None:
        return None
    red, green, blue = np.clip(np.nan_to_num(np.asarray(colour, np.float64)), 0, 1).tolist()
    return (red, green, blue)
