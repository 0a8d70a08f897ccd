"""The edited pictures of a scene, read out of its files on the server. No bpy.

cameras.json says which picture belongs to which camera; an edited one lies under `edited/` by the same stem.
Views that only followed their neighbours have none.
"""

import json
import time
from collections.abc import Callable, Container
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import scene_folders, session, steps, transforms
from .fetched import Data
from .wire import errors, messages

FOLDER = "edited"
PATIENCE = 60.0  # s without a connection until waiting ends

Found = TypeVar("Found")


@dataclass(frozen=True, eq=False)
class View:
    """A camera whose picture was edited."""

    name: str
    """of its picture, as the capture has it"""
    edited: messages.ResultItem
    original: messages.ResultItem | None
    world_from_camera: NDArray[np.float64]  # [4, 4], in the coordinates of the capture
    lens: transforms.Lens
    """of the whole original"""


class Reader:
    """Reads files of jobs through a session. `idle` is called while one is awaited: a script, for which no
    timer runs, lets the session go on there.
    """

    def __init__(self, story: session.Session, idle: Callable[[], None] = lambda: None) -> None:
        self._story = story
        self._idle = idle

    def views_steps(self, job_id: str, names: Container[str]) -> steps.Steps[list[View]]:
        """The edited views of a job, in the order of its cameras; those whose pictures are among the names,
        as the capture has them or as the scene's folder has. Raises UserError `result.gone`, and what the
        server says.
        """
        items = yield from self._waiting(lambda: self._story.items(job_id))
        files = {item.name: item for item in items if item.role == "scene"}
        if scene_folders.CAMERAS not in files or not any(name.startswith(f"{FOLDER}/") for name in files):
            raise errors.UserError(
                "result.gone", "The scene has no edited pictures.", hint="Choose a version that is an edit."
            )
        data = yield from self.file_steps(files[scene_folders.CAMERAS])
        try:
            rows = [_view(row, files, names) for row in json.loads(data)["frames"]]
        except (ValueError, KeyError, TypeError) as error:
            raise errors.UserError(
                "result.gone",
                f"The scene's {scene_folders.CAMERAS} cannot be read: {error}.",
                hint="Start a server of this version.",
            ) from error
        return [row for row in rows if row is not None]

    def file_steps(self, item: messages.ResultItem) -> steps.Steps[Data]:
        """The bytes of a file. Raises UserError, when there is no connection or the server says so."""
        try:
            return (yield from self._waiting(lambda: self._story.file(item)))
        finally:
            self._story.drop(item)

    def _waiting(self, ask: Callable[[], Found | None]) -> steps.Steps[Found]:
        since = time.monotonic()
        while (found := ask()) is None:
            self._idle()
            if self._story.state == "READY":
                since = time.monotonic()
            elif time.monotonic() - since > PATIENCE:
                raise errors.UserError(
                    "address.no_answer", "The server has gone silent.", hint="Connect, and try again."
                )
            yield 0
        return found


def _view(row: dict[str, Any], files: dict[str, messages.ResultItem], names: Container[str]) -> View | None:
    """Raises ValueError, KeyError or TypeError."""
    image = str(row.get("image") or "")
    edited = files.get(f"{FOLDER}/{PurePosixPath(image).stem}.png")
    name = next((one for one in (str(row.get("name", "")), image) if one in names), "")
    if not name or edited is None:
        return None
    try:
        lens = scene_folders.lens_of(row, f"the camera of '{name}'")
    except errors.UserError as error:
        raise ValueError(error.sentence.rstrip(".")) from error
    pose = np.array(row["transform_matrix"], np.float64).reshape(4, 4)
    return View(name, edited, files.get(image), pose, lens)
