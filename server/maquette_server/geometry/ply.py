"""PLY, ASCII and binary: vertices, polygons, and UVs of vertices or of polygon corners.

Our own reader, because the vertex order and per-corner UVs must survive; unknown properties are skipped.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import obj
from .polygons import Polygons

_TYPES = {
    "char": "i1", "int8": "i1", "uchar": "u1", "uint8": "u1", "short": "i2", "int16": "i2", "ushort": "u2",
    "uint16": "u2", "int": "i4", "int32": "i4", "uint": "u4", "uint32": "u4", "float": "f4", "float32": "f4",
    "double": "f8", "float64": "f8",
}  # fmt: skip
_UV_NAMES = (("s", "t"), ("u", "v"), ("texture_u", "texture_v"))
_LIST_NAMES = ("vertex_indices", "vertex_index")


@dataclass(frozen=True)
class PlyFile:
    """What a PLY file holds."""

    positions: NDArray[np.float64]  # [V, 3]
    polygons: Polygons
    loop_uvs: NDArray[np.float32] | None  # [L, 2], v up


@dataclass
class _Element:
    name: str
    count: int
    properties: list[tuple[str, str, str]] = field(
        default_factory=list
    )  # name, type, type of the count or ""


@dataclass
class _Lists:
    counts: NDArray[np.int64]  # [N]
    values: NDArray[Any]  # [sum of counts]


def read(data: bytes, name: str) -> PlyFile:
    """The contents of a PLY file. Raises UserError `mesh.bad` or `mesh.empty`."""
    try:
        return _read(data)
    except (ValueError, IndexError, KeyError, UnicodeDecodeError, OverflowError) as error:
        raise UserError(
            "mesh.bad",
            f"{name!r} cannot be read as a PLY file: {str(error) or 'it is damaged'}.",
            hint="Export the mesh again, or use another format.",
        ) from error


def _read(data: bytes) -> PlyFile:
    end = data.find(b"end_header")
    stop = data.find(b"\n", end)
    if not data.startswith(b"ply") or end < 0 or stop < 0 or end > 1 << 20:
        raise ValueError("its header is missing")
    order, elements = _header(data[:end].decode("ascii", "replace"))
    budget = len(data)
    if any(element.count > budget for element in elements):
        raise ValueError("its header announces more than the file holds")
    reader = _ascii if order == "" else _binary
    tables = reader(data, stop + 1, elements, order)
    vertex, face = tables.get("vertex", {}), tables.get("face", {})
    positions = np.stack([np.asarray(vertex[axis], np.float64) for axis in "xyz"], 1)
    indices = next((face[key] for key in _LIST_NAMES if key in face), None)
    if indices is None or len(indices.counts) == 0:
        return PlyFile(positions, Polygons(np.zeros(1, np.int64), np.zeros(0, np.int32)), None)
    vertices = indices.values.astype(np.int64)
    if len(vertices) and (vertices.min() < 0 or vertices.max() >= len(positions)):
        raise ValueError("a face names a vertex that does not exist")
    uvs = None
    corner = face.get("texcoord")
    if isinstance(corner, _Lists) and np.array_equal(corner.counts, 2 * indices.counts):
        uvs = corner.values.reshape(-1, 2).astype(np.float32)
    for pair in _UV_NAMES:
        if uvs is None and all(key in vertex for key in pair):
            uvs = np.stack([vertex[key] for key in pair], 1).astype(np.float32)[vertices]
    keep = indices.counts >= 3
    loops = np.repeat(keep, indices.counts)
    starts = np.concatenate([[0], np.cumsum(indices.counts[keep])])
    return PlyFile(
        positions, Polygons(starts, vertices[loops].astype(np.int32)), None if uvs is None else uvs[loops]
    )


def _header(text: str) -> tuple[str, list[_Element]]:
    """Byte order ("" for ASCII) and the elements."""
    order = ""
    elements: list[_Element] = []
    for line in text.splitlines()[1:]:
        words = line.split()
        if words[:1] == ["format"]:
            order = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}[words[1]]
        elif words[:1] == ["element"]:
            elements.append(_Element(words[1], int(words[2])))
        elif words[:1] == ["property"] and words[1] == "list":
            elements[-1].properties.append((words[4], _TYPES[words[3]], _TYPES[words[2]]))
        elif words[:1] == ["property"]:
            elements[-1].properties.append((words[2], _TYPES[words[1]], ""))
    if any(element.count < 0 for element in elements):
        raise ValueError("its header announces less than nothing")
    return order, elements


def _binary(data: bytes, at: int, elements: list[_Element], order: str) -> dict[str, dict[str, Any]]:
    tables: dict[str, dict[str, Any]] = {}
    for element in elements:
        if not any(count_type for _, _, count_type in element.properties):
            layout = np.dtype([(name, order + kind) for name, kind, _ in element.properties])
            size = layout.itemsize * element.count
            if at + size > len(data):
                raise ValueError("it ends too early")
            rows = np.frombuffer(data, layout, element.count, at) if size else np.zeros(element.count, layout)
            tables[element.name] = {name: rows[name] for name, _, _ in element.properties}
            at += size
        else:
            tables[element.name], at = _binary_lists(data, at, element, order)
    return tables


def _binary_lists(data: bytes, at: int, element: _Element, order: str) -> tuple[dict[str, Any], int]:
    """An element with lists: at once when every row is as long as the first, else row by row."""
    if element.count == 0:
        return {name: _Lists(np.zeros(0, np.int64), np.zeros(0)) for name, _, _ in element.properties}, at
    first = _row(data, at, element, order)
    layout = np.dtype(
        [
            part
            for (name, kind, count_type), value in zip(element.properties, first[0], strict=True)
            for part in (
                [("n:" + name, order + count_type), (name, order + kind, (len(value),))]
                if count_type
                else [(name, order + kind)]
            )
        ]
    )
    size = layout.itemsize * element.count
    table: dict[str, Any] = {}
    if at + size <= len(data):
        rows = np.frombuffer(data, layout, element.count, at)
        lists = [
            (name, len(value)) for (name, _, c), value in zip(element.properties, first[0], strict=True) if c
        ]
        if all((rows["n:" + name] == length).all() for name, length in lists):
            for name, _, count_type in element.properties:
                counts = rows["n:" + name].astype(np.int64) if count_type else None
                table[name] = rows[name] if counts is None else _Lists(counts, rows[name].reshape(-1))
            return table, at + size
    columns: list[list[Any]] = [[] for _ in element.properties]
    for _ in range(element.count):
        values, at = _row(data, at, element, order)
        for column, value in zip(columns, values, strict=True):
            column.append(value)
    for (name, _, count_type), column in zip(element.properties, columns, strict=True):
        if count_type:
            table[name] = _Lists(np.fromiter(map(len, column), np.int64, len(column)), np.concatenate(column))
        else:
            table[name] = np.concatenate(column)
    return table, at


def _row(data: bytes, at: int, element: _Element, order: str) -> tuple[list[NDArray[Any]], int]:
    values = []
    for _, kind, count_type in element.properties:
        count = 1
        if count_type:
            count = int(np.frombuffer(data, order + count_type, 1, at)[0])
            at += np.dtype(count_type).itemsize
        size = np.dtype(kind).itemsize * count
        if count < 0 or at + size > len(data):
            raise ValueError("it ends too early")
        values.append(np.frombuffer(data, order + kind, count, at) if count else np.zeros(0, order + kind))
        at += size
    return values, at


def _ascii(data: bytes, at: int, elements: list[_Element], order: str) -> dict[str, dict[str, Any]]:
    lines = [line for line in data[at:].split(b"\n") if line.strip()]
    tables: dict[str, dict[str, Any]] = {}
    start = 0
    for element in elements:
        rows = [line.split() for line in lines[start : start + element.count]]
        start += element.count
        if len(rows) < element.count:
            raise ValueError("it ends too early")
        if not any(count_type for _, _, count_type in element.properties):
            width = len(element.properties)
            words = [word for row in rows for word in row[:width]]
            if len(words) != width * len(rows):
                raise ValueError(f"a {element.name} has too few numbers")
            table = obj.numbers(words, np.float64).reshape(-1, width)
            tables[element.name] = {name: table[:, i] for i, (name, _, _) in enumerate(element.properties)}
        else:
            tables[element.name] = _ascii_lists(rows, element)
    return tables


def _ascii_lists(rows: list[list[bytes]], element: _Element) -> dict[str, Any]:
    columns: list[list[list[bytes]]] = [[] for _ in element.properties]
    for row in rows:
        at = 0
        for column, (_, _, count_type) in zip(columns, element.properties, strict=True):
            count = 1
            if count_type:
                count, at = int(row[at]), at + 1
            value = row[at : at + count]
            if len(value) != count:
                raise ValueError(f"a {element.name} has too few numbers")
            at += count
            column.append(value)
    table: dict[str, Any] = {}
    for column, (name, _, count_type) in zip(columns, element.properties, strict=True):
        values = obj.numbers([word for value in column for word in value], np.float64)
        table[name] = (
            _Lists(np.fromiter(map(len, column), np.int64, len(column)), values) if count_type else values
        )
    return table
