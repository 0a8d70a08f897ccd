"""The scene that is edited: its field, its training cameras and their pictures.

What an edit keeps to are the photographs; of a scene that was edited before, renders of it stand for them, so
that an edit goes on from the one before.
"""

from dataclasses import dataclass, replace

import numpy as np
from maquette_wire.errors import UserError

from ...rendering.grid_render import GridScene
from ...scenes import folder, runtime
from ...scenes.files import SceneFiles
from .. import base, scene_input, scene_pictures
from . import METHOD

LOADING = base.Step(0, 0, "load")
_MOST_BYTES = 16 << 30  # of pictures in memory
_A_PIXEL = (
    5  # bytes of a pixel that is learnt from, beside the original's and the edited picture's: with its mask
)


@dataclass(frozen=True)
class Source:
    """A scene with its training pictures in memory, V of them."""

    files: SceneFiles
    scene: runtime.Scene
    field: GridScene
    records: tuple[folder.CameraRecord, ...]
    photographs: tuple[scene_pictures.Photograph, ...]

    @property
    def background(self) -> str:
        """What lies behind its pictures."""
        return self.scene.record.background

    @property
    def rendered(self) -> bool:
        """Whether its pictures are renders of a scene that was edited before."""
        return self.scene.record.method == METHOD.name

    @property
    def transparent(self) -> bool:
        """Whether its pictures show an object alone."""
        return all(one.pixels.shape[2] == 4 for one in self.photographs)


def load(ctx: base.RunContext) -> base.Part[Source]:
    """The scene of a job. Raises UserError `scene.bad`, `dataset.picture`."""
    files = scene_input.scene_files(ctx)
    scene = runtime.open_scene(files, ctx.device)
    for note in scene.notes:
        ctx.warn("checkpoint.damaged", note)
    name = f"The scene '{scene.record.name}'" if scene.record.name else "The scene"
    records = tuple(one for one in scene.cameras if one.split == "train" and one.image)
    if not records:
        raise UserError(
            "scene.bad",
            f"{name} was not learnt from pictures, so there is nothing that an instruction could change.",
            hint="Edit a scene that maquette reconstruct has written; a sculpted object is sculpted again.",
        )
    if not isinstance(scene.field, GridScene):
        raise UserError(
            "scene.bad",
            f"{name} has a field of mip-NeRF, which cannot be edited.",
            hint="Reconstruct it with --field grid.",
        )
    photographs = []
    held = 0
    for number, record in enumerate(records):
        yield base.Step(number, len(records), LOADING.stage)
        photograph = scene_pictures.load(files, record, scene.record.reduce)
        if scene.record.method == METHOD.name:
            photograph = yield from _as_it_is(scene, photograph)
        photographs.append(photograph)
        held += 2 * photograph.pixels.nbytes + _A_PIXEL * photograph.pixels[..., 0].size
        if held > _MOST_BYTES:
            raise UserError(
                "scene.bad",
                f"The pictures of the scene take more than {_MOST_BYTES >> 30} GiB of memory.",
                hint="Reconstruct it with --reduce 2 or more.",
            )
    return Source(files, scene, scene.field, records, tuple(photographs))


def _as_it_is(
    scene: runtime.Scene, photograph: scene_pictures.Photograph
) -> base.Part[scene_pictures.Photograph]:
    """How the scene looks where a photograph was taken, as transparent as that."""
    frame = yield from base.telling(scene.tiles(photograph.camera), LOADING)
    pixels = frame.over(scene.record.background)
    if photograph.pixels.shape[2] == 4:
        pixels = np.dstack([frame.straight()[..., :3], photograph.pixels[..., 3]])
    return replace(photograph, pixels=pixels)
