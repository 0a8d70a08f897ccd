"""glTF and GLB scenes as one mesh: every node's triangles in world coordinates, one after another.

trimesh decodes; this file first checks what a hostile file could make it allocate, gives it nothing but the
file's own folder to look for buffers in, and never lets it open textures.
"""

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import normalise

MAX_NODES = 200_000
_MAX_BUFFER = 2 << 30
_GLB_JSON = 0x4E4F534A
_UV = "_UV"  # name under which trimesh keeps an attribute as it is


@dataclass(frozen=True)
class Scene:
    """The triangles of a scene."""

    positions: NDArray[np.float64]  # [V, 3], vertices of the primitives in their order
    triangles: NDArray[np.int64]  # [T, 3]
    corner_uvs: NDArray[np.float32] | None  # [T, 3, 2], v up; None when a primitive has none
    base_colour: tuple[float, float, float] | None
    notes: tuple[str, ...]


class Folder(Mapping[str, bytes]):
    """Files of one folder by name, and nothing outside it: what trimesh may resolve."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def __getitem__(self, key: str) -> bytes:
        path = (self._folder / unquote(key)).resolve()
        if not path.is_relative_to(self._folder) or not path.is_file() or path.stat().st_size > _MAX_BUFFER:
            raise ValueError(f"its buffer {key[:80]!r} is not a file in its folder")
        return path.read_bytes()

    def get(self, key: str, default: Any = None) -> bytes:
        """As `[]`: a missing file is an error."""
        return self[key]

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def read(data: bytes, kind: str, folder: Path, name: str, max_faces: int) -> Scene:
    """The scene of a .glb (`kind` "glb") or .gltf file. Raises UserError `mesh.bad`, `mesh.empty`,
    `mesh.too_large`.
    """
    import io

    import trimesh

    try:
        header = _header(data, kind)
        _check(header, len(data), folder)
        data = _bare(data, header, kind)
        scene = trimesh.load_scene(io.BytesIO(data), file_type=kind, resolver=Folder(folder), process=False)
        placed, colour = _placed(scene), _base_colour(header)
    # The decoder raises whatever the damage leads to; all of it means that the file is damaged.
    except Exception as error:
        raise _bad(name, error) from error
    faces = sum(len(geometry.faces) for geometry, _ in placed)
    if faces == 0:
        raise UserError("mesh.empty", f"{name!r} has no triangles.", hint="Export the mesh with its faces.")
    if faces > max_faces:
        raise UserError(
            "mesh.too_large",
            f"{name!r} has {faces} faces; at most {max_faces} are accepted.",
            hint="Reduce it first.",
        )
    try:
        return _joined(placed, colour)
    except (ValueError, IndexError, TypeError) as error:
        raise _bad(name, error) from error


def _joined(
    placed: list[tuple[Any, NDArray[np.float64]]], colour: tuple[float, float, float] | None
) -> Scene:
    positions, triangles, uvs = [], [], []
    offset = 0
    for geometry, matrix in placed:
        faces = np.asarray(geometry.faces, np.int64)
        vertices = np.asarray(geometry.vertices, np.float64)
        if len(faces) and (faces.min() < 0 or faces.max() >= len(vertices)):
            raise ValueError("a face names a vertex that does not exist")
        own = geometry.vertex_attributes.get(_UV)
        corner = None
        if own is not None and np.shape(own) == (len(vertices), 2):
            # Whole numbers are shares of their type's largest; glTF's v points down.
            whole = own.dtype.kind == "u"
            uv = np.asarray(own, np.float32) / (np.iinfo(own.dtype).max if whole else 1)
            corner = np.stack([uv[:, 0], 1 - uv[:, 1]], 1)[faces]
        world, turned, [corner_uvs] = normalise.from_object(vertices, faces, matrix, corner)
        positions.append(world)
        triangles.append(turned + offset)
        uvs.append(corner_uvs)
        offset += len(vertices)
    complete = [part for part in uvs if part is not None]
    notes: tuple[str, ...] = ()
    if complete and len(complete) < len(uvs):
        notes = (
            f"{len(uvs) - len(complete)} of {len(uvs)} parts have no texture coordinates, so none are used.",
        )
    return Scene(
        np.concatenate(positions),
        np.concatenate(triangles),
        np.concatenate(complete).astype(np.float32) if len(complete) == len(uvs) else None,
        colour,
        notes,
    )


def _placed(scene: Any) -> list[tuple[Any, NDArray[np.float64]]]:
    """Every node's triangle mesh with its world matrix."""
    placed = []
    for node in scene.graph.nodes_geometry:
        matrix, key = scene.graph[node]
        geometry = scene.geometry[key]
        if hasattr(geometry, "faces") and len(geometry.faces):
            placed.append((geometry, np.asarray(matrix, np.float64)))
    return placed


