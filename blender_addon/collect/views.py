"""Pictures of a data set, rendered by Blender as the server wants them, and the data set in a folder.

sRGB without any look, transparent where nothing is, PNG with 8 bits and straight alpha. The scene is set up
and put back within one step, so that between two pictures it is as the artist has it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from .. import camera_models, export_folder, exr, steps, transforms
from ..wire import errors
from .cameras import DataSet, View

LEAST = 4  # pixels, Blender's own limit
Setting = tuple[Any, str, Any]
"""owner, name, value"""


def export_steps(
    scene: bpy.types.Scene, given: DataSet, folder: Path, pictures: str, *, overwrite: bool
) -> steps.Steps[Path]:
    """Writes the data set, a picture at a time; the result is its transforms.json.

    pictures: COPY (photographs; cameras without one are rendered), RENDER (all) or NONE. Raises UserError
    `output.unusable`, `dataset.picture`, `cameras.bad`.
    """
    none, copied = pictures == "NONE", pictures == "COPY"
    views = given.views if none else planned(given.views, lambda view: not copied or view.photograph is None)
    refuse_missing(views, pictures)
    with export_folder.Draft(
        folder, transforms.FILE, replace=overwrite, originals=originals(given.views)
    ) as draft:
        for view in views:
            if none:
                yield 1
            else:
                yield from write_steps(scene, view, draft)
        text = yield from text_steps(given.header, views)
        return draft.commit(text)


def originals(views: Sequence[View]) -> list[Path]:
    """The photographs of views, and what lies beside them."""
    return [path for view in views for path in (view.photograph, *view.beside.values()) if path is not None]


def write_steps(scene: bpy.types.Scene, view: View, draft: export_folder.Draft) -> steps.Steps[None]:
    """The picture of a view: its photograph with what lies beside it, else what Blender renders."""
    if view.photograph is None:
        render(scene, view.thing, view.frame.lens.pinhole, draft.path(view.frame.name))
    else:
        for name, source in {view.frame.name: view.photograph, **view.beside}.items():
            yield from draft.copy_steps(source, name)
    yield 1


def refuse_missing(views: Sequence[View], pictures: str) -> None:
    """Raises UserError `dataset.picture` when photographs that are to be copied are not there."""
    if pictures != "COPY":
        return
    missing = [view.photograph for view in views if view.photograph and not view.photograph.is_file()]
    if missing:
        raise errors.UserError(
            "dataset.picture",
            f"{len(missing)} of {len(views)} photographs are not in their place, such as '{missing[0]}'.",
            hint="Put them back, set the capture's folder in its custom properties, or render the views.",
        )


@contextmanager
def set_up(
    scene: bpy.types.Scene, camera: bpy.types.Object, pinhole: camera_models.Pinhole, path: Path
) -> Iterator[None]:
    """The scene ready to render that camera into that PNG file; afterwards it is as it was.

    Raises UserError `cameras.bad`.
    """
    if min(pinhole.w, pinhole.h) < LEAST:
        raise errors.UserError(
            "cameras.bad", f"'{camera.name}' makes pictures of {pinhole.w} x {pinhole.h} pixels."
        )
    with changed(_settings(scene, camera, pinhole, path)):
        yield


@contextmanager
def changed(settings: Iterable[Setting]) -> Iterator[None]:
    """Settings as wanted, in this order, those that this Blender has; afterwards they are as they were.

    Raises UserError `cameras.bad`.
    """
    wanted = [(owner, name, value) for owner, name, value in settings if hasattr(owner, name)]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in wanted]
    with ExitStack() as back:  # it goes on when one of them fails, and takes the last of them first
        for owner, name, value in reversed(before):
            back.callback(setattr, owner, name, value)
        try:
            for owner, name, value in wanted:
                setattr(owner, name, value)
        except TypeError as error:  # an enumeration without that item
            raise errors.UserError(
                "cameras.bad",
                f"Blender cannot render pictures for a data set here: {error}.",
                hint="Blender's own colour configuration has all that is needed.",
            ) from error
        yield


def render(
    scene: bpy.types.Scene, camera: bpy.types.Object, pinhole: camera_models.Pinhole, path: Path
) -> None:
    """Renders one picture of the scene into a PNG file. Raises UserError `cameras.bad`, `output.unusable`."""
    with set_up(scene, camera, pinhole, path):
        picture(scene, camera, path)


def picture(scene: bpy.types.Scene, camera: bpy.types.Object, path: Path) -> None:
    """Renders the scene as it is set up. Raises UserError `cameras.bad`, `output.unusable`."""
    try:
        bpy.ops.render.render("EXEC_DEFAULT", write_still=True, scene=scene.name)
    except RuntimeError as error:
        raise errors.UserError(
            "cameras.bad", f"'{camera.name}' could not be rendered: {str(error).strip()}"
        ) from error
    if not path.is_file():
        raise errors.UserError(
            "output.unusable",
            f"The picture of '{camera.name}' was not written.",
            hint="Choose another folder, or free some space.",
        )


def _settings(
    scene: bpy.types.Scene, camera: bpy.types.Object, pinhole: camera_models.Pinhole, path: Path
) -> Iterator[Setting]:
    """What is set, in an order in which it can be set and put back: what decides
    which values others may have comes first.
    """
    render, image, view = scene.render, scene.render.image_settings, scene.view_settings
    settings = camera_models.lens_from_pinhole(pinhole)
    yield image, "media_type", "IMAGE"  # from Blender 5.0 on
    yield image, "file_format", "PNG"
    yield image, "color_mode", "RGBA"
    yield image, "color_depth", "8"
    yield image, "color_management", "FOLLOW_SCENE"
    yield image, "exr_codec", exr.CODEC  # of the passes, and here as not each goes with each depth of colour
    yield image, "use_exr_interleave", True  # from Blender 5.0 on: one part, as before it
    yield scene.display_settings, "display_device", "sRGB"
    yield view, "view_transform", "Standard"
    yield view, "look", "None"
    yield view, "exposure", 0.0
    yield view, "gamma", 1.0
    for name in ("use_curve_mapping", "use_white_balance"):
        yield view, name, False
    yield render, "film_transparent", True
    yield render, "dither_intensity", 0.0
    yield render, "resolution_x", settings.resolution_x
    yield render, "resolution_y", settings.resolution_y
    yield render, "resolution_percentage", 100
    yield render, "pixel_aspect_x", settings.pixel_aspect_x
    yield render, "pixel_aspect_y", settings.pixel_aspect_y
    for name in ("use_border", "use_multiview", "use_stamp", "use_compositing", "use_sequencer"):
        yield render, name, False
    yield render, "filepath", str(path)
    for marker in scene.timeline_markers:
        yield marker, "camera", None  # one that is bound to the frame would be rendered instead
    yield scene, "camera", camera


def planned(views: Sequence[View], is_made: Callable[[View], bool]) -> list[View]:
    """Of which names and lenses the pictures are. is_made: whether a picture is not the photograph.

    What Blender renders is a PNG without distortion, of a name of its own, whatever the photograph was.
    """
    result: list[View] = []
    taken = {view.frame.name for view in views}
    for view in views:
        if not is_made(view):
            result.append(view)
            continue
        stem, _, suffix = view.frame.name.rpartition(".")
        name = view.frame.name
        if suffix.lower() != "png" or any(name == other.frame.name for other in result):
            names = (f"{stem}{more}.png" for more in ("", *map("_{}".format, range(2, len(views) + 3))))
            name = next(name for name in names if name not in taken)
        taken.add(name)
        plain = transforms.Lens(view.frame.lens.pinhole)
        other = view.other_lens or plain != view.frame.lens
        frame = replace(view.frame, name=name, lens=plain)
        entry = {k: v for k, v in frame.entry.items() if k not in ("mask_path", "depth_file_path")}
        result.append(replace(view, frame=replace(frame, entry=entry), photograph=None, other_lens=other))
    return result


def text_steps(header: Mapping[str, Any], views: Sequence[View]) -> steps.Steps[str]:
    """The contents of transforms.json. A lens that is the same and new in all frames stands in the header."""
    fresh = all(view.other_lens for view in views)
    fields = transforms.without_lens(header) if fresh else dict(header)
    entries = [
        transforms.entry_of(view.frame, fields, moved=view.moved, other_lens=view.other_lens)
        for view in views
    ]
    lenses = [view.frame.lens for view in views]
    if fresh and all(lens == lenses[0] for lens in lenses):
        fields = {**transforms.intrinsics(lenses[0]), **fields}
        entries = [transforms.without_lens(entry) for entry in entries]
    named = [(entry["file_path"], view.frame) for entry, view in zip(entries, views, strict=True)]
    return (yield from transforms.text_steps(transforms.header_of(fields, named), entries))
