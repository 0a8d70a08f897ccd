"""Live Render: what the active camera sees of a field, drawn by the server whenever camera or field move.

Words. A *sight* is everything that a picture depends on: scene, pose, field of view, shape, and how often the
field has changed. While the sight changes, pictures are small enough to come quickly; when it stays, they
grow. One request is out at a time.
"""

import time
from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from . import axes, camera_models, captures, jobs, session, view_frames
from .apply import live_view
from .collect import cameras, paths
from .wire import errors

DEADLINE_MS = 20_000
AGAIN = 1.0  # s until a view that was refused is asked for again

Rows = tuple[axes.Row, axes.Row, axes.Row, axes.Row]


@dataclass(frozen=True)
class Sight:
    """What a picture depends on."""

    scene: str
    moment: int | None
    world_from_camera: Rows
    pinhole: camera_models.Pinhole
    changes: int

    def is_like(self, other: "Sight") -> bool:
        """Whether single precision may be all the difference."""
        poses = (np.array(self.world_from_camera), np.array(other.world_from_camera))
        same = (self.scene, self.moment, self.changes) == (other.scene, other.moment, other.changes)
        return same and camera_models.is_same_pose(*poses) and self.pinhole.is_near(other.pinhole)


@dataclass
class _Asked:
    request_id: str
    sight: Sight
    long: int
    camera: str
    frame: view_frames.Frame
    since: float


@dataclass
class _State:
    empty: str
    asked: _Asked | None = None
    drawn: tuple[Sight, int] | None = None
    """what is shown, and its long side"""
    rate: float = 0.0
    """seconds a pixel of the newest picture; of the first, for which the field may have been loaded, 0"""
    not_before: float = 0.0
    picture: tuple[str, NDArray[np.uint8]] | None = None
    """camera and picture, to be shown again when it was taken out for saving or undo"""
    shown: bool = False
    says: str = ""


_state: _State | None = None
_changes: dict[str, int] = {}
"""by request id: snapshots that have come of a running job"""


def is_on() -> bool:
    """Whether live rendering is on."""
    return _state is not None


def says() -> str:
    """Why there is no picture, or empty."""
    return _state.says if _state is not None else ""


def start(empty: bpy.types.Object) -> None:
    """Follows the active camera from now on, in the field of that capture."""
    global _state
    stop()
    _state = _State(empty.name)


def stop() -> None:
    """Ends it and puts everything back."""
    global _state
    if _state is not None:
        _state = None
        live_view.remove_all()


def withdraw() -> None:
    """Takes the picture out of the file for now; the next turn shows it again."""
    live_view.remove_all()
    if _state is not None:
        _state.shown = False


def scene_of(story: session.Session, empty: bpy.types.Object) -> tuple[str, int]:
    """The field of a capture that is to be seen: id of its job and how often it has changed; "" when there is
    none. One that still changes comes first, then a result that is not applied yet, then the chosen version.
    """
    uid, known = empty.maquette.uid, {one.job for one in captures.versions(empty)}
    for job in reversed(story.jobs.values()):
        ours = job.method in jobs.FIELDS and job.record["target"]["uid"] == uid
        if ours and job.state in {"succeeded", "fetching"} and _is_field(job):
            if job.job_id in known:
                break
            return job.job_id, -1
        if ours and not job.finished and job.request_id in _changes:
            return job.job_id, _changes[job.request_id]
    return str(empty.get(captures.SCENE, "")), -1


def _is_field(job: jobs.Job) -> bool:
    """Whether what it gave can be looked at; a trial of an edit cannot."""
    return not job.items or any(item.role == "scene" for item in job.items)


def snapshot(request_id: str) -> None:
    """A running job has something new to see."""
    _changes[request_id] = _changes.get(request_id, 0) + 1


def turn(story: session.Session, scene: bpy.types.Scene) -> bool:
    """Asks for what is to be seen next, if anything; True while a picture is expected."""
    if _state is None:
        return False
    now = time.monotonic()
    if not _state.shown and _state.picture is not None:
        _present()
    if now < _state.not_before or story.state != "READY":
        return _state.asked is not None
    if _state.asked is not None and now - _state.asked.since < 2e-3 * DEADLINE_MS:
        return True
    try:
        _ask(story, scene, now)
    except errors.UserError as error:
        _state.says, _state.not_before = error.sentence, now + AGAIN
    return _state.asked is not None


def arrived(event: session.ViewArrived) -> bool:
    """Takes in a picture; False when it is not ours."""
    if _state is None or _state.asked is None or event.request_id != _state.asked.request_id:
        return False
    asked, _state.asked = _state.asked, None
    height, width = event.picture.shape[:2]
    if _state.drawn is not None:
        _state.rate = (time.monotonic() - asked.since) / (height * width)
    _state.picture = (asked.camera, asked.frame.part_of(event.picture))
    _state.drawn, _state.says = (asked.sight, asked.long), ""
    _present()
    return True


def failed(event: session.ViewFailed) -> None:
    """Says why, and tries again later."""
    if _state is None or _state.asked is None or event.request_id != _state.asked.request_id:
        return
    _state.asked = None
    _state.says, _state.not_before = event.fault.sentence, time.monotonic() + AGAIN


def _ask(story: session.Session, scene: bpy.types.Scene, now: float) -> None:
    assert _state is not None
    empty = bpy.data.objects.get(_state.empty)
    if not captures.is_capture(empty):
        raise errors.UserError("target.bad", f"The capture '{_state.empty}' is gone.")
    job_id, changes = scene_of(story, empty)
    if not job_id:
        raise errors.UserError("job.wrong_state", f"'{empty.name}' has no field yet.")
    camera = paths.active_camera(scene)
    pose = captures.scene_from_blender(empty) @ np.array(camera.matrix_world, np.float64)
    lens, _ = cameras.lens_of(scene, camera)
    rows = axes.matrix_rows(camera_models.pose(pose, camera.name))
    moment = captures.moment(empty) if job_id == empty.get(captures.SCENE) else None
    sight = Sight(job_id, moment, rows, lens.pinhole, changes)
    drawn = _state.drawn[1] if _state.drawn is not None and _state.drawn[0].is_like(sight) else 0
    long = view_frames.next_size(drawn, _state.rate)
    if not long:
        return
    frame = view_frames.frame_of(lens.pinhole, long)
    request_id = story.view(job_id, rows, frame.fov_y, frame.width, frame.height, DEADLINE_MS, moment=moment)
    _state.asked = _Asked(request_id, sight, long, camera.name, frame, now)


def _present() -> None:
    assert _state is not None
    assert _state.picture is not None
    name, picture = _state.picture
    camera = bpy.data.objects.get(name)
    if camera is not None and camera.type == "CAMERA":
        live_view.show(camera, picture)
        _state.shown = True
