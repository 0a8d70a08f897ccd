"""The pictures that a scene was made from, as they lie in its folder."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..datasets import base as datasets
from ..datasets import pictures, reducing
from ..media import exr
from ..rendering.posed import Posed
from ..scenes import folder, runtime
from ..scenes.files import SceneFiles
from . import scene_input


@dataclass(frozen=True)
class Photograph:
    """One picture with its camera, whose lens is that of the picture as it is."""

    pixels: NDArray[np.uint8]  # [H, W, 3 or 4], straight alpha
    camera: Posed
    known: NDArray[np.bool_] | None  # [H, W], False where it is to be ignored

    def over(self, background: str) -> NDArray[np.uint8]:
        """Opaque, before "white" or "black", u8 [H, W, 3]."""
        if self.pixels.shape[2] == 3:
            return self.pixels
        alpha = self.pixels[..., 3:].astype(np.float32) / 255
        return runtime.to_u8(self.pixels[..., :3] / 255 * alpha + runtime.behind(background) * (1 - alpha))


def load(files: SceneFiles, record: folder.CameraRecord, reduce: int) -> Photograph:
    """The picture of a camera, its sides divided by `reduce`. Raises UserError `scene.bad`,
    `dataset.picture`.
    """
    camera = record.posed()
    frame = datasets.Frame(
        name=record.name or str(record.image),
        image=files.place(record.image or ""),
        world_from_camera=camera.world_from_camera,
        lens=camera.lens,
        mask=None if record.mask is None else files.place(record.mask),
    )
    picture = pictures.load(frame)
    frame = scene_input.loaded(frame, (picture.shape[1], picture.shape[0]))
    picture = reducing.reduced(picture, reduce)
    known = pictures.load_mask(frame, reduce)
    return Photograph(
        picture, Posed(camera.world_from_camera, frame.lens.divided(reduce), camera.time), known
    )


def depths(
    files: SceneFiles, record: folder.CameraRecord, reduce: int, width: int, height: int
) -> NDArray[np.float32] | None:
    """What came with the picture of a camera, here divided by `reduce`: [height, width] along the viewing
    axis, infinite where nothing is, 0 where nothing is known. None where nothing came. Raises UserError
    `scene.bad`, `image.bad`.
    """
    if record.depth is None:
        return None
    whole = exr.read(files.read(record.depth), name=f"'{record.depth}'")
    # what does not fill a whole pixel of the reduced picture was cut off at the right and below
    rows, columns = (
        max(1, round(count * (side // reduce * reduce) / side))
        for count, side in zip(whole.shape, (record.h, record.w), strict=True)
    )
    return reducing.nearest(whole[:rows, :columns], width, height)
