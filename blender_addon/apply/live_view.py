"""The live render of a camera: one temporary image, shown behind what is seen through the camera.

Nothing of it is ever saved: `remove_all` takes it out and puts back what the camera showed before, which is
noted on the camera itself, so that it can also be put back after an undo.
"""

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import axes

NAME = "Maquette Live"
MARK = "maquette_live"
BEFORE = "maquette_live_before"  # on the camera: what was shown, as numbers


def show(thing: bpy.types.Object, picture: NDArray[np.uint8]) -> None:
    """Shows a picture u8 [H, W, 4] as the image, and behind what that camera sees."""
    height, width = picture.shape[:2]
    image = image_of()
    if image is None:
        image = bpy.data.images.new(NAME, width, height, alpha=True)
        image[MARK] = True
    elif tuple(image.size) != (width, height):
        image.scale(width, height)
    image.pixels.foreach_set(axes.pixels_from_top_rows(picture))
    image.update()
    camera = thing.data
    for other in bpy.data.cameras:
        if other != camera and BEFORE in other:
            _give_back(other)
    if BEFORE not in camera and camera.library is None:
        _take(camera, image)


def image_of() -> bpy.types.Image | None:
    """The image, if there is one."""
    return next((image for image in bpy.data.images if MARK in image), None)


def remove_all() -> None:
    """Takes it out of the file, and puts back what cameras showed."""
    for camera in bpy.data.cameras:
        if BEFORE in camera:
            _give_back(camera)
    for image in [image for image in bpy.data.images if MARK in image]:
        bpy.data.images.remove(image)


def _take(camera: bpy.types.Camera, image: bpy.types.Image) -> None:
    camera[BEFORE] = [
        int(camera.show_background_images),
        *(int(behind.show_background_image) for behind in camera.background_images),
    ]
    for behind in camera.background_images:
        behind.show_background_image = False
    behind = camera.background_images.new()
    behind.image = image
    behind.alpha = 1.0
    behind.frame_method = "FIT"
    camera.show_background_images = True


def _give_back(camera: bpy.types.Camera) -> None:
    for behind in [b for b in camera.background_images if b.image is not None and MARK in b.image]:
        behind.image = None
        camera.background_images.remove(behind)
    shown, *each = camera[BEFORE]
    camera.show_background_images = bool(shown)
    for behind, seen in zip(camera.background_images, each, strict=False):
        behind.show_background_image = bool(seen)
    del camera[BEFORE]
