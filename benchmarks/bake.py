"""Baking pictures onto textures of several sizes: listing the texels, adding one picture, finishing.

Finishing fills what no picture saw, evens out the cuts of the UV map and fills the gutters. The *floor* of
adding a picture is the least that it has to move: for every texel one pixel read at random and its sums
written, where each texel comes from being known.
"""

import functools
from collections.abc import Callable

import numpy as np
from maquette_server.baking import pauses, surface, views
from maquette_server.cameras import sampling
from maquette_server.geometry import seams, unwrap
from maquette_server.geometry.mesh import Mesh
from maquette_server.rasterise import choose
from numpy.typing import NDArray

from benchmarks import frame, job

TITLE = "Baking pictures onto a texture"
SIDES = (256, 512, 1024, 2048, 4096)  # texels
PICTURE = 512  # pixels, of the pictures and of their depth test
FADE = (1.0, 6.0)  # pixels from a silhouette
RADIUS = 0.6  # of the ball, as in the work frame
REPEATS = 5
RINGS = ((65.0, 4), (115.0, 4))  # polar angle in degrees, pictures
FLOOR = "floor of a picture: one gather"


def run() -> list[frame.Figure | frame.Series]:
    """Milliseconds of each part, for textures of all sizes."""
    curves = frame.Curves("Time of baking against the texture's side", "texels along an edge", "time", "ms")
    found: list[frame.Figure | frame.Series] = []
    positions, triangles = job.sphere()
    positions *= RADIUS
    with unwrap.Unwrapping(Mesh("ball", positions, triangles), SIDES[2]) as work:
        uvs = work.wait().corner_uvs
    edges = seams.cut_edges(triangles, uvs, positions)
    cuts = positions[edges.vertices]
    cameras = [seen.camera for seen in sampling.bake_views(size=PICTURE, fov=45.0, radius=1.64, rings=RINGS)]
    rasteriser = choose.make("auto", positions, triangles, "cpu")
    rasters = [rasteriser.rasterise(camera) for camera in cameras]
    picture = np.random.default_rng(0).random((PICTURE, PICTURE, 3), dtype=np.float32)
    for side in SIDES:
        texels = surface.texels(positions, triangles, uvs, side)
        baked = views.Accumulator(texels, 3, 2 * RADIUS)
        taken = frame.turns(
            {
                "picture": functools.partial(baked.add, picture, cameras[0], rasters[0], FADE),
                "floor": gather(picture, len(texels.index)),
            },
            REPEATS if side < 2048 else 2,
        )
        for camera, raster in zip(cameras[1:], rasters[1:], strict=True):
            baked.add(picture, camera, raster, FADE)
        taken |= frame.turns(
            {
                "listing": functools.partial(surface.texels, positions, triangles, uvs, side),
                "finishing": functools.partial(finish, baked, cuts),
            },
            3 if side < 2048 else 1,
            warm=0,
        )
        in_ms = {name: [1000 * value for value in values] for name, values in taken.items()}
        curves.add("one picture", side, in_ms["picture"])
        curves.add("listing the texels", side, in_ms["listing"])
        curves.add("finishing", side, in_ms["finishing"])
        curves.add(FLOOR, side, in_ms["floor"], floor=True)
        if side == 1024:
            pairs = list(zip(taken["picture"], taken["floor"], strict=True))
            found.append(frame.median(f"one picture, {side} px texture", "ms", in_ms["picture"]))
            found.append(frame.ratio(f"one picture / one gather, {side} px texture", pairs))
            found.append(frame.median(f"finishing, {side} px texture", "ms", in_ms["finishing"]))
    return [*found, curves.series()]


def finish(baked: views.Accumulator, cuts: NDArray[np.float32]) -> None:
    """The texture of what was added, without pauses."""
    pauses.drained(baked.finish(cuts, 3 * RADIUS / PICTURE))


def gather(picture: NDArray[np.float32], count: int) -> Callable[[], object]:
    """The floor: `count` random pixels added to sums of colours and weights."""
    flat = picture.reshape(-1, 3)
    where = np.random.default_rng(1).integers(0, len(flat), count)
    colour, weight = np.zeros((count, 3), np.float32), np.zeros(count, np.float32)

    def move() -> None:
        np.add(colour, flat[where], out=colour)
        np.add(weight, 1, out=weight)

    return move
