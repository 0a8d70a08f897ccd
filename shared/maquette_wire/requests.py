"""Every message that a client sends, as one tagged union."""

from typing import Annotated, Any, Literal

import msgspec

from .arrays import Digest
from .parts import BlobRef, Count, Id, Input, Matrix, Message, PreviewWish, Text


class Hello(Message, frozen=True):
    """First message of a connection; the one message that every version can read."""

    protocol: int
    version: str
    client: Text = ""
    """name shown beside the jobs of this client"""
    token: str = ""


class HaveBlobs(Message, frozen=True):
    """Asks which of these blobs the server lacks; answered by MissingBlobs."""

    blobs: Annotated[tuple[BlobRef, ...], msgspec.Meta(max_length=20_000)]


class PutChunk(Message, frozen=True):
    """Bytes of a blob (frame 0, at most 1 MiB), in order; answered by a Chunk without frames."""

    digest: Digest
    size: Count
    """bytes of the whole blob"""
    offset: Count


class GetBlob(Message, frozen=True):
    """Asks for bytes of a blob; answered by a Chunk with frame 0."""

    digest: Digest
    offset: Count = 0
    length: Annotated[int, msgspec.Meta(ge=1, le=1024 * 1024)] = 1024 * 1024


class Submit(Message, frozen=True):
    """Starts a job. `request_id` identifies it for ever: sent twice, it gives the same job."""

    method: Annotated[str, msgspec.Meta(max_length=64)]
    label: Text = ""
    params: dict[str, Any] = msgspec.field(default_factory=dict)
    inputs: Annotated[tuple[Input, ...], msgspec.Meta(max_length=16)] = ()
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    model: Text = ""
    """name from the server's list; empty takes the server's default"""


class Follow(Message, frozen=True):
    """Events after number `after` (of the data folder named in Welcome), of one job or of all."""

    after: Count = 0
    job_id: Id | None = None
    preview: PreviewWish | None = None


class Control(Message, frozen=True):
    """A command to a job; answered by Accepted or Refused."""

    job_id: Id
    action: Literal["cancel", "stop", "pause", "resume", "move", "delete"]
    position: Count = 0
    """for move: the new place in the queue, 0 first"""


class ListJobs(Message, frozen=True):
    """Asks for Jobs."""

    job_id: Id | None = None


class ListModels(Message, frozen=True):
    """Asks for Models."""


class CheckModel(Message, frozen=True):
    """Asks if a model of the server's list can be used; answered by Models with one entry, or Refused."""

    name: Text


class ListScenes(Message, frozen=True):
    """Asks for Scenes."""


class DeleteScene(Message, frozen=True):
    """Removes a scene; answered by Scenes."""

    scene: Id


class Release(Message, frozen=True):
    """Frees loaded models and device memory of idle workers; answered by Released."""


class View(Message, frozen=True):
    """Asks for a picture of a job's newest result from a camera. No job, no record, served between steps.

    What is drawn is the painted mesh, or the field of a scene; of a running job its newest snapshot, of a
    finished one its result. A field that cannot be drawn in time at the asked size comes with both sides
    divided by the least whole number that fits: the answer's arrays say how large it is.
    """

    view_id: Id
    """a newer request of the same view replaces an older one that is still waiting"""
    scene: Id
    """id of a scene, or of a job that has a snapshot or a result"""
    camera: Matrix
    """world_from_camera, in the coordinates of the mesh or scene; of a field without scale"""
    fov_y: Annotated[float, msgspec.Meta(gt=0, lt=3.1)]
    """vertical field of view, radians"""
    width: Annotated[int, msgspec.Meta(ge=1, le=1448)]
    """width * height * 4 bytes (and the same again with depth) must fit one frame each"""
    height: Annotated[int, msgspec.Meta(ge=1, le=1448)]
    time: float = 0.0
    """of a moving scene, in its own unit"""
    moment: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """step of a moment of an edited scene; None: as it is"""
    depth: bool = False
    deadline_ms: Annotated[int, msgspec.Meta(ge=10, le=60_000)] = 2000
    """dropped unanswered work is answered by Refused after this long"""


ClientMessage = (
    Hello
    | HaveBlobs
    | PutChunk
    | GetBlob
    | Submit
    | Follow
    | Control
    | ListJobs
    | ListModels
    | CheckModel
    | ListScenes
    | DeleteScene
    | Release
    | View
)