def _header(data: bytes, kind: str) -> dict[str, Any]:
    text = data
    if kind == "glb":
        length = int.from_bytes(data[12:16], "little")
        if (
            data[:4] != b"glTF"
            or int.from_bytes(data[16:20], "little") != _GLB_JSON
            or 20 + length > len(data)
        ):
            raise ValueError("its header is damaged or cut off")
        text = data[20 : 20 + length]
    header = json.loads(text)
    if not isinstance(header, dict):
        raise ValueError("it does not hold a scene")
    return header


def _bare(data: bytes, header: dict[str, Any], kind: str) -> bytes:
    """The file with nothing but positions, indices and UVs: trimesh reads UVs only beside textures, and opens
    those.
    """
    colourless = {
        key: value for key, value in header.items() if key not in ("materials", "textures", "images")
    }
    colourless["meshes"] = [
        {"primitives": [_bare_primitive(primitive) for primitive in mesh["primitives"]]}
        for mesh in header.get("meshes", [])
    ]
    text = json.dumps(colourless).encode()
    if kind == "gltf":
        return text
    text += b" " * (-len(text) % 4)
    rest = data[20 + int.from_bytes(data[12:16], "little") :]
    return b"".join(
        [struct.pack("<4sIIII", b"glTF", 2, 20 + len(text) + len(rest), len(text), _GLB_JSON), text, rest]
    )


def _bare_primitive(primitive: dict[str, Any]) -> dict[str, Any]:
    attributes = primitive["attributes"]
    kept = {"POSITION": attributes["POSITION"]}
    if "TEXCOORD_0" in attributes:
        kept[_UV] = attributes["TEXCOORD_0"]
    return {"attributes": kept} | {key: primitive[key] for key in ("indices", "mode") if key in primitive}


def _check(header: dict[str, Any], size: int, folder: Path) -> None:
    """Refuses what would make the decoder allocate more than the files hold, or walk in circles."""
    required = header.get("extensionsRequired", [])
    if any("compression" in str(one) or "meshopt" in str(one) for one in required):
        raise ValueError(f"it is compressed ({', '.join(map(str, required))}); export it without compression")
    available = size
    for buffer in header.get("buffers", []):
        uri = buffer.get("uri", "")
        if uri and not uri.startswith("data:"):
            available += len(Folder(folder)[uri])
    for accessor in header.get("accessors", []):
        if not 0 <= int(accessor["count"]) <= available:
            raise ValueError("it announces more than the file holds")
    nodes = header.get("nodes", [])
    children = [int(child) for node in nodes for child in node.get("children", [])]
    if len(nodes) > MAX_NODES or len(set(children)) != len(children):
        raise ValueError("its nodes are not a tree, or too many")
    if sum(len(mesh.get("primitives", [])) for mesh in header.get("meshes", [])) > MAX_NODES:
        raise ValueError("it has too many parts")


def _base_colour(header: dict[str, Any]) -> tuple[float, float, float] | None:
    """The base colour of the first material as sRGB; glTF stores it linear."""
    materials = header.get("materials") or [{}]
    factor = materials[0].get("pbrMetallicRoughness", {}).get("baseColorFactor")
    if factor is None:
        return None
    linear = np.clip(np.nan_to_num(np.asarray(factor[:3], np.float64)), 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = coded.tolist()
    return (red, green, blue)


def _bad(name: str, error: Exception) -> UserError:
    detail = str(error).splitlines()[0][:200] if str(error) else "it is damaged"
    return UserError(
        "mesh.bad",
        f"{name!r} cannot be read as a glTF file: {detail}.",
        hint="Export the mesh again, or use another format.",
    )
