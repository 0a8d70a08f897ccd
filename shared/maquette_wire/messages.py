"""Every message of protocol 1, as two tagged unions: what a client sends and what a server sends.

A message is one msgpack header plus at most 64 binary frames (`codec`). Matrices are row-major nested tuples,
world coordinates are those of the input, camera axes are OpenGL (x right, y up, looking along -z), pixel row
0 is the top. Unknown fields are an error; only `Hello` and `Refused` are read leniently, so that any two
versions can say so.
"""

from typing import Annotated, Any, Literal

import msgspec

from .arrays import ArrayRef, Digest, FrameArray

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
Count = Annotated[int, msgspec.Meta(ge=0)]
Pixels = Annotated[int, msgspec.Meta(ge=1, le=16384)]
Row = tuple[float, float, float, float]
Matrix = tuple[Row, Row, Row, Row]
Vector = tuple[float, float, float]

JobState = Literal[
    "queued", "running", "paused", "stopping", "succeeded", "failed", "cancelled", "interrupted"
]
FINAL_STATES: frozenset[str] = frozenset({"succeeded", "failed", "cancelled"})


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of everything inside a message."""


class Message(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag=True):
    """Base of a message; `request_id` is chosen by the client and repeated in every answer."""

    request_id: Id


# ---- parts -------------------------------------------------------------------------------------------------


class BlobRef(Record):
    """A file by content."""

    digest: Digest
    size: Count
    """bytes"""


class BlobOffset(Record):
    """How much of a blob the server already has."""

    digest: Digest
    offset: Count
    """bytes received so far; sending goes on from here"""


class Camera(Record):
    """A pinhole camera."""

    world_from_camera: Matrix
    fl_x: float
    """focal length in pixels of a picture `width` wide"""
    fl_y: float
    cx: float
    """principal point in pixels from the left edge; pixel (0, 0) covers [0, 1] x [0, 1]"""
    cy: float
    width: Pixels
    height: Pixels
    time: float | None = None
    """in the data set's own unit; None for a still scene"""


class MeshInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="mesh"):
    """A triangulated surface as its owner sees it, in local coordinates, plus its world matrix."""

    name: Text
    positions: ArrayRef
    """f4 or f8 [V, 3], local coordinates"""
    triangles: ArrayRef
    """i4 [T, 3] indices into positions, anticlockwise seen from outside"""
    corner_uvs: ArrayRef | None = None
    """f4 [T, 3, 2], v up; None when there is no UV map"""
    corner_weights: ArrayRef | None = None
    """f4 [T, 3], 0 keep .. 1 paint; None paints everything"""
    triangle_polygons: ArrayRef | None = None
    """i4 [T], the polygon each triangle was cut from; None when all polygons are triangles"""
    triangle_loops: ArrayRef | None = None
    """i4 [T, 3], the sender's loop (polygon corner) of each triangle corner; the UV result is per loop"""
    loop_count: Count = 0
    """number of loops; 0 when `triangle_loops` is None and the UV result is per triangle corner"""
    world_from_object: Matrix = (
        (1.0, 0.0, 0.0, 0.0),
        (0.0, 1.0, 0.0, 0.0),
        (0.0, 0.0, 1.0, 0.0),
        (0.0, 0.0, 0.0, 1.0),
    )
    up: Vector = (0.0, 1.0, 0.0)
    """unit vector in world coordinates"""
    front: Vector = (0.0, 0.0, 1.0)
    """unit vector in world coordinates: where the front of the object looks"""
    base_colour: Vector | None = None
    """sRGB 0..1 of the material, used under a mask when there is no texture"""


class TextureInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="texture"):
    """An existing texture of the mesh, as a PNG or JPEG file, row 0 at v = 1."""

    image: BlobRef


class MaskInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="mask"):
    """A mask in UV space as a PNG file: white = paint, black = keep bit for bit."""

    image: BlobRef


class CamerasInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="cameras"):
    """Cameras, in the order in which images, depths and motion vectors are given."""

    cameras: Annotated[tuple[Camera, ...], msgspec.Meta(max_length=10_000)]


class ImagesInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="images"):
    """Pictures that belong to the cameras."""

    images: Annotated[tuple[BlobRef, ...], msgspec.Meta(max_length=10_000)]


class DepthsInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="depths"):
    """Depth along the viewing axis, f4 [H, W] in world units, one a camera."""

    depths: Annotated[tuple[ArrayRef, ...], msgspec.Meta(max_length=10_000)]


