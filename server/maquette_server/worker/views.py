"""A picture of a textured mesh from any camera, drawn between two steps or when the worker is idle."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ..cameras import pinhole
from ..engine import blobs
from ..engine import worker_messages as wire


class Views:
    """Draws, and remembers the last mesh with its texture: a view is asked for many times a second."""

    def __init__(self) -> None:
        self._key: Any = None
        self._drawable: Any = None
        self._centre = np.zeros(3)
        self._scale = 1.0
        """drawn = (world - centre) * scale: the renderer works in float32 near the origin"""

    def draw(self, request: wire.Draw) -> None:
        """Writes colour (u8 [H, W, 4]), and depth (f4 [H, W]) if asked for, to the request's file.

        Raises UserError `blob.missing`, `blob.bad`, `input.bad`, `texture.bad`, `view.nothing`.
        """
        key = (request.mesh, request.uv, request.texture)
        if self._key != key:
            self._key, self._drawable = None, None
            self._drawable = self._prepare(request)
            self._key = key
        view = request.view
        matrix = np.array(view.camera, dtype=np.float64)
        matrix[:3, 3] = (matrix[:3, 3] - self._centre) * self._scale
        camera = pinhole.Pinhole.from_fov(matrix, view.fov_y, view.width, view.height)
        colour, depth = self._drawable.draw(camera)
        with Path(request.out).open("wb") as file:
            file.write(arrays.to_bytes(colour)[2])
            if view.depth:
                file.write(arrays.to_bytes((depth / self._scale).astype(np.float32))[2])

    def _prepare(self, request: wire.Draw) -> Any:
        from ..rendering import textured_mesh

        positions, triangles, corner_uvs = _read_mesh(request)
        lowest, highest = positions.min(0), positions.max(0)
        self._centre = (lowest + highest) / 2
        self._scale = 2.0 / max(float((highest - lowest).max()), 1e-30)
        return textured_mesh.TexturedMesh(
            (positions - self._centre) * self._scale, triangles, corner_uvs, _read_texture(request)
        )


def _read_texture(request: wire.Draw) -> NDArray[np.uint8]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(_blob(request, request.texture))) as picture:
            return np.asarray(picture.convert("RGBA"))
    except UnidentifiedImageError as error:
        raise UserError("texture.bad", "The texture of the job is no picture.") from error


def _read_mesh(
    request: wire.Draw,
) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float32]]:
    """World positions [V, 3], triangles [T, 3] and UVs per triangle corner [T, 3, 2]."""
    sent = request.mesh
    matrix = np.array(sent.world_from_object, dtype=np.float64)
    positions = _array(request, sent.positions).astype(np.float64)
    triangles = _array(request, sent.triangles)
    corner_uvs = _read_uvs(request, sent)
    if len(corner_uvs) != len(triangles):
        raise UserError("input.bad", f"The UV map of '{sent.name}' does not fit its faces.")
    if np.linalg.det(matrix[:3, :3]) < 0:  # a mirror turns faces inside out
        triangles, corner_uvs = triangles[:, ::-1], corner_uvs[:, ::-1]
    return (
        positions @ matrix[:3, :3].T + matrix[:3, 3],
        np.ascontiguousarray(triangles, dtype=np.int32),
        np.ascontiguousarray(corner_uvs, dtype=np.float32),
    )


def _read_uvs(request: wire.Draw, sent: messages.MeshInput) -> NDArray[Any]:
    """[T, 3, 2]: the job's own UVs (per loop of the sender, or per corner), else those that came with the
    mesh.
    """
    if request.uv is not None:
        uvs = arrays.from_bytes(request.uv.dtype, request.uv.shape, _blob(request, request.uv.digest))
        if sent.triangle_loops is not None:
            uvs = uvs.reshape(-1, 2)[_array(request, sent.triangle_loops)]
        return uvs.reshape(-1, 3, 2)
    if sent.corner_uvs is None:
        raise UserError("view.nothing", f"'{sent.name}' has no UV map yet.")
    return _array(request, sent.corner_uvs)


def _array(request: wire.Draw, ref: arrays.ArrayRef) -> NDArray[Any]:
    return arrays.from_bytes(ref.dtype, ref.shape, _blob(request, ref.digest))


def _blob(request: wire.Draw, digest: str) -> bytes:
    try:
        return blobs.path_of(Path(request.blob_folder), digest).read_bytes()
    except FileNotFoundError as error:
        raise blobs.missing(digest) from error
