"""What front and worker say to each other: length-prefixed msgpack over the worker's stdin and stdout.

Four bytes, little-endian, give the length of a message, at most 1 MiB. Bigger things are files: the request
of an attempt, results, snapshots and pictures. Paths are those of this machine; these messages never leave
it.
"""

import struct
from typing import Any, BinaryIO

import msgspec
from maquette_wire import messages

MAX_MESSAGE = 1024 * 1024
_LENGTH = struct.Struct("<I")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """The file request.msgpack of an attempt."""

    job_id: str
    attempt: int
    method: str
    package: str
    params: dict[str, Any]
    inputs: tuple[messages.Input, ...]
    seed: int
    models: dict[str, str]
    """kind -> folder"""
    digests: dict[str, str] = {}
    """kind -> digest of what is in the folder; empty when it is not known"""
    job_folder: str
    blob_folder: str
    checkpoint_seconds: float
    budget: int
    """bytes that checkpoints and snapshots may take"""


class ToWorker(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of what the front says."""


class Start(ToWorker, frozen=True, kw_only=True):
    """Run an attempt."""

    request: str
    """path of its Request"""


class Stop(ToWorker, frozen=True, kw_only=True):
    """Stop and keep: answer the next yield with True."""

    job_id: str


class Halt(ToWorker, frozen=True, kw_only=True):
    """Checkpoint at the next yield and close the method."""

    job_id: str


class Cancel(ToWorker, frozen=True, kw_only=True):
    """Close the method at the next yield."""

    job_id: str


class Wish(ToWorker, frozen=True, kw_only=True):
    """How big and how often previews are wanted; `max_px` 0: none."""

    job_id: str
    max_px: int
    min_ms: int


class Painted(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A mesh with the texture that a job gave it."""

    mesh: messages.MeshInput
    uv: messages.ResultItem | None
    """array item: f4 [loops, 2] or [T, 3, 2]; None takes the mesh's own UVs"""
    texture: str
    """digest of an image file"""


class Field(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The field of a scene."""

    files: tuple[messages.SceneFile, ...]
    """those that a field is read from: scene.json, cameras.json, weights"""


class Draw(ToWorker, frozen=True, kw_only=True):
    """Draw a picture."""

    number: int
    what: Painted | Field
    view: messages.View
    deadline: float
    """of `time.monotonic`, which is one clock for all processes of a machine: after it nobody waits"""
    blob_folder: str
    out: str
    """path of the file to write: colour, then depth if asked for"""


class Skip(ToWorker, frozen=True, kw_only=True):
    """Nobody waits for that picture any more: leave it out unless it is begun. Answered by its Drawn."""

    number: int


class Free(ToWorker, frozen=True, kw_only=True):
    """Forget loaded models."""


class FromWorker(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Base of what a worker says."""


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A file that a worker wrote, to be adopted."""

    role: messages.ResultRole
    name: str
    file: str
    """its path; empty when it is a blob that the job was given"""
    digest: str
    size: int
    dtype: str = ""
    shape: tuple[int, ...] = ()


class Ready(FromWorker, frozen=True, kw_only=True):
    """The worker is there."""

    pid: int


class Attempted(FromWorker, frozen=True, kw_only=True):
    """Base of what belongs to an attempt; the front refuses all but the newest attempt's."""

    job_id: str
    attempt: int


class Started(Attempted, frozen=True, kw_only=True):
    """The method runs, from this step."""

    step: int
    device: str


class Progressed(Attempted, frozen=True, kw_only=True):
    """How far it is."""

    body: messages.ProgressBody


class Warned(Attempted, frozen=True, kw_only=True):
    """Something the user should know."""

    code: str
    sentence: str


class Snapped(Attempted, frozen=True, kw_only=True):
    """A snapshot lies there. `preview` is a file of u8 [height, width, 4], or empty."""

    step: int
    items: list[Made]
    preview: str = ""
    preview_shape: tuple[int, int, int] = (0, 0, 4)


class Checkpointed(Attempted, frozen=True, kw_only=True):
    """A checkpoint lies there."""

    step: int


class Finished(Attempted, frozen=True, kw_only=True):
    """The result. Seconds are those of the whole job."""

    items: list[Made]
    figures: dict[str, Any]
    preset: str
    promise: str
    backends: dict[str, str]
    versions: dict[str, str]
    device: str
    seconds: float
    stages: dict[str, float]
    peak_device_mb: float
    kept: bool


class Halted(Attempted, frozen=True, kw_only=True):
    """Closed after a checkpoint (or without one, when the method cannot be checkpointed). `code` says why, if
    it was not asked for: `disk.full`."""

    step: int
    code: str = ""


class Stopping(Attempted, frozen=True, kw_only=True):
    """The method has been told to finish early."""


class Cancelled(Attempted, frozen=True, kw_only=True):
    """Closed."""


class Broke(Attempted, frozen=True, kw_only=True):
    """The method raised."""

    fault: messages.Fault


class Drawn(FromWorker, frozen=True, kw_only=True):
    """A picture lies at `out`, or could not be drawn."""

    number: int
    width: int = 0
    """pixels; as asked for, or fewer of a field that could not be drawn as large in time"""
    height: int = 0
    fault: messages.Fault | None = None


class Freed(FromWorker, frozen=True, kw_only=True):
    """Models are forgotten."""

    freed_mb: float


FrontMessage = Start | Stop | Halt | Cancel | Wish | Draw | Skip | Free
WorkerMessage = (
    Ready
    | Started
    | Progressed
    | Warned
    | Snapped
    | Checkpointed
    | Finished
    | Halted
    | Stopping
    | Cancelled
    | Broke
    | Drawn
    | Freed
)

_front = msgspec.msgpack.Decoder(FrontMessage)
_worker = msgspec.msgpack.Decoder(WorkerMessage)


def write(stream: BinaryIO, message: ToWorker | FromWorker) -> None:
    """Sends one message. Raises OSError when the other end is gone, ValueError when it is too long."""
    data = msgspec.msgpack.encode(message)
    if len(data) > MAX_MESSAGE:
        raise ValueError(f"a message of {len(data)} bytes between front and worker")
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read_front(stream: BinaryIO) -> FrontMessage | None:
    """The next message from the front; None when it is gone."""
    data = _read(stream)
    return None if data is None else _front.decode(data)


def read_worker(stream: BinaryIO) -> WorkerMessage | None:
    """The next message from a worker; None when it is gone. Raises ValueError for what is no message."""
    data = _read(stream)
    return None if data is None else _worker.decode(data)


def _read(stream: BinaryIO) -> bytes | None:
    prefix = stream.read(_LENGTH.size)
    if len(prefix) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(prefix)
    if length > MAX_MESSAGE:
        raise ValueError(f"a message of {length} bytes between front and worker")
    data = stream.read(length)
    return data if len(data) == length else None
