"""Pictures of a scene's field from any camera, as large as the time until a deadline allows.

Rays are seen in pieces that take about `_PIECE` seconds each, and rows are taken in an order that soon has
some from all over the picture, so that the seconds of a ray are known early. When the picture would not be
ready in time, it is begun again with sides divided by the least whole number that fits.
"""

import math
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from maquette_wire import messages
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ..cameras import conventions
from ..cameras.lens import Lens
from ..engine import blobs
from ..engine import worker_messages as wire
from ..rendering import seen
from ..rendering.posed import CameraRays, Posed
from ..scenes import runtime
from ..scenes.files import SceneFiles

_PIECE = 0.05  # s of a piece: commands are heard that often
_TELLING = 0.01  # s; a shorter piece says little about the time of a ray
_FIRST = 64  # rays of a piece when nothing is known
_MOST = 4096  # rays of a piece: more of them are not seen any faster on a CPU
_BANDS = 16  # rows of the first pass over the picture
_SLACK = 1.25  # by how much a picture that is begun may take longer than it should
_SMALLEST = 16  # pixels of the long side below which a picture shows nothing

Drawn = tuple[NDArray[np.uint8], NDArray[np.float32]]


class FieldViews:
    """Draws, and remembers the last field. `clock` gives seconds, as `time.monotonic` does."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key: tuple[wire.Field, int | None, str] | None = None
        self._scene: runtime.Scene | None = None
        self._pace: float | None = None
        """seconds of a ray, as last measured"""

    def draw(
        self, what: wire.Field, view: messages.View, store: Path, device: str, deadline: float, share: float
    ) -> Generator[None, None, Drawn]:
        """Colour u8 [H, W, 4] and depth f4 [H, W] in units of the scene, infinite where nothing is.

        store: the folder of the blobs. share: of the time until the deadline that may be taken. The picture
        may be smaller than asked for. Pauses after every piece.
        Raises UserError `view.late`, `input.bad`, `blob.missing`, `scene.bad`.
        """
        pose = _pose(view)
        scene = self._open(what, view.moment, store, device)
        yield
        lens = _lens(view)
        allowed = share * (deadline - self._clock())
        limit = self._clock() + allowed
        latest = limit + (_SLACK - 1) * allowed
        divisor = 0
        while True:
            divisor = self._fitting(lens, divisor + 1, limit - self._clock())
            camera = Posed(pose, _divided(lens, divisor), view.time if scene.record.time else None)
            frame = yield from self._try(scene, camera, latest)
            if frame is not None:
                return frame.straight(), frame.depths

    def _open(self, what: wire.Field, moment: int | None, store: Path, device: str) -> runtime.Scene:
        if self._scene is None or self._key != (what, moment, device):
            before = None if self._scene is None else self._scene.record.field
            self._key = self._scene = None  # its memory is needed for the next one
            places = {one.path: blobs.path_of(store, one.file.digest) for one in what.files}
            for one in what.files:
                if not places[one.path].is_file():
                    raise blobs.missing(one.file.digest)
            scene = runtime.open_scene(SceneFiles(places).at(moment), device)
            scene = replace(scene, field=scene.field.draft())
            if before != scene.record.field:
                self._pace = None
                self._warm_up(scene)
            self._key, self._scene = (what, moment, device), scene
        return self._scene

    def _warm_up(self, scene: runtime.Scene) -> None:
        """The first rays take longer than any others, and would tell nothing about them."""
        camera = Posed(np.eye(4), Lens(4, 4, 4.0, 4.0, 2.0, 2.0))
        for _ in scene.tiles(camera):
            pass

    def _fitting(self, lens: Lens, least: int, seconds: float) -> int:
        """The least number, not below `least`, by which the sides must be divided to be drawn in time."""
        largest = _largest(lens)
        if self._pace is None:
            fitting = least
        else:
            rays = max(seconds, 0.0) / self._pace
            fitting = next(
                (n for n in range(least, largest + 1) if math.prod(_size(lens, n)) <= rays), largest + 1
            )
        if seconds <= 0 or fitting > largest:
            self._pace = None  # it is measured anew by the next picture
            raise UserError("view.late", "The picture cannot be drawn in time, not even a small one.")
        return fitting

    def _try(
        self, scene: runtime.Scene, camera: Posed, latest: float
    ) -> Generator[None, None, runtime.Frame | None]:
        """The picture, or None as soon as it is seen that it will not be ready by `latest`."""
        field, lens = scene.field, camera.lens
        rays = CameraRays([camera], field.domain, *scene.reach(camera), field.device)
        order = _order(lens.width, lens.height)
        count = len(order)
        found = seen.Seen(torch.empty(count, 3), torch.empty(count), torch.empty(count))
        pieces = _Pieces(_FIRST if self._pace is None else int(_PIECE / self._pace))
        at = 0
        while at < count:
            part = order[at : at + pieces.size]
            began = self._clock()
            pixels = part.to(field.device)
            piece = seen.whole(list(field.tiles(rays.rays(torch.zeros_like(pixels), pixels))))
            found.colours[part] = piece.colours.cpu()
            found.opacities[part] = piece.opacities.cpu()
            found.depths[part] = piece.depths.cpu()
            at += len(part)
            self._pace = pieces.took(len(part), self._clock() - began) or self._pace
            yield
            now = self._clock()
            expected = 0.0 if self._pace is None else (count - at) * self._pace
            if at < count and now + expected > latest:
                return None
        shape = (lens.height, lens.width)
        return runtime.Frame(
            found.colours.reshape(*shape, 3).numpy(),
            found.opacities.reshape(shape).numpy(),
            found.depths.reshape(shape).numpy(),
        )


class _Pieces:
    """How many rays to take at once, and what one takes."""

    def __init__(self, size: int) -> None:
        self.size = min(max(size, 1), _MOST)
        self._rays = 0
        self._seconds = 0.0

    def took(self, rays: int, seconds: float) -> float | None:
        """A piece took so long; gives the mean seconds of a ray, once pieces are long enough to tell."""
        telling = seconds >= _TELLING or self.size == _MOST
        if telling:
            self._rays += rays
            self._seconds += seconds
        wanted = rays * _PIECE / max(seconds, 1e-9)
        self.size = int(min(max(wanted, rays / 4, 1), rays * 4, _MOST))
        return self._seconds / self._rays if self._rays else None


def _pose(view: messages.View) -> NDArray[np.float64]:
    try:
        return conventions.rigid(np.array(view.camera), "The camera of the view")
    except UserError as error:
        raise UserError(
            "input.bad", error.sentence, hint="Give a camera that is moved and turned only."
        ) from error


def _lens(view: messages.View) -> Lens:
    focal = 0.5 * view.height / math.tan(0.5 * view.fov_y)
    return Lens(view.width, view.height, focal, focal, view.width / 2, view.height / 2)


def _size(lens: Lens, divisor: int) -> tuple[int, int]:
    return max(1, lens.width // divisor), max(1, lens.height // divisor)


def _divided(lens: Lens, divisor: int) -> Lens:
    """The same view with fewer pixels: what a side has over makes them a little larger."""
    return lens if divisor == 1 else lens.resized(*_size(lens, divisor))


def _largest(lens: Lens) -> int:
    return max(1, max(lens.width, lens.height) // _SMALLEST)


def _order(width: int, height: int) -> torch.Tensor:
    """Numbers of all pixels [H W], whole rows, in passes over the picture."""
    spacing = max(1, height // _BANDS)
    rows = torch.cat([torch.arange(first, height, spacing) for first in range(spacing)])
    return (rows[:, None] * width + torch.arange(width)).reshape(-1)
