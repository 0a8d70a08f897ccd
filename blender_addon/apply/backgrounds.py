"""Renders of a field behind what its cameras see: files in a folder, and each camera's background.

A camera of a capture shows its own picture; a moving one shows a sequence. Earlier backgrounds stay, hidden;
earlier renders are replaced.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import bpy

from . import beside, photographs

MARK = "maquette_render"  # on the image: id of the job that rendered it


def written(job_id: str, label: str, pictures: Sequence[bytes | bytearray]) -> list[Path]:
    """Writes the pictures beside the blend file as 0001.png and so on; without one into a temporary folder.

    Raises UserError `output.unusable`.
    """
    folder = beside.folder("renders", job_id, label)
    paths = [folder / f"{number:04}.png" for number in range(1, len(pictures) + 1)]
    try:
        for path, picture in zip(paths, pictures, strict=True):
            with path.open("wb") as file:
                file.write(picture)
    except OSError as error:
        raise beside.unusable(error) from error
    return paths


def show_stills(uids: Sequence[str], paths: Sequence[Path], job_id: str) -> int:
    """Gives each camera its picture; returns how many of them are still there."""
    shown = 0
    for uid, path in zip(uids, paths, strict=True):
        thing = _camera(uid)
        if thing is not None:
            _show(thing.data, _loaded(path, job_id))
            shown += 1
    return shown


def show_sequence(uid: str, paths: Sequence[Path], start: int, job_id: str) -> int:
    """Gives a moving camera its pictures from the frame `start` on; 0 when it is gone."""
    thing = _camera(uid)
    if thing is None:
        return 0
    image = _loaded(paths[0], job_id)
    behind = _show(thing.data, image)
    if len(paths) > 1:
        image.source = "SEQUENCE"
        user = behind.image_user
        user.frame_duration, user.frame_start, user.frame_offset = len(paths), start, 0
        user.use_auto_refresh = True
    return 1


def told(paths: Sequence[Path], shown: int) -> str:
    """Where they are."""
    gone = "" if shown else " The camera is gone, so nothing shows them."
    return f"{len(paths)} renders {beside.told(paths[0].parent)}.{gone}"


def _camera(uid: str) -> bpy.types.Object | None:
    found = (thing for thing in bpy.data.objects if thing.type == "CAMERA" and thing.maquette.uid == uid)
    return next((thing for thing in found if thing.data.library is None), None)


def _loaded(path: Path, job_id: str) -> bpy.types.Image:
    image = bpy.data.images.load(str(path), check_existing=False)
    image.colorspace_settings.name = "sRGB"
    image.filepath = beside.relative(path)
    image[MARK] = job_id
    return image


def _show(camera: bpy.types.Camera, image: bpy.types.Image) -> bpy.types.CameraBackgroundImage:
    _remove(camera, [b for b in camera.background_images if b.image is not None and MARK in b.image])
    for behind in camera.background_images:
        behind.show_background_image = False
    photographs.leave(camera)
    behind = camera.background_images.new()
    behind.image = image
    behind.alpha = 1.0
    behind.frame_method = "FIT"
    camera.show_background_images = True
    return behind


def _remove(camera: bpy.types.Camera, entries: Iterable[bpy.types.CameraBackgroundImage]) -> None:
    for behind in entries:
        image, behind.image = behind.image, None
        camera.background_images.remove(behind)
        if image.users == 0:
            bpy.data.images.remove(image)
