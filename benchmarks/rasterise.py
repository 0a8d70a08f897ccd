"""One view of 50,000 triangles by every rasteriser that works on the CPU, in two sizes."""

import functools

import numpy as np
import torch
import trimesh
from maquette_server.cameras import pinhole
from maquette_server.rasterise import choose

from benchmarks import frame

TITLE = "Rasterising 50,000 triangles on a CPU"
SIDES = (64, 512)  # pixels
REPEATS = 15
RINGS = 112  # of a ball: about 4 x 112 x 112 triangles


def run() -> list[frame.Figure]:
    """Milliseconds of a view, the mesh being known already."""
    torch.set_num_threads(1)
    ball = trimesh.creation.uv_sphere(radius=1.0, count=(RINGS, RINGS))
    positions, triangles = ball.vertices.astype(np.float32), ball.faces.astype(np.int32)
    world_from_camera = pinhole.look_at(np.array([0.9, 1.3, 2.4]), np.zeros(3), np.array([0.0, 1.0, 0.0]))
    names = [name for name in ("embree", "torch") if not choose.available()[name]]
    made = {name: choose.make(name, positions, triangles, "cpu") for name in names}
    figures = []
    for side in SIDES:
        camera = pinhole.Pinhole.from_fov(world_from_camera, 0.9, side, side)
        taken: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(REPEATS + 1):
            for name in names:  # turn about, so that what slows one slows the other
                view = functools.partial(made[name].rasterise, camera)
                taken[name].append(1000 * frame.seconds(view))
        for name in names:
            figures.append(
                frame.median(f"{name}, {len(triangles)} triangles, {side} px", "ms", taken[name][1:])
            )
    return figures
