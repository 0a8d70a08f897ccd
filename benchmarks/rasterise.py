"""Every rasteriser that works on the CPU, over meshes and pictures of several sizes.

The *floor* is Embree's bare query for the nearest triangle, with the rays at hand: no weights, no depths, no
tensors.
"""

from collections.abc import Callable

import numpy as np
import torch
import trimesh
from maquette_server.cameras import pinhole
from maquette_server.rasterise import choose
from numpy.typing import NDArray

from benchmarks import frame, job

TITLE = "Rasterising on a CPU"
SIDES = (32, 64, 128, 256, 512, 1024)  # pixels
TABLED = (64, 512)
REPEATS = 11
RINGS = 112  # of the ball that is seen in all sizes: about 4 x 112 x 112 triangles
SUBDIVISIONS = (2, 3, 4, 5, 6, 7)  # of the balls that are seen in one size: 320 to 327,680 triangles
SIDE = 256  # pixels of theirs
FLOOR = "floor: bare Embree query"


def run() -> list[frame.Figure | frame.Series]:
    """Milliseconds of a view, the mesh being known already."""
    torch.set_num_threads(1)
    ball = trimesh.creation.uv_sphere(radius=1.0, count=(RINGS, RINGS))
    positions, triangles = ball.vertices.astype(np.float32), ball.faces.astype(np.int32)
    found: list[frame.Figure | frame.Series] = []
    by_pixels = frame.Curves(
        f"Time of a view against its size, {len(triangles):,} triangles", "pixels", "time", "ms"
    )
    for side in SIDES:
        for name, taken in views(positions, triangles, side).items():
            by_pixels.add(name, side * side, taken, floor=name == FLOOR)
            if side in TABLED and name != FLOOR:
                found.append(frame.median(f"{name}, {len(triangles)} triangles, {side} px", "ms", taken))
    by_triangles = frame.Curves(f"Time of a view against triangles, {SIDE} px", "triangles", "time", "ms")
    for subdivisions in SUBDIVISIONS:
        positions, triangles = job.sphere(subdivisions)
        for name, taken in views(positions, triangles, SIDE).items():
            by_triangles.add(name, len(triangles), taken, floor=name == FLOOR)
    return [*found, by_pixels.series(), by_triangles.series()]


def views(positions: NDArray[np.float32], triangles: NDArray[np.int32], side: int) -> dict[str, list[float]]:
    """Milliseconds of a view of `side` x `side` pixels by each rasteriser and by the floor, turn about."""
    world_from_camera = pinhole.look_at(np.array([0.9, 1.3, 2.4]), np.zeros(3), np.array([0.0, 1.0, 0.0]))
    camera = pinhole.Pinhole.from_fov(world_from_camera, 0.9, side, side)
    reasons = choose.available()
    actions: dict[str, Callable[[], object]] = {}
    for name in ("embree", "torch"):
        if not reasons[name]:
            made = choose.make(name, positions, triangles, "cpu")
            actions[name] = lambda made=made: made.rasterise(camera)
    if not reasons["embree"]:
        actions[FLOOR] = bare_query(positions, triangles, camera)
    taken = frame.turns(actions, REPEATS)
    return {name: [1000 * value for value in values] for name, values in taken.items()}


def bare_query(
    positions: NDArray[np.float32], triangles: NDArray[np.int32], camera: pinhole.Pinhole
) -> Callable[[], object]:
    """Embree's own call on rays that are made already."""
    from embreex import mesh_construction, rtcore_scene

    scene = rtcore_scene.EmbreeScene(robust=True)
    mesh = mesh_construction.TriangleMesh(scene, positions, triangles)
    directions = camera.ray_directions().reshape(-1, 3).astype(np.float32)
    origins = np.ascontiguousarray(np.broadcast_to(camera.position.astype(np.float32), directions.shape))

    def query(mesh: object = mesh) -> object:  # the scene needs the mesh to stay
        return scene.run(origins, directions)

    return query
