"""A data set with the edited pictures of a scene in place of its photographs, from the server."""

from dataclasses import replace
from pathlib import Path

import bpy

from .. import camera_models, edited, export_folder, png, steps, transforms
from ..wire import errors
from . import views
from .cameras import DataSet, View


def export_steps(
    scene: bpy.types.Scene,
    given: DataSet,
    folder: Path,
    reader: edited.Reader,
    job_id: str,
    *,
    everything: bool,
    overwrite: bool,
) -> steps.Steps[str]:
    """Writes the data set, a picture at a time; the result says how many of its pictures are edited.

    everything: also views that were not edited, by their photographs, or rendered. Poses and lenses are those
    that the pictures were edited with. Raises UserError `output.unusable`, `result.gone`, `dataset.picture`,
    `cameras.bad`, and what the server says.
    """
    with export_folder.Draft(
        folder, transforms.FILE, replace=overwrite, originals=views.originals(given.views)
    ) as draft:
        names = {view.frame.name for view in given.views}
        known = {view.name: view for view in (yield from reader.views_steps(job_id, names))}
        found = sum(view.frame.name in known for view in given.views)
        if not found:
            raise errors.UserError(
                "result.gone",
                "None of the cameras is one whose picture was edited.",
                hint="Cameras are known by their pictures; those of another capture are others.",
            )
        chosen = [view for view in given.views if everything or view.frame.name in known]
        views.refuse_missing([view for view in chosen if view.frame.name not in known], "COPY")
        planned = views.planned(chosen, lambda view: view.frame.name in known or view.photograph is None)
        written, smaller = [], 0
        for view, now in zip(chosen, planned, strict=True):
            one = known.get(view.frame.name)
            if one is None:
                yield from views.write_steps(scene, now, draft)
                written.append(now)
                continue
            data = yield from reader.file_steps(one.edited)
            yield from draft.write_steps(data, now.frame.name)
            size = png.size(data)
            written.append(_as_edited(view, now.frame.name, one, size))
            if size == (one.lens.pinhole.w, one.lens.pinhole.h):
                for name, source in view.beside.items():
                    yield from draft.copy_steps(source, name)
            else:
                smaller += len(view.beside)
            yield 1
        draft.commit((yield from views.text_steps(given.header, written)))
    return _told(found, len(given.views) - found, everything, smaller)


def _as_edited(view: View, name: str, one: edited.View, size: tuple[int, int]) -> View:
    """The view with the picture of that name and size, and the camera that it was edited with."""
    frame, entry = view.frame, dict(view.frame.entry)
    pinhole = frame.lens.pinhole if frame.lens.pinhole.is_near(one.lens.pinhole) else one.lens.pinhole
    pinhole = _resized(pinhole, *size)
    pose = frame.world_from_camera
    if not camera_models.is_same_pose(pose, one.world_from_camera):
        pose = one.world_from_camera
    moved = "transform_matrix" not in entry
    if not moved:
        stated = camera_models.rigid(entry["transform_matrix"], f"'{view.thing.name}'")
        moved = not camera_models.is_same_pose(pose, stated)
    if (pinhole.w, pinhole.h) != (one.lens.pinhole.w, one.lens.pinhole.h):
        for key in ("mask_path", "depth_file_path"):  # of the whole picture
            entry.pop(key, None)
    lens = replace(frame.lens if frame.lens.bends_as(one.lens) else one.lens, pinhole=pinhole)
    other = view.other_lens or lens != frame.lens
    frame = replace(frame, name=name, world_from_camera=pose, lens=lens, entry=entry)
    return replace(view, frame=frame, photograph=None, moved=moved, other_lens=other)


def _resized(pinhole: camera_models.Pinhole, width: int, height: int) -> camera_models.Pinhole:
    """The lens of the picture in another size; a scene that was learnt from reduced ones has cut off what did
    not fill a whole pixel.
    """
    factor = round(pinhole.w / width)
    if factor and (pinhole.w // factor, pinhole.h // factor) == (width, height):
        across = down = 1 / factor
    else:
        across, down = width / pinhole.w, height / pinhole.h
    return camera_models.Pinhole(
        width,
        height,
        pinhole.fl_x * across,
        pinhole.fl_y * down,
        pinhole.cx * across,
        pinhole.cy * down,
    )


def _told(found: int, others: int, everything: bool, smaller: int) -> str:
    told = f"Edited pictures: {found}."
    if others:
        told += f" Not edited and {'there as they were' if everything else 'left out'}: {others}."
    if smaller:
        told += f" Masks and depths left out, as they are larger: {smaller}."
    return told
