"""Every message that a server sends, as one tagged union."""

from typing import Any

import msgspec

from .arrays import Digest, FrameArray
from .parts import (
    BlobOffset,
    Count,
    Fault,
    Id,
    JobInfo,
    JobState,
    Message,
    ModelInfo,
    Record,
    ResultItem,
    SceneInfo,
)


class Welcome(Message, frozen=True):
    """Answer to a Hello that fits."""

    protocol: int
    version: str
    folder_id: str
    """id of the data folder; event numbers mean something within it only"""
    last_event: Count
    device: str
    max_blob: Count
    """bytes of the largest blob"""
    max_jobs: Count
    methods: tuple[str, ...] = ()


class Refused(Message, frozen=True):
    """A request that was not done; changes nothing. Readable by every version."""

    fault: Fault
    protocol: int
    version: str


class MissingBlobs(Message, frozen=True):
    """Which blobs to send, and from which byte."""

    missing: tuple[BlobOffset, ...]


class Chunk(Message, frozen=True):
    """Bytes of a blob (frame 0), or the receipt for a PutChunk (no frame, `offset` = bytes received)."""

    digest: Digest
    size: Count
    offset: Count


class Accepted(Message, frozen=True):
    """The request was done; `job` is the job as it is now."""

    job: JobInfo | None = None


class Jobs(Message, frozen=True):
    """The list of jobs, newest first."""

    jobs: tuple[JobInfo, ...]


class Models(Message, frozen=True):
    """The list of models."""

    models: tuple[ModelInfo, ...]


class Scenes(Message, frozen=True):
    """The list of scenes."""

    scenes: tuple[SceneInfo, ...]


class Frame(Message, frozen=True):
    """Answer to View: frame 0 u8 RGBA [H, W, 4] (straight alpha), frame 1 f4 [H, W] depth if asked for.

    Depth is along the viewing axis in units of the scene, infinite where nothing is. H and W are those asked
    for, or, of a field that could not be drawn as large in time, these divided by a whole number (rounded
    down); the smaller picture shows the same view.
    """

    view_id: Id
    colour: FrameArray
    depth: FrameArray | None = None
    event: Count = 0
    """number of the newest event when it was drawn"""


class Released(Message, frozen=True):
    """Device memory was freed."""

    freed_mb: float


class StateBody(Record, frozen=True, tag="state"):
    """The job has a new state."""

    state: JobState
    attempt: Count
    sentence: str = ""


class ProgressBody(Record, frozen=True, tag="progress"):
    """How far the job is. Replaced by newer progress; not stored."""

    step: int
    total: int
    stage: str
    seconds_left: float | None = None
    seconds: float = 0.0
    """worked on this job so far"""
    losses: dict[str, float] = msgspec.field(default_factory=dict)


class SnapshotBody(Record, frozen=True, tag="snapshot"):
    """A result so far, in the type of the result; frame 0 of the message is the preview if one was wished."""

    step: int
    items: tuple[ResultItem, ...]
    preview: FrameArray | None = None


class WarningBody(Record, frozen=True, tag="warning"):
    """Something the user should know; the job goes on."""

    code: str
    sentence: str


class ResultBody(Record, frozen=True, tag="result"):
    """The job succeeded."""

    items: tuple[ResultItem, ...]
    report: dict[str, Any]
    kept: bool = False
    """True when the job was stopped early and its newest state kept"""


class FailedBody(Record, frozen=True, tag="failed"):
    """The job failed."""

    fault: Fault


EventBody = StateBody | ProgressBody | SnapshotBody | WarningBody | ResultBody | FailedBody


class Event(Message, frozen=True):
    """Something happened to a job. `request_id` is the one of the Follow that asked for it."""

    number: Count
    job_id: Id
    time_ms: int
    """UTC milliseconds, for display"""
    body: EventBody


ServerMessage = (
    Welcome | Refused | MissingBlobs | Chunk | Accepted | Event | Jobs | Models | Scenes | Frame | Released
)
