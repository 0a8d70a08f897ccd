"""OFF: vertices and polygons as text. Colours are skipped; of the variants, COFF and NOFF are understood."""

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import obj
from .polygons import Polygons


def read(data: bytes, name: str) -> tuple[NDArray[np.float64], Polygons]:
    """Positions [V, 3] and polygons. Raises UserError `mesh.bad`."""
    try:
        return _read(data)
    except (ValueError, IndexError, OverflowError) as error:
        raise UserError(
            "mesh.bad",
            f"{name!r} cannot be read as an OFF file: {str(error) or 'it is damaged'}.",
            hint="Export the mesh again, or use another format.",
        ) from error


def _read(data: bytes) -> tuple[NDArray[np.float64], Polygons]:
    lines = [line.split(b"#")[0].split() for line in data.splitlines()]
    lines = [line for line in lines if line]
    head = lines[0] if lines else []
    if not head or head[0] not in (b"OFF", b"COFF", b"NOFF", b"CNOFF"):
        raise ValueError("its first word is not OFF")
    counts = head[1:] if len(head) >= 3 else lines[1]
    start = 1 if len(head) >= 3 else 2
    vertex_count, face_count = int(counts[0]), int(counts[1])
    if vertex_count < 0 or face_count < 0 or vertex_count + face_count > len(lines) - start:
        raise ValueError("it ends too early")
    rows = lines[start : start + vertex_count]
    if any(len(row) < 3 for row in rows):
        raise ValueError("a vertex has too few numbers")
    positions = obj.numbers([word for row in rows for word in row[:3]], np.float64).reshape(-1, 3)
    faces = lines[start + vertex_count : start + vertex_count + face_count]
    size = obj.numbers([face[0] for face in faces], np.int64) if faces else np.zeros(0, np.int64)
    if any(len(face) <= count or count < 1 for face, count in zip(faces, size.tolist(), strict=True)):
        raise ValueError("a face has too few corners")
    words = [
        word
        for face, count in zip(faces, size.tolist(), strict=True)
        if count >= 3
        for word in face[1 : count + 1]
    ]
    vertices = obj.numbers(words, np.int64) if words else np.zeros(0, np.int64)
    if len(vertices) and (vertices.min() < 0 or vertices.max() >= vertex_count):
        raise ValueError("a face names a vertex that does not exist")
    return positions, Polygons(np.concatenate([[0], np.cumsum(size[size >= 3])]), vertices.astype(np.int32))
