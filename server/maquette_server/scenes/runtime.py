"""From a scene's files to something that renders: the only code that does so."""

from collections.abc import Callable, Iterator
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
from . import folder, grid_weights, mip_weights
from .files import SceneFiles

_DECODE: dict[str, Callable[[dict[str, Any], Domain, bytes, torch.device | str], seen.Field]] = {
    grid_weights.TYPE: grid_weights.decode,
    mip_weights.TYPE: mip_weights.decode,
}


@dataclass(frozen=True)
class Frame:
    """A rendered picture."""

    colours: NDArray[np.float32]  # [H, W, 3], sRGB, premultiplied
    opacities: NDArray[np.float32]  # [H, W]
    depths: NDArray[np.float32]
    """[H, W], along the viewing axis in units of the scene, of a fisheye too; infinite: nothing there"""

    def over(self, background: str) -> NDArray[np.uint8]:
        """Opaque, before "white" or "black", u8 [H, W, 3]."""
        behind = 1.0 if background == "white" else 0.0
        return to_u8(self.colours + (1 - self.opacities[..., None]) * behind)

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

    def tiles(self, camera: Posed) -> Iterator[Frame | None]:
        """Renders a camera: None after each tile, the picture at the end."""
        return look(self.field, camera, *self.reach(camera))

    def render(self, camera: Posed) -> Frame:
        """Renders a camera."""
        *_, frame = self.tiles(camera)
        assert frame is not None
        return frame

    def reach(self, camera: Posed) -> tuple[float, float]:
        """Near and far for a camera: those of the scene; of an object, as far as the box goes from there."""
        domain = self.field.domain
        if domain.unbounded:
            return self.record.near, self.record.far
        away = float(np.linalg.norm(camera.world_from_camera[:3, 3] - np.asarray(domain.centre)))
        return 0.0, max(self.record.far, away + 2 / domain.scale)


def look(field: seen.Field, camera: Posed, near: float, far: float) -> Iterator[Frame | None]:
    """What a camera sees of a field: None after each tile, the picture at the end.

    near, far: depths in units of the scene; of a fisheye distances.
    """
    rays = CameraRays([camera], field.domain, near, far, field.device).whole(0)
    tiles = []
    for tile in field.tiles(rays):
        tiles.append(tile)
        yield None
    found = seen.whole(tiles)
    height, width = camera.lens.height, camera.lens.width
    yield Frame(
        found.colours.reshape(height, width, 3).cpu().numpy(),
        found.opacities.reshape(height, width).cpu().numpy(),
        _depths(camera.lens, found.depths.reshape(height, width).cpu().numpy()),
    )


def _depths(lens: Lens, lengths: NDArray[np.float32]) -> NDArray[np.float32]:
    """Depths along the viewing axis [H, W] of what lies so far along the rays of a lens, in lengths of their
    directions. A fisheye's are of length 1; what it sees beyond 90 degrees from the axis has a depth below 0.
    """
    if lens.model != "fisheye":
        return lengths
    ahead = -lens.directions(lens.pixel_centres())[..., 2]
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
        raise _bad(files, str(error)) from error
    notes: list[str] = []
    for path in folder.checkpoints(files):
        data = files.read(path)
        try:
            field = decode(record.field, domain, data, device)
        except (ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
            notes.append(f"'{path}' cannot be read ({error}); the one before it is used.")
            continue
        return Scene(record, cameras, field, tuple(notes))
    raise _bad(files, "none of its checkpoints can be read" if notes else "it holds no checkpoint")


def to_u8(values: NDArray[np.floating]) -> NDArray[np.uint8]:
    """0..1 as bytes, rounded."""
    return (np.clip(values, 0, 1) * 255 + 0.5).astype(np.uint8)


def _bad(files: SceneFiles, what: str) -> UserError:
    return UserError(
        "scene.bad", f"The scene '{files.name}' cannot be used: {what}.", hint="Reconstruct it again."
    )
