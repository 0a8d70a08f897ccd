"""Meshes with known answers: a sphere, a cube, and random triangle soups."""

import numpy as np
from maquette_server.geometry.mesh import Mesh
from numpy.typing import NDArray


def sphere(
    rings: int = 24,
    segments: int = 48,
    radius: float = 0.6,
    centre: tuple[float, float, float] = (0.0, 0.25, 0.0),
) -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """A closed sphere of rings x segments quads cut in two, with single poles; outside is anticlockwise."""
    theta = np.linspace(0, np.pi, rings + 1)[1:-1]
    phi = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    rows = np.stack(
        [
            np.sin(theta)[:, None] * np.sin(phi),
            np.cos(theta)[:, None] * np.ones(segments),
            np.sin(theta)[:, None] * np.cos(phi),
        ],
        -1,
    ).reshape(-1, 3)
    points = np.concatenate([[[0.0, 1.0, 0.0]], rows, [[0.0, -1.0, 0.0]]])
    here, after = np.arange(segments), (np.arange(segments) + 1) % segments
    faces = [np.stack([np.zeros(segments, int), 1 + here, 1 + after], 1)]
    for ring in range(rings - 2):
        a, b = 1 + ring * segments + here, 1 + ring * segments + after
        c, d = a + segments, b + segments
        faces += [np.stack([a, c, b], 1), np.stack([b, c, d], 1)]
    last = 1 + (rings - 2) * segments
    faces.append(np.stack([last + here, np.full(segments, len(points) - 1), last + after], 1))
    return points * radius + np.asarray(centre), np.concatenate(faces).astype(np.int32)


def cube() -> tuple[NDArray[np.float64], NDArray[np.int32]]:
    """The cube of side 2 round the origin, 12 triangles."""
    points = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    triangles = [t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))]
    return points, np.array(triangles, np.int32)


def box(centre: tuple[float, float, float], half: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A cube with sides of twice `half`; each side is two triangles that follow each other."""
    positions, triangles = cube()
    return positions * half + np.asarray(centre), triangles.astype(np.int64)


def mesh(positions: NDArray[np.floating], triangles: NDArray[np.integer], **parts: object) -> Mesh:
    """A `Mesh` named shape."""
    return Mesh("shape", np.asarray(positions, np.float64), np.asarray(triangles, np.int32), **parts)  # type: ignore[arg-type]