class MotionVectorsInput(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="motion_vectors"
):
    """Offsets in pixels (x right, y down) to the next frame, f4 [H, W, 2], one a camera."""

    vectors: Annotated[tuple[ArrayRef, ...], msgspec.Meta(max_length=10_000)]


class SketchPart(Record):
    """One primitive of a sketch."""

    mesh: MeshInput
    strength: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    lock: bool = False


class SketchInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="sketch"):
    """The primitives of a sketch, each with its own strength and lock."""

    parts: Annotated[tuple[SketchPart, ...], msgspec.Meta(max_length=1000)]


class SceneInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="scene"):
    """A scene that the server has."""

    scene: Id


Input = (
    MeshInput
    | TextureInput
    | MaskInput
    | CamerasInput
    | ImagesInput
    | DepthsInput
    | MotionVectorsInput
    | SketchInput
    | SceneInput
)
ResultRole = Literal["texture", "uv", "mesh", "images", "video", "scene", "figures"]


class ResultItem(Record):
    """One thing a job gives back: a file by content, or an array (`dtype` and `shape` set)."""

    role: ResultRole
    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
    """file name, such as texture.png"""
    digest: Digest
    size: Count
    dtype: str = ""
    """dtype code when the blob is a bare array, else empty"""
    shape: tuple[int, ...] = ()


class PreviewWish(Record):
    """What a follower wants to see while a job runs."""

    max_px: Annotated[int, msgspec.Meta(ge=16, le=4096)] = 512
    """long side of the preview"""
    min_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 500
    """least time between two previews"""


class Fault(Record):
    """A `UserError` on the wire."""

    code: str
    sentence: str
    hint: str = ""
    fix: str = ""
    log_id: str = ""


class JobInfo(Record):
    """One row of the list of jobs."""

    job_id: Id
    method: str
    label: str
    """what the job works on, such as the object's name"""
    state: JobState
    attempt: Count
    created_ms: int
    """UTC milliseconds"""
    client: str = ""
    """name of who submitted it"""
    step: int = 0
    total: int = 0
    stage: str = ""
    seconds_left: float | None = None
    results: tuple[ResultItem, ...] = ()
    fault: Fault | None = None
    params: dict[str, Any] = {}


class ModelInfo(Record):
    """One model the server offers."""

    name: str
    kind: Literal["text_to_image", "instruct_edit"]
    commercial: Literal["yes", "no", "conditions", "unknown"]
    notice: str = ""
    vocabulary: tuple[str, ...] = ()
    default: bool = False
    digest: str = ""


class SceneInfo(Record):
    """One scene the server has."""

    scene: Id
    name: str
    kind: Literal["static", "moving"] = "static"


# ---- what a client sends -----------------------------------------------------------------------------------


class Hello(Message):
    """First message of a connection; the one message that every version can read."""

    protocol: int
    version: str
    client: Text = ""
    """name shown beside the jobs of this client"""
    token: str = ""


class HaveBlobs(Message):
    """Asks which of these blobs the server lacks; answered by MissingBlobs."""

    blobs: Annotated[tuple[BlobRef, ...], msgspec.Meta(max_length=20_000)]


class PutChunk(Message):
    """Bytes of a blob (frame 0, at most 1 MiB), in order; answered by a Chunk without frames."""

    digest: Digest
    size: Count
    """bytes of the whole blob"""
    offset: Count


class GetBlob(Message):
    """Asks for bytes of a blob; answered by a Chunk with frame 0."""

    digest: Digest
    offset: Count = 0
    length: Annotated[int, msgspec.Meta(ge=1, le=1024 * 1024)] = 1024 * 1024


class Submit(Message):
    """Starts a job. `request_id` identifies it for ever: sent twice, it gives the same job."""

    method: Annotated[str, msgspec.Meta(max_length=64)]
    label: Text = ""
    params: dict[str, Any] = {}
    inputs: Annotated[tuple[Input, ...], msgspec.Meta(max_length=16)] = ()
    seed: Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)] = 0
    model: Text = ""
    """name from the server's list; empty takes the server's default"""


class Follow(Message):
    """Events after number `after` (of the data folder named in Welcome), of one job or of all."""

    after: Count = 0
    job_id: Id | None = None
    preview: PreviewWish | None = None


