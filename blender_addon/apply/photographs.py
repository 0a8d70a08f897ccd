"""The photograph of a camera behind what is seen through it: by its path, read when Blender draws it."""

from collections.abc import Iterable

import bpy

from .. import captures

ALPHA = 0.5

_followed = ""
"""name of the camera whose photograph is shown because it is active"""


def show(thing: bpy.types.Object) -> bool:
    """Adds the photograph to a camera of a capture; False when there is none, or one is shown already."""
    path, camera = captures.picture(thing), thing.data
    if path is None or len(camera.background_images) or camera.library is not None or not path.is_file():
        return False
    try:
        image = bpy.data.images.load(str(path), check_existing=True)
    except RuntimeError:  # it may not be opened
        return False
    behind = camera.background_images.new()
    behind.image = image
    behind.alpha = ALPHA
    behind.frame_method = "FIT"  # exact where the scene has the resolution of the photograph
    camera.show_background_images = True
    return True


def hide(cameras: Iterable[bpy.types.Camera]) -> None:
    """Takes the photographs away; those that nothing else shows leave the file."""
    for camera in cameras:
        images = [behind.image for behind in camera.background_images if behind.image is not None]
        for behind in camera.background_images:
            behind.image = None  # `clear` would leave the images with one user too many
        camera.background_images.clear()
        for image in images:
            if image.users == 0:
                bpy.data.images.remove(image)


def follow(thing: bpy.types.Object | None) -> None:
    """Shows the photograph of the active object, if it is a camera of a capture that shows none, and takes
    away that of the one before.
    """
    global _followed
    if thing is None or thing.type != "CAMERA" or thing.data.name == _followed:
        return
    if thing.data.background_images or captures.picture(thing) is None or not show(thing):
        return
    before = bpy.data.cameras.get(_followed)
    _followed = thing.data.name
    if before is not None:
        hide([before])


def leave(camera: bpy.types.Camera) -> None:
    """This camera has more than its photograph now: that is not taken away any more."""
    global _followed
    if camera.name == _followed:
        _followed = ""


def forget() -> None:
    """In another file the names mean other cameras."""
    global _followed
    _followed = ""
