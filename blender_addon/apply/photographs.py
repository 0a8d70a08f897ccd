"""The picture of a camera behind what is seen through it: its photograph, or what an edit has made of that.

By its path, read when Blender draws it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import bpy

from .. import captures
from . import beside

ALPHA = 0.5
AT_ONCE = 64  # pictures; of more cameras only the active one shows its own

_followed = ""
"""name of the camera whose picture is shown because it is active"""


def show(thing: bpy.types.Object) -> bool:
    """Adds its picture to a camera of a capture; False when there is none, or one is shown already."""
    image = None if len(thing.data.background_images) else _loaded(thing)
    if image is not None:
        _add(thing, image)
    return image is not None


@contextmanager
def changing(empty: bpy.types.Object, *, uncover: bool = False) -> Iterator[None]:
    """Within, it changes which pictures belong to the cameras of a capture; afterwards they show them.

    What else lies behind cameras that change is hidden; with `uncover`, behind all that show a picture of
    their own. A camera that showed none gets one when it was edited.
    """
    before = {thing.name: (captures.shown_picture(thing), _own(thing)) for thing in captures.cameras(empty)}
    yield
    things = captures.cameras(empty)
    few = sum(captures.edited(thing) is not None for thing in things) <= AT_ONCE
    for thing in things:
        path, behind = before.get(thing.name, (None, None))
        changed = path != captures.shown_picture(thing)
        if not (changed or uncover) or thing.data.library is not None:
            continue
        may_show = behind is not None or (few and captures.edited(thing) is not None)
        image = _loaded(thing) if may_show else None
        if image is not None:
            _replace(thing, behind, image)
        elif behind is not None and changed:
            _remove(thing.data, behind)


def hide(cameras: Iterable[bpy.types.Camera]) -> None:
    """Takes the pictures away; those that nothing else shows leave the file."""
    for camera in cameras:
        images = [behind.image for behind in camera.background_images if behind.image is not None]
        for behind in camera.background_images:
            behind.image = None  # `clear` would leave the images with one user too many
        camera.background_images.clear()
        for image in images:
            if image.users == 0:
                bpy.data.images.remove(image)


def follow(thing: bpy.types.Object | None) -> None:
    """Shows the picture of the active object, if it is a camera of a capture that shows none, and takes away
    that of the one before.
    """
    global _followed
    if thing is None or thing.type != "CAMERA" or thing.data.name == _followed:
        return
    if thing.data.background_images or captures.shown_picture(thing) is None or not show(thing):
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


def _loaded(thing: bpy.types.Object) -> bpy.types.Image | None:
    path = captures.shown_picture(thing)
    if path is None or thing.data.library is not None or not path.is_file():
        return None
    try:
        image = bpy.data.images.load(str(path), check_existing=True)
    except RuntimeError:  # it may not be opened
        return None
    if path != captures.picture(thing) and image.filepath != beside.relative(path):
        image.filepath = beside.relative(path)  # it moves with the blend file, as a photograph does not
    return image


def _own(thing: bpy.types.Object) -> bpy.types.CameraBackgroundImage | None:
    """Where a camera shows its picture, if it does."""
    path = captures.shown_picture(thing)
    entries = [behind for behind in thing.data.background_images if behind.image is not None]
    return next((b for b in entries if Path(bpy.path.abspath(b.image.filepath)) == path), None)


def _add(thing: bpy.types.Object, image: bpy.types.Image) -> None:
    behind = thing.data.background_images.new()
    behind.image = image
    behind.alpha = 1.0 if captures.picture(thing) is None else ALPHA
    behind.frame_method = "FIT"  # exact where the scene has the resolution of the photograph
    thing.data.show_background_images = True


def _replace(
    thing: bpy.types.Object, behind: bpy.types.CameraBackgroundImage | None, image: bpy.types.Image
) -> None:
    camera = thing.data
    for other in camera.background_images:
        other.show_background_image = False
    if behind is None:
        _add(thing, image)
        return
    old, behind.image = behind.image, image
    behind.show_background_image = camera.show_background_images = True
    if old != image and old.users == 0:
        bpy.data.images.remove(old)


def _remove(camera: bpy.types.Camera, behind: bpy.types.CameraBackgroundImage) -> None:
    """What was hidden when it came is shown again."""
    image, behind.image = behind.image, None
    camera.background_images.remove(behind)
    for other in camera.background_images:
        other.show_background_image = True
    if image.users == 0:
        bpy.data.images.remove(image)
