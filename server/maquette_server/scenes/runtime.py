"""From a scene's files to something that renders: the only code that does so."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import numpy as np
import safetensors
import torch
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ..cameras.lens import Lens
from ..fields.domain import Domain
from ..rendering import seen
from ..rendering.posed import CameraRays, Posed
from ..rendering.rays import slices
from . import folder, grid_weights, mip_weights
from .files import SceneFiles

_DECODE: dict[str, Callable[[dict[str, Any], Domain, bytes, torch.device | str], seen.Field]] = {
    grid_weights.TYPE: grid_weights.decode,
    mip_weights.TYPE: mip_weights.decode,
}
# Rays of a picture that are made at once: a multiple of every field's tile, so that tiles are those of all
# rays in one. A ray takes some 150 bytes on its way, a pixel that is seen 20.
_PIECE = 1 << 16
_UNREADABLE = (ValueError, KeyError, TypeError, RuntimeError, OverflowError, safetensors.SafetensorError)


@dataclass(frozen=True)
class Frame:
    """A rendered picture."""

    colours: NDArray[np.float32]  # [H, W, 3], sRGB, premultiplied
    opacities: NDArray[np.float32]  # [H, W]
    depths: NDArray[np.float32]
    """[H, W], along the viewing axis in units of the scene, of a fisheye too; infinite: nothing there"""

    def over(self, background: str) -> NDArray[np.uint8]:
        """Opaque, before "white" or "black", u8 [H, W, 3]."""
        return to_u8(self.opaque(background))

    def opaque(self, background: str) -> NDArray[np.float32]:
        """Opaque, before "white" or "black", [H, W, 3]."""
        return self.colours + (1 - self.opacities[..., None]) * np.float32(behind(background))

    def straight(self) -> NDArray[np.uint8]:
        """With straight alpha, u8 [H, W, 4]."""
        colours = self.colours / np.maximum(self.opacities[..., None], 1e-6)
        return to_u8(np.concatenate([colours, self.opacities[..., None]], -1))


@dataclass(frozen=True)
class Scene:
    """A scene that renders."""

    record: folder.SceneRecord
    cameras: tuple[folder.CameraRecord, ...]
    field: seen.Field
    notes: tuple[str, ...] = ()
    step: int = 0
    """of the weights"""

    def tiles(self, camera: Posed) -> Generator[None, None, Frame]:
        """Renders a camera: pauses after each tile, and gives the picture."""
        return _picture(self.field, camera, *self.reach(camera))

    def render(self, camera: Posed) -> Frame:
        """Renders a camera."""
        return look(self.field, camera, *self.reach(camera))

    def some_depths(self, camera: Posed, count: int) -> NDArray[np.float32]:
        """What the picture of a camera has as depths at about `count` pixels, spread evenly over it."""
        lens, field = camera.lens, self.field
        size = lens.width * lens.height
        chosen = np.arange(0, size, max(1, size // count))
        pixels = torch.from_numpy(chosen).to(field.device)
        rays = CameraRays([camera], field.domain, *self.reach(camera), field.device)
        found = seen.whole(list(field.tiles(rays.rays(torch.zeros_like(pixels), pixels))))
        return _depths(lens, found.depths.cpu().numpy(), chosen)

    def reach(self, camera: Posed) -> tuple[float, float]:
        """Near and far for a camera: those of the scene; of an object, as far as the box goes from there."""
        domain = self.field.domain
        if domain.unbounded:
            return self.record.near, self.record.far
        away = float(np.linalg.norm(camera.world_from_camera[:3, 3] - np.asarray(domain.centre)))
        return 0.0, max(self.record.far, away + 2 / domain.scale)


def look(field: seen.Field, camera: Posed, near: float, far: float) -> Frame:
    """What a camera sees of a field.

    near, far: depths in units of the scene; of a fisheye distances.
    """
    tiles = _picture(field, camera, near, far)
    while True:
        try:
            next(tiles)
        except StopIteration as end:
            found: Frame = end.value
            return found


def _picture(field: seen.Field, camera: Posed, near: float, far: float) -> Generator[None, None, Frame]:
    rays = CameraRays([camera], field.domain, near, far, field.device)
    height, width = camera.lens.height, camera.lens.width
    count = height * width
    colours, opacities, depths = (np.empty(shape, np.float32) for shape in ((count, 3), count, count))
    at = 0
    for piece in slices(count, _PIECE):
        pixels = torch.arange(piece.start, piece.stop, device=field.device)
        for tile in field.tiles(rays.rays(torch.zeros_like(pixels), pixels)):
            part = slice(at, at + len(tile.opacities))
            colours[part] = tile.colours.cpu().numpy()
            opacities[part] = tile.opacities.cpu().numpy()
            depths[part] = tile.depths.cpu().numpy()
            at = part.stop
            yield
    depths = _depths(camera.lens, depths, slice(None))
    return Frame(
        colours.reshape(height, width, 3), opacities.reshape(height, width), depths.reshape(height, width)
    )


def _depths(
    lens: Lens, lengths: NDArray[np.float32], pixels: slice | NDArray[np.integer]
) -> NDArray[np.float32]:
    """Depths along the viewing axis [P] of what lies so far along the rays of pixels, in lengths of the rays'
    directions. A fisheye's are of length 1; what it sees beyond 90 degrees from the axis has a depth below 0.

    pixels: P numbers, row by row from the top.
    """
    if lens.model != "fisheye":
        return lengths
    ahead = -lens.directions(lens.pixel_centres())[..., 2].reshape(-1)[pixels]
    seen = np.isfinite(lengths)
    return np.where(seen, np.where(seen, lengths, 0) * ahead, np.inf).astype(np.float32)


def open_scene(files: SceneFiles, device: torch.device | str = "cpu") -> Scene:
    """The newest readable weights of a scene; `notes` names those that could not be read.

    Raises UserError `scene.bad`.
    """
    record = folder.read_record(files)
    cameras = folder.read_cameras(files)
    try:
        domain = Domain.from_matrix(np.array(record.field_from_scene), bool(record.field["unbounded"]))
        decode = _DECODE.get(str(record.field["type"]))
        if decode is None:
            raise ValueError(f"there is no field of the type {record.field['type']!r}")
    except (KeyError, ValueError) as error:
        raise _bad(files, _why(error)) from error
    reasons: dict[str, str] = {}
    for path in folder.checkpoints(files):
        data = files.read(path)
        try:
            field = decode(record.field, domain, data, device)
        except _UNREADABLE as error:
            reasons[path] = _why(error)
            continue
        notes = [
            f"'{one}' cannot be read ({why}); the one before it is used." for one, why in reasons.items()
        ]
        step = path.split("/")[1]
        return Scene(record, cameras, field, tuple(notes), int(step) if step.isdigit() else record.step)
    if not reasons:
        raise _bad(files, "it holds no checkpoint")
    newest = next(iter(reasons.values()))
    raise _bad(files, f"none of its checkpoints can be read (of the newest: {newest})")


def behind(background: str) -> float:
    """The grey that a scene's background is: "white", or black."""
    return 1.0 if background == "white" else 0.0


def to_u8(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """0..1 as bytes, rounded."""
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def _why(error: Exception) -> str:
    """In words, on one line."""
    if isinstance(error, KeyError):
        return f"{error} is missing"
    if isinstance(error, OverflowError):
        return "a number is too large"
    return " ".join(str(error).split()).rstrip(".")


def _bad(files: SceneFiles, what: str) -> UserError:
    return UserError("scene.bad", f"The {files.called} cannot be used: {what}.", hint="Reconstruct it again.")
