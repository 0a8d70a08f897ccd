"""A textured mesh as a GLB file: geometry as given, one primitive, one material, the texture inside.

glTF has one UV per vertex, so vertices are copied at UV seams: the first V vertices are the input's in their
order, the copies follow, and `_SOURCE_VERTEX` names the vertex each stems from. Vertices stay in the input's
coordinates; the node's matrix takes `up` to +y and `front` to +z, as the format demands. glTF's v points
down.
"""

import json
import struct
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..geometry import normalise
from ..geometry.mesh import Mesh

_FLOAT, _UINT = 5126, 5125
_ARRAY, _ELEMENT = 34962, 34963
_REPEAT, _LINEAR, _MIPMAP = 10497, 9729, 9987
_FAR = 100.0  # centre over extent above which positions are stored relative to the centre


AlphaMode = Literal["OPAQUE", "MASK", "BLEND"]


def write(
    mesh: Mesh, corner_uvs: NDArray[np.floating], texture_png: bytes, alpha: AlphaMode = "OPAQUE"
) -> bytes:
    """The bytes of a .glb file. corner_uvs: [T, 3, 2], v up.  texture_png: sRGB, row 0 at v = 1.

    alpha: what the texture's alpha means, in glTF's words; see `alpha_mode`.
    """
    source, triangles, uvs = split_at_seams(len(mesh.positions), mesh.triangles, corner_uvs)
    positions, matrix = placed(mesh)
    texcoord = np.stack([uvs[:, 0], 1.0 - uvs[:, 1]], 1).astype("<f4")
    points = positions[source].astype("<f4")
    buffer = _Buffer()
    attributes = {
        "POSITION": buffer.accessor(points, "VEC3", _ARRAY, bounds=True),
        "TEXCOORD_0": buffer.accessor(texcoord, "VEC2", _ARRAY),
        # Attributes may not be 32-bit integers; float32 is exact up to 16.7 million vertices.
        "_SOURCE_VERTEX": buffer.accessor(source.astype("<f4"), "SCALAR", _ARRAY),
    }
    indices = buffer.accessor(triangles.astype("<u4").reshape(-1), "SCALAR", _ELEMENT)
    picture = buffer.view(texture_png)
    node: dict[str, Any] = {"mesh": 0, "name": mesh.name}
    if not np.array_equal(matrix, np.eye(4)):
        node["matrix"] = matrix.T.reshape(-1).tolist()
    primitive = {"attributes": attributes, "indices": indices, "material": 0, "mode": 4}
    surface = {"baseColorTexture": {"index": 0}, "metallicFactor": 0.0, "roughnessFactor": 1.0}
    material = {
        "name": "Maquette", "pbrMetallicRoughness": surface, "alphaMode": alpha, "doubleSided": True
    }  # fmt: skip
    document = {
        "asset": {"version": "2.0", "generator": "Maquette"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [node],
        "meshes": [{"name": mesh.name, "primitives": [primitive]}],
        "materials": [material],
        "textures": [{"sampler": 0, "source": 0}],
        "images": [{"bufferView": picture, "mimeType": "image/png"}],
        "samplers": [{"magFilter": _LINEAR, "minFilter": _MIPMAP, "wrapS": _REPEAT, "wrapT": _REPEAT}],
        "accessors": buffer.accessors,
        "bufferViews": buffer.views,
        "buffers": [{"byteLength": len(buffer.data)}],
    }
    text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-len(text) % 4)
    length = 12 + 8 + len(text) + 8 + len(buffer.data)
    return b"".join(
        [
            struct.pack("<4sII", b"glTF", 2, length),
            struct.pack("<I4s", len(text), b"JSON"),
            text,
            struct.pack("<I4s", len(buffer.data), b"BIN\0"),
            bytes(buffer.data),
        ]
    )


def alpha_mode(texels: NDArray[np.uint8]) -> AlphaMode:
    """How a viewer is to take the alpha of texels [..., 3 or 4]: not at all, as holes, or as degrees."""
    if texels.shape[-1] == 3 or bool((texels[..., 3] == 255).all()):
        return "OPAQUE"
    return "MASK" if bool(np.isin(texels[..., 3], (0, 255)).all()) else "BLEND"


def split_at_seams(
    vertex_count: int, triangles: NDArray[np.int32], corner_uvs: NDArray[np.floating]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """One vertex for each pair of vertex and UV.

    Returns the source vertex of each [N], of which the first `vertex_count` are 0, 1, 2, ...; triangles [T,
    3] and UVs [N, 2] (0 for vertices that no triangle uses).
    """
    vertex = triangles.reshape(-1).astype(np.int64)
    uv = np.ascontiguousarray(corner_uvs, np.float32).reshape(-1, 2) + 0.0
    # Adding 0 made -0 into 0, so that equal UVs have equal bits.
    bits = uv.view(np.uint32).astype(np.uint64)
    _, code = np.unique((bits[:, 0] << np.uint64(32)) | bits[:, 1], return_inverse=True)
    key = vertex * (int(code.max(initial=0)) + 1) + code.reshape(-1)
    _, first, group = np.unique(key, return_index=True, return_inverse=True)
    owner = vertex[first]
    by_use = np.argsort(first, kind="stable")
    number = np.empty(len(first), np.int64)
    # The pair that is used first keeps its vertex's place; the others follow in the order of their use.
    _, earliest = np.unique(owner[by_use], return_index=True)
    keeps = np.zeros(len(first), bool)
    keeps[by_use[earliest]] = True
    number[keeps] = owner[keeps]
    copies = by_use[~keeps[by_use]]
    number[copies] = vertex_count + np.arange(len(copies))
    source = np.concatenate([np.arange(vertex_count), owner[copies]])
    uvs = np.zeros((len(source), 2), np.float32)
    uvs[number] = uv[first]
    return source, number[group.reshape(-1)].reshape(-1, 3), uvs


def placed(mesh: Mesh) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions [V, 3] to store and the node's matrix [4, 4] that takes them into glTF's world."""
    positions = np.asarray(mesh.positions, np.float64)
    matrix = np.eye(4)
    matrix[:3, :3] = normalise.rotation(mesh.up, mesh.front)
    low, high = positions.min(0), positions.max(0)
    centre = low + 0.5 * (high - low)
    if np.abs(centre).max() > _FAR * float((high - low).max()):
        # float32 would not tell the vertices apart this far out.
        positions = positions - centre
        matrix[:3, 3] = matrix[:3, :3] @ centre
    return positions, matrix + 0.0


class _Buffer:
    """The binary part, and the tables that describe it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.views: list[dict[str, Any]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, data: bytes, target: int | None = None) -> int:
        self.views.append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)})
        if target is not None:
            self.views[-1]["target"] = target
        self.data += data
        self.data += b"\0" * (-len(self.data) % 4)
        return len(self.views) - 1

    def accessor(self, array: NDArray[Any], kind: str, target: int, bounds: bool = False) -> int:
        entry: dict[str, Any] = {
            "bufferView": self.view(array.tobytes(), target),
            "componentType": _FLOAT if array.dtype.kind == "f" else _UINT,
            "count": len(array),
            "type": kind,
        }
        if bounds:
            entry["min"], entry["max"] = array.min(0).tolist(), array.max(0).tolist()
        self.accessors.append(entry)
        return len(self.accessors) - 1
