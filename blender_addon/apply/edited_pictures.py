"""The edited pictures of a capture: fetched into a folder beside the blend file, and noted on its cameras."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy

from .. import captures, edited, export_folder, steps
from ..wire import errors
from . import beside, photographs

LIST = "pictures.json"  # the last file that is written: what they are


@dataclass(frozen=True)
class Fetched:
    """The pictures of one camera."""

    camera: str
    """name of the object"""
    after: Path
    before: Path | None
    """as it was, where the camera has no photograph"""


def fetch_steps(
    reader: edited.Reader, job_id: str, label: str, cameras: Mapping[str, str]
) -> steps.Steps[list[Fetched]]:
    """Writes the pictures into files, a view at a time: all of them or none.

    cameras: names of objects by those of their pictures. Raises UserError `output.unusable`, `result.gone`.
    """
    views = yield from reader.views_steps(job_id, cameras)
    if not views:
        raise errors.UserError(
            "result.gone",
            "None of the cameras is one whose picture was edited.",
            hint="Cameras are known by their pictures; those of another capture are others.",
        )
    folder = beside.folder("edited", job_id, label)
    found: list[Fetched] = []
    with export_folder.Draft(folder, LIST, replace=True) as draft:
        for view in views:
            camera = cameras[view.name]
            files = [view.edited]
            if view.original is not None and not _has_photograph(camera):
                files.append(view.original)
            for item in files:
                data = yield from reader.file_steps(item)
                yield from draft.write_steps(data, item.name)
            after, *before = (folder / item.name for item in files)
            found.append(Fetched(camera, after, before[0] if before else None))
            yield 1
        draft.commit(json.dumps({view.name: view.edited.name for view in views}, indent=1) + "\n")
    return found


def keep(empty: bpy.types.Object, job_id: str, fetched: Sequence[Fetched]) -> str:
    """Notes the pictures on the cameras and lets these show them; what is to be told of it."""
    with photographs.changing(empty):
        for one in fetched:
            thing = bpy.data.objects.get(one.camera)
            if thing is not None and thing.type == "CAMERA":
                before = beside.relative(one.before) if one.before is not None else ""
                captures.set_edited(thing, job_id, beside.relative(one.after), before)
        empty[captures.SHOWS_EDITED] = True
    return f"Edited views: {len(fetched)}, {beside.told(fetched[0].after.parents[1])}."


def choose(empty: bpy.types.Object, after: bool) -> None:
    """Lets the cameras show what the edit made of their pictures, or the photographs."""
    with photographs.changing(empty, uncover=True):
        empty[captures.SHOWS_EDITED] = after


def _has_photograph(camera: str) -> bool:
    thing = bpy.data.objects.get(camera)
    path = captures.picture(thing) if thing is not None else None
    return path is not None and path.is_file()
