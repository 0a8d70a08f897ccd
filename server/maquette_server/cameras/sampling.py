"""Where paint cameras stand: angles round an object in the work frame, and the view words that go with them.

y is up, azimuth phi = 0 looks from +z, polar angle theta is measured from +y, both in degrees; a camera
stands at r (sin theta sin phi, cos theta, sin theta cos phi) (+ `around`) and looks at `target`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .pinhole import Pinhole, look_at

VIEW_WORDS = ("front", "side", "back", "side", "overhead", "bottom")
LOOK_AT = (0.0, 0.25, 0.0)  # centre of the object in the work frame
FOV = 60.0  # degrees
ORIGIN = (0.0, 0.0, 0.0)
Rings = Sequence[tuple[float, int]]  # polar angle in degrees, views on it
_GOLDEN = 0.5 * (math.sqrt(5.0) - 1.0)


@dataclass(frozen=True)
class View:
    """A camera with the angles it was made from."""

    camera: Pinhole
    theta: float  # degrees from +y, 0..180
    phi: float  # degrees, 0..360
    radius: float
    word: int  # index into VIEW_WORDS


def view_word(theta: float, phi: float, front: float = 70.0, overhead: float = 30.0) -> int:
    """Index into VIEW_WORDS: `front` is the full width of the front and back sectors, `overhead` the polar
    caps.
    """
    if theta <= overhead:
        return 4
    if theta >= 180.0 - overhead:
        return 5
    phi = phi % 360.0
    half = 0.5 * front
    if phi >= 360.0 - half or phi < half:
        return 0
    if phi < 180.0 - half:
        return 1
    return 2 if phi < 180.0 + half else 3


def place(
    theta: float,
    phi: float,
    radius: float,
    *,
    size: int,
    fov: float = FOV,
    target: Sequence[float] = LOOK_AT,
    around: Sequence[float] = ORIGIN,
) -> View:
    """The view from the given angles (degrees) at the given distance from `around`, `size` pixels square."""
    polar, azimuth = math.radians(theta), math.radians(phi)
    offset = (math.sin(polar) * math.sin(azimuth), math.cos(polar), math.sin(polar) * math.cos(azimuth))
    eye = np.asarray(around, np.float64) + radius * np.array(offset)
    aim = np.asarray(target, np.float64)
    # Straight above or below, "up" in the picture is what it becomes in the limit: away from the azimuth.
    steep = math.sin(polar) < 1e-6
    sign = -1.0 if math.cos(polar) > 0 else 1.0
    up = (
        np.array([sign * math.sin(azimuth), 0.0, sign * math.cos(azimuth)])
        if steep
        else np.array([0.0, 1.0, 0.0])
    )
    camera = Pinhole.from_fov(look_at(eye, aim, up), math.radians(fov), size, size)
    return View(camera, theta, phi % 360.0, radius, view_word(theta, phi))


def paint_cameras(
    count: int,
    generator: np.random.Generator,
    *,
    size: int,
    fov: float = FOV,
    theta: tuple[float, float] = (0.0, 150.0),
    phi: tuple[float, float] = (0.0, 360.0),
    radius: tuple[float, float] = (1.0, 1.5),
) -> list[View]:
    """Random views of the released Latent-Paint: each angle and the radius uniform, round the origin."""
    draws = generator.random((count, 3))
    low = np.array([theta[0], phi[0], radius[0]])
    high = np.array([theta[1], phi[1], radius[1]])
    return [place(*values, size=size, fov=fov) for values in (low + draws * (high - low)).tolist()]


def nerf_cameras(
    count: int,
    generator: np.random.Generator,
    *,
    size: int,
    fov: tuple[float, float] = (40.0, 70.0),
    theta: tuple[float, float] = (0.0, 150.0),
    radius: tuple[float, float] = (1.0, 1.5),
) -> list[View]:
    """Random views of the released Latent-NeRF: angles, radius and field of view uniform, towards the origin.

    They are right-handed: the released ones mirror every picture.
    """
    draws = generator.random((count, 4))
    low = np.array([theta[0], 0.0, radius[0], fov[0]])
    high = np.array([theta[1], 360.0, radius[1], fov[1]])
    return [
        place(polar, azimuth, away, size=size, fov=angle, target=ORIGIN)
        for polar, azimuth, away, angle in (low + draws * (high - low)).tolist()
    ]


def stratified_pool(
    count: int,
    generator: np.random.Generator,
    *,
    size: int,
    fov: float = FOV,
    theta: tuple[float, float] = (15.0, 150.0),
    radius: tuple[float, float] = (1.2, 1.5),
    around: Sequence[float] = LOOK_AT,
) -> list[View]:
    """`count` jittered views spread evenly over the sphere of directions round the object (area-uniform in
    theta).

    Any run of consecutive views of the pool is spread as well: theta and radius follow base-2 and base-3
    radical inverses, phi the golden ratio. The views go round the object's centre `around`, so none is nearer
    than another by the lift.
    """
    shift = generator.random(3)
    jitter = generator.random((count, 3)) / max(count, 1)
    top, bottom = math.cos(math.radians(theta[0])), math.cos(math.radians(theta[1]))
    views = []
    for i in range(count):
        across = (_radical_inverse(i, 2) + shift[0] + jitter[i, 0]) % 1.0
        turn = (i * _GOLDEN + shift[1] + jitter[i, 1]) % 1.0
        reach = (_radical_inverse(i, 3) + shift[2] + jitter[i, 2]) % 1.0
        polar = math.degrees(math.acos(top + across * (bottom - top)))
        distance = radius[0] + reach * (radius[1] - radius[0])
        views.append(place(polar, 360.0 * turn, distance, size=size, fov=fov, target=around, around=around))
    return views


def rings(count: int) -> Rings:
    """Three rings of `bake_views` that are with its two poles about `count` views, 11 at least."""
    around = max(3, round((count - 2) / 3))
    return ((45.0, around), (78.0, around), (115.0, around))


def bake_views(
    *,
    size: int,
    fov: float = FOV,
    radius: float = 1.4,
    rings: Rings = ((50.0, 6), (85.0, 8), (120.0, 6)),
    top: bool = True,
    bottom: bool = True,
    around: Sequence[float] = LOOK_AT,
) -> list[View]:
    """Fixed views that see an object from everywhere: rings of (theta, count), each turned by half a step
    against the one before, and the two poles. The front (theta of the middle ring, phi 0) is among them, and
    comes first.
    """
    views = []
    for turn, (polar, count) in enumerate(rings):
        start = 0.0 if turn % 2 == 1 else 180.0 / count
        views += [
            place(polar, start + 360.0 * i / count, radius, size=size, fov=fov, target=around, around=around)
            for i in range(count)
        ]
    views.sort(key=lambda view: view.phi != 0.0)
    if top:
        views.append(place(0.0, 0.0, radius, size=size, fov=fov, target=around, around=around))
    if bottom:
        views.append(place(180.0, 0.0, radius, size=size, fov=fov, target=around, around=around))
    return views


def turn_views(
    count: int, *, size: int, theta: float = 60.0, radius: float = 1.8, fov: float = FOV
) -> list[View]:
    """`count` views once round the object: the evaluation views of the released Latent-Paint code, for
    previews and turntables.
    """
    return [place(theta, 360.0 * i / count, radius, size=size, fov=fov) for i in range(count)]


def angles_of(eye: NDArray[np.float64], around: Sequence[float] = LOOK_AT) -> tuple[float, float]:
    """Theta and phi in degrees of a camera at `eye` [3]."""
    offset = eye - np.asarray(around, np.float64)
    polar = math.degrees(math.atan2(math.hypot(offset[0], offset[2]), offset[1]))
    return polar, math.degrees(math.atan2(offset[0], offset[2])) % 360.0


def _radical_inverse(index: int, base: int) -> float:
    value, scale = 0.0, 1.0 / base
    while index:
        index, digit = divmod(index, base)
        value += digit * scale
        scale /= base
    return value
