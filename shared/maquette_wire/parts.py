"""What messages are made of: plain types, inputs, results, rows of lists.

Matrices are row-major nested tuples, world coordinates are those of the input, camera axes are OpenGL (x
right, y up, looking along -z), pixel row 0 is the top. Unknown fields are an error.
"""

from typing import Annotated, Any, Literal

import msgspec

from .arrays import ArrayRef, Digest

Id = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")]
Text = Annotated[str, msgspec.Meta(max_length=4096)]
Count = Annotated[int, msgspec.Meta(ge=0)]
FilePath = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}(/[A-Za-z0-9_][A-Za-z0-9_. -]{0,99}){0,3}\Z"),
]
"""below a folder: at most four names, none of which begins with a dot"""
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


class BlobRef(Record, frozen=True):
    """A file by content."""

    digest: Digest
    size: Count
    """bytes"""


class BlobOffset(Record, frozen=True):
    """How much of a blob the server already has."""

    digest: Digest
    offset: Count
    """bytes received so far; sending goes on from here"""


class Camera(Record, frozen=True):
    """A camera: OpenGL axes, lens in pixels."""

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
    name: Text = ""
    """of the picture that belongs to it"""
    model: Literal["pinhole", "opencv", "fisheye"] = "pinhole"
    distortion: Annotated[tuple[float, ...], msgspec.Meta(max_length=6)] = ()
    """opencv: k1, k2, k3, k4, p1, p2; fisheye: k1 to k4 of OpenCV's fisheye; none for pinhole"""
    split: Literal["train", "val", "test"] = "train"
    loss_weight: Annotated[float, msgspec.Meta(ge=0)] = 1.0
    """of each pixel while learning"""


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
    name: Text = ""
    """of the data set"""
    up: Vector | None = None
    """unit vector in world coordinates; None: the cameras' mean up"""
    near: float | None = None
    """depth at which anything begins, in world units; None when nothing is known"""
    far: float | None = None
    background: Literal["white", "black"] | None = None
    """what transparent pixels are meant to show"""
    low: Vector | None = None
    """least corner of a box round what matters; None when nothing is known"""
    high: Vector | None = None


class ImagesInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="images"):
    """Pictures that belong to the cameras."""

    images: Annotated[tuple[BlobRef, ...], msgspec.Meta(max_length=10_000)]
    """PNG, JPEG or WebP files"""
    masks: Annotated[tuple[BlobRef | None, ...], msgspec.Meta(max_length=10_000)] = ()
    """none at all, or one a picture: black pixels are ignored"""


class DepthsInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="depths"):
    """Depths along the viewing axis, in world units, where they are known better than pictures tell them."""

    depths: Annotated[tuple[ArrayRef | None, ...], msgspec.Meta(max_length=10_000)]
    """one a camera, or None: f4 [H, W], row 0 at the top, of the picture's shape and any size. Infinite where
    nothing is, 0 where nothing is known; below 0 is only what a fisheye sees behind it
    """


class MotionVectorsInput(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="motion_vectors"
):
    """Offsets in pixels (x right, y down) to the next frame, f4 [H, W, 2], one a camera."""

    vectors: Annotated[tuple[ArrayRef, ...], msgspec.Meta(max_length=10_000)]


class SketchPart(Record, frozen=True):
    """One primitive of a sketch."""

    mesh: MeshInput
    strength: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    lock: bool = False


class SketchInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="sketch"):
    """The primitives of a sketch, each with its own strength and lock."""

    parts: Annotated[tuple[SketchPart, ...], msgspec.Meta(max_length=1000)]


class SceneFile(Record, frozen=True):
    """One file of a scene's folder."""

    path: FilePath
    file: BlobRef


class SceneInput(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag="scene"):
    """A scene: one that a job of the server made, or the files of a scene's folder."""

    scene: Id | None = None
    """id of the job"""
    files: Annotated[tuple[SceneFile, ...], msgspec.Meta(max_length=20_000)] = ()
    moment: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """step of a moment of an edited scene; None: as it ended"""


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


class ResultItem(Record, frozen=True):
    """One thing a job gives back: a file by content, or an array (`dtype` and `shape` set)."""

    role: ResultRole
    name: FilePath
    """file name, such as texture.png; of a scene the path below its folder"""
    digest: Digest
    size: Count
    dtype: str = ""
    """dtype code when the blob is a bare array, else empty"""
    shape: tuple[int, ...] = ()


class PreviewWish(Record, frozen=True):
    """What a follower wants to see while a job runs."""

    max_px: Annotated[int, msgspec.Meta(ge=16, le=4096)] = 512
    """long side of the preview"""
    min_ms: Annotated[int, msgspec.Meta(ge=100, le=60_000)] = 500
    """least time between two previews"""


class Fault(Record, frozen=True):
    """A `UserError` on the wire."""

    code: str
    sentence: str
    hint: str = ""
    fix: str = ""
    log_id: str = ""


class JobInfo(Record, frozen=True):
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


class ModelInfo(Record, frozen=True):
    """One model the server offers."""

    name: str
    kind: Literal["text_to_image", "instruct_edit"]
    commercial: Literal["yes", "no", "conditions", "unknown"]
    notice: str = ""
    vocabulary: tuple[str, ...] = ()
    default: bool = False
    digest: str = ""


class SceneInfo(Record, frozen=True):
    """One scene the server has."""

    scene: Id
    name: str
    kind: Literal["static", "moving"] = "static"
