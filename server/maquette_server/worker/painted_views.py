"""A picture of a textured mesh from any camera."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ..cameras import pinhole
from ..engine import blobs
from ..engine import worker_messages as wire


class PaintedViews:
    """Draws, and remembers the last mesh with its texture: a view is asked for many times a second."""

    def __init__(self) -> None:
        self._key: Any = None
        self._drawable: Any = None
        self._centre = np.zeros(3)
        self._scale = 1.0
        """drawn = (world - centre) * scale: the renderer works in float32 near the origin"""

    def release(self) -> None:
        """Forgets the mesh."""
        self._key = self._drawable = None

    def draw(
        self, what: wire.Painted, view: messages.View, store: Path
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Colour u8 [H, W, 4] and depth f4 [H, W]. store: the folder of the blobs.

        Raises UserError `blob.missing`, `blob.bad`, `input.bad`, `texture.bad`, `view.nothing`.
        """
        if self._key != what:
            self.release()
            self._drawable = self._prepare(_Read(what, store))
            self._key = what
        matrix = np.array(view.camera, dtype=np.float64)
        matrix[:3, 3] = (matrix[:3, 3] - self._centre) * self._scale
        camera = pinhole.Pinhole.from_fov(matrix, view.fov_y, view.width, view.height)
        colour, depth = self._drawable.draw(camera)
        return colour, (depth / self._scale).astype(np.float32)

    def _prepare(self, read: "_Read") -> Any:
        from ..rendering import textured_mesh

        positions, triangles, corner_uvs = read.mesh()
        lowest, highest = positions.min(0), positions.max(0)
        self._centre = (lowest + highest) / 2
        self._scale = 2.0 / max(float((highest - lowest).max()), 1e-30)
        return textured_mesh.TexturedMesh(
            (positions - self._centre) * self._scale, triangles, corner_uvs, read.texture()
        )


@dataclass(frozen=True)
class _Read:
    """Reads what a painted mesh names."""

    what: wire.Painted
    store: Path

    def texture(self) -> NDArray[np.uint8]:
        from PIL import Image, UnidentifiedImageError

        try:
            with Image.open(io.BytesIO(self._blob(self.what.texture))) as picture:
                return np.asarray(picture.convert("RGBA"))
        except UnidentifiedImageError as error:
            raise UserError("texture.bad", "The texture of the job is no picture.") from error

    def mesh(self) -> tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float32]]:
        """World positions [V, 3], triangles [T, 3] and UVs per triangle corner [T, 3, 2]."""
        sent = self.what.mesh
        matrix = np.array(sent.world_from_object, dtype=np.float64)
        positions = self._array(sent.positions).astype(np.float64)
        triangles = self._array(sent.triangles)
        corner_uvs = self._uvs()
        if len(corner_uvs) != len(triangles):
            raise UserError("input.bad", f"The UV map of '{sent.name}' does not fit its faces.")
        if np.linalg.det(matrix[:3, :3]) < 0:  # a mirror turns faces inside out
            triangles, corner_uvs = triangles[:, ::-1], corner_uvs[:, ::-1]
        return (
            positions @ matrix[:3, :3].T + matrix[:3, 3],
            np.ascontiguousarray(triangles, dtype=np.int32),
            np.ascontiguousarray(corner_uvs, dtype=np.float32),
        )

    def _uvs(self) -> NDArray[Any]:
        """[T, 3, 2]: the job's own UVs (per loop of the sender, or per corner), else those that came with
        the mesh.
        """
        sent, uv = self.what.mesh, self.what.uv
        if uv is not None:
            uvs = arrays.from_bytes(uv.dtype, uv.shape, self._blob(uv.digest))
            if sent.triangle_loops is not None:
                uvs = uvs.reshape(-1, 2)[self._array(sent.triangle_loops)]
            return uvs.reshape(-1, 3, 2)
        if sent.corner_uvs is None:
            raise UserError("view.nothing", f"'{sent.name}' has no UV map yet.")
        return self._array(sent.corner_uvs)

    def _array(self, ref: arrays.ArrayRef) -> NDArray[Any]:
        return arrays.from_bytes(ref.dtype, ref.shape, self._blob(ref.digest))

    def _blob(self, digest: str) -> bytes:
        try:
            return blobs.path_of(self.store, digest).read_bytes()
        except FileNotFoundError as error:
            raise blobs.missing(digest) from error
