"""STL, binary and ASCII: a soup of triangles, joined where corners have exactly the same position."""

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import obj

_RECORD = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_HEADER = 84


def read(data: bytes, name: str) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Positions [V, 3] in the order of first use, triangles [T, 3]. Raises UserError `mesh.bad`."""
    announced = int.from_bytes(data[80:_HEADER], "little") if len(data) >= _HEADER else -1
    if announced >= 0 and len(data) == _HEADER + announced * _RECORD.itemsize:
        corners = (
            np.frombuffer(data, _RECORD, announced, _HEADER)["corners"].reshape(-1, 3).astype(np.float64)
        )
    elif data[:512].lstrip().lower().startswith(b"solid"):
        corners = _ascii(data, name)
    else:
        raise _bad(name, "it is neither text nor as long as its header says")
    return weld(corners)


def weld(corners: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Corners [3 T, 3] as vertices [V, 3] without repetition, and triangles [T, 3]."""
    unique, first, index = np.unique(corners + 0.0, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return unique[order], rank[index.reshape(-1)].reshape(-1, 3)


def _ascii(data: bytes, name: str) -> NDArray[np.float64]:
    rows = [line.split()[1:4] for line in data.lower().splitlines() if line.lstrip().startswith(b"vertex")]
    if len(rows) % 3 or any(len(row) < 3 for row in rows):
        raise _bad(name, "a triangle is cut off")
    try:
        return obj.numbers([word for row in rows for word in row], np.float64).reshape(-1, 3)
    except ValueError as error:
        raise _bad(name, "a corner is not a number") from error


def _bad(name: str, why: str) -> UserError:
    return UserError(
        "mesh.bad",
        f"{name!r} cannot be read as an STL file: {why}.",
        hint="Export the mesh again, or use another format.",
    )
