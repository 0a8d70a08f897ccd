"""What a `link.Link` tells its owner: one small record for each thing that happened. Arrays are read-only."""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from . import messages
from .codec import Part


@dataclass(frozen=True)
class Connected:
    """The server answered the hello, for the first time or again."""

    welcome: messages.Welcome
    new_folder: bool = False
    """True when it is another data folder than before: earlier job ids and numbers mean nothing there"""


@dataclass(frozen=True)
class Lost:
    """The server has been silent for too long. Nothing is given up: all goes on when it answers again."""


@dataclass(frozen=True)
class Refused:
    """The hello was refused (token, protocol, too many clients); all waits for `Link.reconnected`."""

    fault: messages.Fault
    server_version: str


@dataclass(frozen=True)
class RequestFailed:
    """One request was refused, or its transfer could not be done; it is forgotten."""

    request_id: str
    fault: messages.Fault


@dataclass(frozen=True)
class EventArrived:
    """Something happened to a followed job; each event number comes once."""

    event: messages.Event
    frames: list[Part] = field(default_factory=list)


@dataclass(frozen=True)
class UploadProgress:
    """How far an upload or a submission is, in bytes; blobs that the server had are not counted."""

    request_id: str
    sent: int
    total: int


@dataclass(frozen=True)
class Uploaded:
    """The server has all blobs of the upload or submission of that id."""

    request_id: str
    digests: tuple[str, ...]


@dataclass(frozen=True)
class SubmitAccepted:
    """The server has the job."""

    request_id: str
    job: messages.JobInfo


@dataclass(frozen=True)
class DownloadProgress:
    """How far a download is, in bytes."""

    digest: str
    received: int
    total: int


@dataclass(frozen=True)
class Downloaded:
    """A blob has come and its digest fits."""

    digest: str
    data: bytearray


@dataclass(frozen=True)
class Done:
    """A request without an answer of its own kind was done: control, release."""

    request_id: str
    job: messages.JobInfo | None = None
    freed_mb: float = 0.0


@dataclass(frozen=True)
class JobsListed:
    """Answer to `list_jobs`."""

    request_id: str
    jobs: tuple[messages.JobInfo, ...]


@dataclass(frozen=True)
class ModelsListed:
    """Answer to `list_models` and `check_model`."""

    request_id: str
    models: tuple[messages.ModelInfo, ...]


@dataclass(frozen=True)
class ScenesListed:
    """Answer to `list_scenes` and `delete_scene`."""

    request_id: str
    scenes: tuple[messages.SceneInfo, ...]


@dataclass(frozen=True)
class FrameArrived:
    """Answer to `view`."""

    request_id: str
    view_id: str
    colour: NDArray[Any]
    """u8 [H, W, 4], straight alpha, row 0 top; maybe smaller than asked for, see `messages.Frame`"""
    depth: NDArray[Any] | None
    """f4 [H, W], or None when it was not asked for"""
    event: int


Happening = (
    Connected
    | Lost
    | Refused
    | RequestFailed
    | EventArrived
    | UploadProgress
    | Uploaded
    | SubmitAccepted
    | DownloadProgress
    | Downloaded
    | Done
    | JobsListed
    | ModelsListed
    | ScenesListed
    | FrameArrived
)
