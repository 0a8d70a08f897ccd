"""The process that makes a UV map: `python -m maquette_server.geometry.unwrap_child`.

Reads one request from stdin and writes one answer to stdout, as raw little-endian arrays; on failure it
writes a sentence to stderr and ends with 1. It is a process of its own because xatlas can neither be stopped
nor timed.

Request: i8[8] (MAGIC, V, T, side, gutter, mode, chart iterations, seconds), f4[V, 3] positions, i4[T, 3]
triangles, i4[T] polygon of each triangle. Answer: i8[4] (MAGIC, T, gutter in 1/1000 texel, mode used),
f4[T, 3, 2] UVs, i4[T] chart of each face. All faces have an area; positions are of about unit size.
"""

import os
import signal
import sys

import numpy as np
import xatlas
from numpy.typing import NDArray

from . import charts, packing, whole_polygons

MAGIC = 0x6D617175
XATLAS, DIRECTIONS, ROUGH = 0, 1, 2  # ROUGH is an answer only: six directions, folds share texels
_GRACE = 10  # seconds that the parent has to stop this process itself
_LEFT_OUT = 0.02  # share of the faces that xatlas may leave out; each becomes a chart of its own


def request(
    positions: NDArray[np.float32],
    triangles: NDArray[np.int32],
    polygons: NDArray[np.int32],
    side: int,
    gutter: int,
    mode: int,
    iterations: int,
    limit_s: int,
) -> bytes:
    """The bytes of a request."""
    head = np.array([MAGIC, len(positions), len(triangles), side, gutter, mode, iterations, limit_s], "<i8")
    parts = (head, positions.astype("<f4"), triangles.astype("<i4"), polygons.astype("<i4"))
    return b"".join(part.tobytes() for part in parts)


def read_answer(data: bytes) -> tuple[NDArray[np.float32], NDArray[np.int32], float, int]:
    """UVs [T, 3, 2], chart [T], gutter in texels, mode used. Raises ValueError for anything else than an
    answer.
    """
    head = np.frombuffer(data[:32], "<i8")
    if len(head) < 4 or head[0] != MAGIC or len(data) != 32 + int(head[1]) * 28:
        raise ValueError("the unwrapping process gave no answer")
    count = int(head[1])
    uvs = np.frombuffer(data, "<f4", count * 6, 32).reshape(count, 3, 2)
    chart = np.frombuffer(data, "<i4", count, 32 + count * 24)
    return uvs, chart, float(head[2]) / 1000, int(head[3])


def main() -> int:
    """Reads, unwraps, answers. Returns the exit status."""
    # Whatever a library prints must not get between the bytes of the answer.
    answer = os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "wb") as sink:
        os.dup2(sink.fileno(), 1)
    if hasattr(sys.stdin.buffer, "raw") and os.name == "nt":  # pragma: no cover
        import msvcrt

        msvcrt.setmode(0, os.O_BINARY)  # type: ignore[attr-defined]
    data = sys.stdin.buffer.read()
    head = np.frombuffer(data[:64], "<i8")
    if len(head) < 8 or head[0] != MAGIC or len(data) != 64 + 12 * int(head[1]) + 16 * int(head[2]):
        sys.stderr.write("the request is cut off\n")
        return 1
    vertices, faces, side, gutter, mode, iterations, limit_s = (int(number) for number in head[1:8])
    if hasattr(signal, "alarm"):
        # Ends this process even inside xatlas, should the parent have died and be unable to.
        signal.alarm(limit_s + _GRACE)
    positions = np.frombuffer(data, "<f4", vertices * 3, 64).reshape(-1, 3)
    triangles = np.frombuffer(data, "<i4", faces * 3, 64 + 12 * vertices).reshape(-1, 3)
    polygons = np.frombuffer(data, "<i4", faces, 64 + 12 * (vertices + faces))
    uvs, chart, mode = find_charts(positions, triangles, mode, iterations)
    uvs, chart = whole_polygons.keep_whole(positions, triangles, polygons, uvs, chart)
    uvs, distance = packing.pack(uvs, chart, side, gutter)
    answer.write(np.array([MAGIC, faces, round(1000 * distance), mode], "<i8").tobytes())
    answer.write(uvs.astype("<f4").tobytes())
    answer.write(chart.astype("<i4").tobytes())
    answer.flush()
    return 0


def find_charts(
    positions: NDArray[np.float32], triangles: NDArray[np.int32], mode: int, iterations: int
) -> tuple[NDArray[np.float32], NDArray[np.int32], int]:
    """UVs [T, 3, 2] of one scale, chart [T], and the mode that gave them: xatlas's charts must not
    overlap.
    """
    if mode == XATLAS:
        uvs, chart = xatlas_charts(positions, triangles, iterations)
        left = np.flatnonzero(chart < 0)
        if len(left) <= _LEFT_OUT * len(chart):
            chart[left] = chart.max() + 1 + np.arange(len(left))
            return uvs, chart, XATLAS
    uvs, chart, rough = charts.six_directions(positions, triangles)
    return uvs, chart, ROUGH if rough else DIRECTIONS


def xatlas_charts(
    positions: NDArray[np.float32], triangles: NDArray[np.int32], iterations: int
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """xatlas's charts: UVs [T, 3, 2] in texels of its own layout, chart [T], -1 for faces that it left out.

    Those left out (slivers) lie in their own planes, in the same scale.
    """
    atlas = xatlas.Atlas()
    atlas.add_mesh(np.ascontiguousarray(positions), np.ascontiguousarray(triangles.astype(np.uint32)))
    options = xatlas.ChartOptions()
    options.max_iterations = iterations
    atlas.generate(options, xatlas.PackOptions())
    _, indices, placed = atlas.get_mesh(0)
    uvs = (placed * (atlas.width, atlas.height))[indices.reshape(-1)].reshape(-1, 3, 2)
    chart = np.full(len(triangles), -1, np.int32)
    for number in range(atlas.get_mesh_chart_count(0)):
        chart[np.asarray(atlas.get_mesh_chart(0, number).faces, np.int64)] = number
    left = np.flatnonzero(chart < 0)
    if len(left):
        uvs[left] = atlas.texels_per_unit * _flat(positions[triangles[left]].astype(np.float64))
    return uvs.astype(np.float32), chart


def _flat(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Triangles [N, 3, 3] in their own planes: [N, 3, 2], the first corner at 0."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = first / np.maximum(np.linalg.norm(first, axis=1, keepdims=True), 1e-300)
    along = (second * across).sum(1)
    height = np.linalg.norm(second - along[:, None] * across, axis=1)
    zero = np.zeros(len(corners))
    length = np.linalg.norm(first, axis=1)
    return np.stack([np.stack([zero, zero], 1), np.stack([length, zero], 1), np.stack([along, height], 1)], 1)


if __name__ == "__main__":
    sys.exit(main())