class Control(Message):
    """A command to a job; answered by Accepted or Refused."""

    job_id: Id
    action: Literal["cancel", "stop", "pause", "resume", "move", "delete"]
    position: Count = 0
    """for move: the new place in the queue, 0 first"""


class ListJobs(Message):
    """Asks for Jobs."""

    job_id: Id | None = None


class ListModels(Message):
    """Asks for Models."""


class CheckModel(Message):
    """Asks if a model of the server's list can be used; answered by Models with one entry, or Refused."""

    name: Text


class ListScenes(Message):
    """Asks for Scenes."""


class DeleteScene(Message):
    """Removes a scene; answered by Scenes."""

    scene: Id


class Release(Message):
    """Frees loaded models and device memory of idle workers; answered by Released."""


class View(Message):
    """Asks for a picture of a job's newest result from a camera. No job, no record, served between steps."""

    view_id: Id
    """a newer request of the same view replaces an older one that is still waiting"""
    scene: Id
    """id of a scene, or of a job that has a snapshot or a result"""
    camera: Matrix
    """world_from_camera"""
    fov_y: Annotated[float, msgspec.Meta(gt=0, lt=3.1)]
    """vertical field of view, radians"""
    width: Annotated[int, msgspec.Meta(ge=1, le=1448)]
    """width * height * 4 bytes (and the same again with depth) must fit one frame each"""
    height: Annotated[int, msgspec.Meta(ge=1, le=1448)]
    time: float = 0.0
    depth: bool = False
    deadline_ms: Annotated[int, msgspec.Meta(ge=10, le=60_000)] = 2000
    """dropped unanswered work is answered by Refused after this long"""


# ---- what a server sends -----------------------------------------------------------------------------------


class Welcome(Message):
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


class Refused(Message):
    """A request that was not done; changes nothing. Readable by every version."""

    fault: Fault
    protocol: int
    version: str


class MissingBlobs(Message):
    """Which blobs to send, and from which byte."""

    missing: tuple[BlobOffset, ...]


class Chunk(Message):
    """Bytes of a blob (frame 0), or the receipt for a PutChunk (no frame, `offset` = bytes received)."""

    digest: Digest
    size: Count
    offset: Count


class Accepted(Message):
    """The request was done; `job` is the job as it is now."""

    job: JobInfo | None = None


class Jobs(Message):
    """The list of jobs, newest first."""

    jobs: tuple[JobInfo, ...]


class Models(Message):
    """The list of models."""

    models: tuple[ModelInfo, ...]


class Scenes(Message):
    """The list of scenes."""

    scenes: tuple[SceneInfo, ...]


class Frame(Message):
    """Answer to View: frame 0 u8 RGBA [H, W, 4] (straight alpha), frame 1 f4 [H, W] depth if asked for."""

    view_id: Id
    colour: FrameArray
    depth: FrameArray | None = None
    event: Count = 0
    """number of the newest event when it was drawn"""


class Released(Message):
    """Device memory was freed."""

    freed_mb: float


class StateBody(Record, tag="state"):
    """The job has a new state."""

    state: JobState
    attempt: Count
    sentence: str = ""


class ProgressBody(Record, tag="progress"):
    """How far the job is. Replaced by newer progress; not stored."""

    step: int
    total: int
    stage: str
    seconds_left: float | None = None
    seconds: float = 0.0
    """worked on this job so far"""
    losses: dict[str, float] = {}


class SnapshotBody(Record, tag="snapshot"):
    """A result so far, in the type of the result; frame 0 of the message is the preview if one was wished."""

    step: int
    items: tuple[ResultItem, ...]
    preview: FrameArray | None = None


class WarningBody(Record, tag="warning"):
    """Something the user should know; the job goes on."""

    code: str
    sentence: str


class ResultBody(Record, tag="result"):
    """The job succeeded."""

    items: tuple[ResultItem, ...]
    report: dict[str, Any]
    kept: bool = False
    """True when the job was stopped early and its newest state kept"""


class FailedBody(Record, tag="failed"):
    """The job failed."""

    fault: Fault


EventBody = StateBody | ProgressBody | SnapshotBody | WarningBody | ResultBody | FailedBody


class Event(Message):
    """Something happened to a job. `request_id` is the one of the Follow that asked for it."""

    number: Count
    job_id: Id
    time_ms: int
    """UTC milliseconds, for display"""
    body: EventBody


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
ServerMessage = (
    Welcome | Refused | MissingBlobs | Chunk | Accepted | Event | Jobs | Models | Scenes | Frame | Released
)
