"""A UV map for a mesh that has none: started, polled and stopped, since it can take a minute.

T faces. An atlas of `side` texels keeps its charts at least `gutter` texels apart, across the texture's
border as well. The work is done by a child process (`unwrap_child`) with a time limit; dense meshes, and
those that run out of time, get simpler charts. The geometry is never changed.
"""

import math
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import check, unwrap_child
from .mesh import Mesh

_LAST_LIMIT = 600  # seconds for the simpler charts
DENSE = 50_000  # faces above which xatlas's own chart search takes too long


@dataclass(frozen=True)
class Atlas:
    """A UV map. Faces without an area have the UVs of their vertices' neighbours, and chart -1."""

    corner_uvs: NDArray[np.float32]  # [T, 3, 2], v up, in 0..1
    chart: NDArray[np.int32]  # [T]
    gutter: float  # texels between charts; less than asked only with too many charts for the texture
    source: str
    """xatlas, or "six directions" with the reason why"""

    @property
    def chart_count(self) -> int:
        """Number of charts."""
        return int(self.chart.max(initial=-1)) + 1


def time_limit(faces: int) -> float:
    """Seconds that xatlas may take for a mesh."""
    return 20.0 + faces / 5000.0


class Unwrapping:
    """A UV map in the making. Use as a context manager, or call `close`."""

    def __init__(
        self,
        mesh: Mesh,
        side: int,
        *,
        gutter: int | None = None,
        chart_iterations: int = 1,
        limit_s: float | None = None,
    ) -> None:
        """side, gutter: texels; without a gutter, one in 64 of the side.  chart_iterations: xatlas's
        max_iterations (the released code has 4).

        limit_s: seconds for xatlas, by default `time_limit`.  Raises UserError `mesh.unwrap` when no face has
        an area.
        """
        gutter = max(2, side // 64) if gutter is None else gutter
        if gutter < 1 or side < 4 * gutter:
            raise ValueError(f"a gutter of {gutter} texels does not fit a texture of {side}")
        solid = check.has_area(mesh.positions, mesh.triangles)
        if not solid.any():
            raise UserError(
                "mesh.unwrap",
                f"No UV map can be made for {mesh.name!r}: none of its faces has an area.",
                hint="Rebuild the mesh, or merge its doubled vertices.",
            )
        self._mesh, self._solid = mesh, solid
        self._side, self._gutter, self._iterations = side, gutter, chart_iterations
        faces = int(solid.sum())
        self._limit = time_limit(faces) if limit_s is None else limit_s
        self._note = ""
        self._positions = _unit_size(mesh, solid)
        if faces > DENSE:
            self._note = f"{faces} faces are too many for xatlas"
            self._start(unwrap_child.DIRECTIONS)
        else:
            self._start(unwrap_child.XATLAS)

    def __enter__(self) -> "Unwrapping":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def poll(self, wait_s: float = 0.0) -> Atlas | None:
        """The atlas, or None while it is being made; waits for at most `wait_s` seconds. Raises UserError
        `mesh.unwrap` when none can be made.
        """
        self._talk.join(wait_s)
        if not self._talk.is_alive():
            return self._finish()
        if self._mode == unwrap_child.XATLAS and time.monotonic() - self._started > self._limit:
            self.close()
            self._note = f"xatlas did not finish within {self._limit:.0f} s"
            self._start(unwrap_child.DIRECTIONS)
        return None

    def wait(self) -> Atlas:
        """The atlas, however long it takes."""
        while (atlas := self.poll(0.05)) is None:
            pass
        return atlas

    def close(self) -> None:
        """Stops the work; nothing when it is done."""
        if self._process.poll() is None:
            self._process.kill()
        self._talk.join()

    def _start(self, mode: int) -> None:
        self._mode = mode
        self._started = time.monotonic()
        request = unwrap_child.request(
            self._positions,
            self._mesh.triangles[self._solid],
            _polygons(self._mesh)[self._solid],
            self._side,
            self._gutter,
            mode,
            self._iterations,
            math.ceil(self._limit if mode == unwrap_child.XATLAS else _LAST_LIMIT),
        )
        self._answer = b""
        self._complaint = b""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "maquette_server.geometry.unwrap_child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        self._talk = threading.Thread(target=self._converse, args=(self._process, request), daemon=True)
        self._talk.start()

    def _converse(self, process: "subprocess.Popen[bytes]", request: bytes) -> None:
        self._answer, self._complaint = process.communicate(request)

    def _finish(self) -> Atlas | None:
        if self._process.returncode == 0:
            uvs, chart, distance, mode = unwrap_child.read_answer(self._answer)
            source = "xatlas"
            if mode != unwrap_child.XATLAS:
                source = f"six directions ({self._note or 'xatlas left out too many faces'})"
            if mode == unwrap_child.ROUGH:
                source += ", folds of its rough surface share texels"
            return _complete(self._mesh, self._solid, Atlas(uvs, chart, distance, source))
        if self._mode == unwrap_child.XATLAS:
            self._note = "xatlas failed on this mesh"
            self._start(unwrap_child.DIRECTIONS)
            return None
        words = self._complaint.decode("utf-8", "replace").strip().splitlines()
        why = words[-1] if words else "the process ended"
        raise UserError(
            "mesh.unwrap",
            f"No UV map could be made for {self._mesh.name!r} ({why}).",
            hint="Unwrap the mesh in Blender and try again.",
        )


def _unit_size(mesh: Mesh, solid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Positions [V, 3], centred and at most 1 from the centre, in float32."""
    box = check.bounds(mesh.positions, mesh.triangles[solid])
    return np.asarray((mesh.positions - box.centre) * (2.0 / box.diagonal), np.float32)


def _polygons(mesh: Mesh) -> NDArray[np.int32]:
    """[T], the polygon of each triangle; its own where the sender named none."""
    if mesh.triangle_polygons is None:
        return np.arange(len(mesh.triangles), dtype=np.int32)
    return mesh.triangle_polygons


def _complete(mesh: Mesh, solid: NDArray[np.bool_], atlas: Atlas) -> Atlas:
    """The atlas of all faces from that of those with an area; the others take the UVs their vertices have
    elsewhere.
    """
    if solid.all():
        return atlas
    by_vertex = np.zeros((len(mesh.positions), 2), np.float32)
    by_vertex[mesh.triangles[solid].reshape(-1)] = atlas.corner_uvs.reshape(-1, 2)
    uvs = by_vertex[mesh.triangles]
    uvs[solid] = atlas.corner_uvs
    # A sliver of a polygon has the corners of its other triangles.
    key = _polygons(mesh).astype(np.int64)[:, None] * len(mesh.positions) + mesh.triangles
    known, first = np.unique(key[solid], return_index=True)
    place = np.searchsorted(known, key[~solid]).clip(0, len(known) - 1)
    same = known[place] == key[~solid]
    uvs[~solid] = np.where(same[..., None], atlas.corner_uvs.reshape(-1, 2)[first[place]], uvs[~solid])
    charts = np.full(len(mesh.triangles), -1, np.int32)
    charts[solid] = atlas.chart
    return replace(atlas, corner_uvs=uvs, chart=charts)
