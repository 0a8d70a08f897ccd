"""Making a UV map for meshes of several sizes, from the mesh to the atlas, in its own process.

The *floor* is xatlas alone, in this process: its charts and its packing with its own defaults. Above 50,000
faces xatlas is not used, and simpler charts have no floor of their own.
"""

import numpy as np
import xatlas
from maquette_server.geometry import unwrap
from maquette_server.geometry.mesh import Mesh
from numpy.typing import NDArray

from benchmarks import frame, job

TITLE = "Making a UV map"
SUBDIVISIONS = (2, 3, 4, 5, 6, 7)  # 320 to 327,680 faces
SIDE = 1024  # texels
FLOOR = "floor: xatlas alone"


def run() -> list[frame.Figure | frame.Series]:
    """Seconds of `Unwrapping`, and of the bare library where it is used."""
    curves = frame.Curves("Time of a UV map against faces", "faces", "time", "s")
    found: list[frame.Figure | frame.Series] = []
    for subdivisions in SUBDIVISIONS:
        positions, triangles = job.sphere(subdivisions)
        mesh = Mesh("ball", positions, triangles)

        def whole(mesh: Mesh = mesh) -> None:
            with unwrap.Unwrapping(mesh, SIDE) as work:
                work.wait()

        def bare(
            positions: NDArray[np.float32] = positions, triangles: NDArray[np.int32] = triangles
        ) -> None:
            xatlas.parametrize(positions, triangles.astype(np.uint32))

        dense = len(triangles) > unwrap.DENSE
        count = 3 if len(triangles) < 10_000 else 2
        taken = frame.turns({"whole": whole} if dense else {"whole": whole, "bare": bare}, count, warm=0)
        name = "six directions" if dense else "xatlas's charts"
        curves.add(name, len(triangles), taken["whole"])
        if dense:
            found.append(frame.median(f"{len(triangles):,} faces, {name}", "s", taken["whole"]))
        else:
            curves.add(FLOOR, len(triangles), taken["bare"], floor=True)
            pairs = list(zip(taken["whole"], taken["bare"], strict=True))
            found.append(frame.median(f"{len(triangles):,} faces, {name}", "s", taken["whole"]))
            found.append(frame.ratio(f"{len(triangles):,} faces, {name} / xatlas alone", pairs))
    return [*found, curves.series()]
