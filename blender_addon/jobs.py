"""A job as the client knows it, and what `session.Session.pump` tells of it. No bpy."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import records
from .wire import messages

PAINT = "latent_paint"
EDIT = "instruct_nerf2nerf"
OPEN = "open_scene"
FIELDS = ("reconstruct", OPEN, EDIT)
"""methods whose results are the field of a capture"""
WANTED: dict[str, tuple[str, ...]] = {
    PAINT: ("texture", "uv"),
    "reconstruct": ("scene",),
    OPEN: ("scene",),
    "render": ("images",),
    "export": ("mesh", "uv", "texture"),
    "latent_nerf": ("scene",),
}
"""roles of results that are fetched, by method; a result that lacks one is none"""
BESIDE = {"latent_nerf": ("mesh", "uv", "texture"), EDIT: ("scene", "images")}
"""roles that are fetched where there are such: what was stopped early has a field, and no surface yet; trials
of edits have a sheet, and no scene
"""
SEEN = "preview.png"
OF_A_SCENE = frozenset({SEEN, "scene.json"})
"""of a scene only a picture and its description are fetched: all else of it is used on the server"""


@dataclass
class Job:
    """A job of this Blender, as far as it is known."""

    request_id: str
    label: str
    record: records.Record
    job_id: str = ""
    """empty until the server has accepted it"""
    state: str = "sending"
    """sending (collected, then uploaded), fetching, or a state of the server; the newest has succeeded only
    once its result is here
    """
    stage: str = ""
    step: int = 0
    total: int = 0
    seconds_left: float | None = None
    warnings: list[str] = field(default_factory=list)
    fault: messages.Fault | None = None
    report: dict[str, Any] = field(default_factory=dict)
    items: tuple[messages.ResultItem, ...] = ()
    asked: bool = False
    """True when its result is to be applied as soon as it is here"""
    picture: NDArray[np.uint8] | None = None
    """newest preview [H, W, 4] that waits for its UVs"""
    picture_uvs: messages.ResultItem | None = None
    wish: str = ""
    """cancel or stop, pressed before the server had accepted the job"""

    @staticmethod
    def of(info: messages.JobInfo, record: records.Record) -> "Job":
        """A job of before, as the server lists it."""
        job = Job(str(record["request_id"]), info.label, record, job_id=info.job_id)
        job.state, job.fault = info.state, info.fault
        job.step, job.total, job.stage = info.step, info.total, info.stage
        if info.state == "succeeded":
            job.state = "fetching"  # its result is replayed
        return job

    def hear(self, body: messages.EventBody) -> None:
        """Takes in what the server tells; a snapshot says nothing of the job itself."""
        if isinstance(body, messages.ProgressBody):
            self.step, self.total, self.stage = body.step, body.total, body.stage
            self.seconds_left = body.seconds_left
            self.state = "running" if self.state == "queued" else self.state
        elif isinstance(body, messages.StateBody):
            if body.state != "succeeded":
                self.state = body.state
            elif not self.items:  # else the result has come before and says more
                self.state = "fetching"
        elif isinstance(body, messages.WarningBody):
            if body.sentence not in self.warnings:  # a replay tells it again
                self.warnings.append(body.sentence)
        elif isinstance(body, messages.ResultBody):
            self.items, self.report = body.items, body.report
        elif isinstance(body, messages.FailedBody):
            self.fault, self.state = body.fault, "failed"

    @property
    def finished(self) -> bool:
        """True when nothing more will happen."""
        return self.state in messages.FINAL_STATES

    @property
    def method(self) -> str:
        """What the job does; what was recorded before there was more than one method paints."""
        return str(self.record.get("method", PAINT))

    @property
    def roles(self) -> tuple[str, ...]:
        """Roles that its result must have."""
        return WANTED.get(self.method, ())

    @property
    def wanted(self) -> tuple[messages.ResultItem, ...]:
        """Those of its results that are fetched."""
        roles = (*self.roles, *BESIDE.get(self.method, ()))
        return tuple(item for item in self.items if item.role in roles and _is_fetched(item))


def _is_fetched(item: messages.ResultItem) -> bool:
    """Of a mesh its arrays: GLB is read by others."""
    if item.role == "scene":
        return item.name in OF_A_SCENE
    return item.role != "mesh" or bool(item.dtype)


@dataclass(frozen=True)
class Package:
    """What a job takes along."""

    inputs: tuple[messages.Input, ...]
    blobs: Mapping[str, Any]  # bytes, or what reads them when they are sent
    record: records.Record
    """what is remembered of the job besides what was known before"""
    notes: tuple[str, ...] = ()
    """what should be known of it, in sentences"""


@dataclass(frozen=True)
class ConnectionChanged:
    """`state` is OFF, STARTING, CONNECTING, READY, LOST or REFUSED; a fault says why."""

    state: str
    fault: messages.Fault | None = None


@dataclass(frozen=True)
class JobChanged:
    """Something of the job is new."""

    job: Job


@dataclass(frozen=True)
class PreviewArrived:
    """A snapshot has come: its picture [H, W, 4], row 0 top; of a texture the UV of each loop [L, 2] too."""

    job: Job
    picture: NDArray[np.uint8]
    uvs: NDArray[np.float32] | None


@dataclass(frozen=True)
class ModelsChanged:
    """The server has told which models it has."""

    models: tuple[messages.ModelInfo, ...]


@dataclass(frozen=True)
class ViewArrived:
    """What was asked for by `Session.view`: u8 [H, W, 4], straight alpha, row 0 top."""

    request_id: str
    picture: NDArray[np.uint8]


@dataclass(frozen=True)
class ViewFailed:
    """It cannot be had, and why."""

    request_id: str
    fault: messages.Fault


Event = ConnectionChanged | ModelsChanged | JobChanged | PreviewArrived | ViewArrived | ViewFailed
