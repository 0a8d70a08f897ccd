"""The rasterisers of a GPU: the same picture as the CPU's, and how long they take."""

from typing import Any

import numpy as np
from maquette_server.cameras import pinhole
from maquette_server.rasterise import choose

from benchmarks import frame, job
from benchmarks.cuda.diffusion import Bench, in_ms

AGREEMENT = 0.995  # share of pixels whose triangle two rasterisers agree on; edges may fall either way
TABLED = (64, 512)  # pixels
SIDE = 512  # pixels of the views of all balls


def rasterisers(bench: Bench) -> list[frame.Figure | frame.Series]:
    """Triangles and depths seen, against the CPU's own, and the time of one view."""
    sizes = bench.sizes
    reason = choose.available(sizes.device)["nvdiffrast"]
    names = ["torch"] if reason else ["torch", "nvdiffrast"]
    if reason:
        print(f"  nvdiffrast: not measured ({reason})")
    largest = sizes.subdivisions[-1]
    by_pixels = frame.Curves("Time of a view against its size, CUDA", "pixels", "time", "ms")
    by_triangles = frame.Curves("Time of a view against triangles, CUDA", "triangles", "time", "ms")
    found: list[frame.Figure | frame.Series] = []
    for subdivisions in sizes.subdivisions:
        positions, triangles = job.sphere(subdivisions)
        reference = choose.make("auto", positions, triangles, "cpu")
        made = {name: choose.make(name, positions, triangles, sizes.device) for name in names}
        for side in sizes.sides if subdivisions == largest else (min(SIDE, max(sizes.sides)),):
            camera = seen_from(side)
            shares = {name: check(drawn, camera, reference) for name, drawn in made.items()}

            def draw(drawn: Any, camera: pinhole.Pinhole) -> None:
                drawn.rasterise_torch(camera)
                bench.wait()

            actions = {
                name: (lambda drawn=drawn, camera=camera: draw(drawn, camera)) for name, drawn in made.items()
            }
            for name, taken in bench.clock.turns(actions, sizes.repeats).items():
                if subdivisions == largest:
                    by_pixels.add(name, side * side, in_ms(taken))
                if side == min(SIDE, max(sizes.sides)):
                    by_triangles.add(name, len(triangles), in_ms(taken))
                if subdivisions == largest and (side in TABLED or not sizes.cuda):
                    note = f"{shares[name]:.2%} as {reference.name} on the CPU"
                    what = f"{name}, {len(triangles)} triangles, {side} px"
                    found.append(frame.median(what, "ms", in_ms(taken), note=note))
    return [*found, by_pixels.series(), by_triangles.series()]


def seen_from(side: int) -> pinhole.Pinhole:
    """A camera that looks at the ball."""
    world_from_camera = pinhole.look_at(np.array([0.9, 1.3, 2.4]), np.zeros(3), np.array([0.0, 1.0, 0.0]))
    return pinhole.Pinhole.from_fov(world_from_camera, 0.9, side, side)


def check(drawn: Any, camera: pinhole.Pinhole, reference: Any) -> float:
    """The share of pixels on whose triangle both agree. Raises AssertionError when it is too small."""
    seen, expected = drawn.rasterise(camera), reference.rasterise(camera)
    agree = float((seen.face == expected.face).mean())
    assert agree >= AGREEMENT, f"{drawn.name} at {camera.width} px agrees on {agree:.2%} of the pixels"
    same = (seen.face == expected.face) & (seen.face >= 0)
    assert np.allclose(seen.depth[same], expected.depth[same], rtol=1e-4), f"depths of {drawn.name} differ"
    return agree
