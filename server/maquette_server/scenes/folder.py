"""A scene as files: scene.json, cameras.json, pictures, checkpoints. Format 1.

scene.json     what kind of field, where it lies, all that is needed to build it
cameras.json   the cameras it was made from, each with its picture
images/ masks/ the pictures, as they came
depths/        what is known of their depths: float EXR along the axis, infinite: nothing there, 0: not known
checkpoints/<step>/field.safetensors    weights; the newest readable one counts
edited/        of an edited scene: what its pictures have become, by the same names
moments/<step>/{field.safetensors, view.png}    of an edited scene: results on the way
"""

from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from ..cameras.lens import MODELS, Lens
from ..rendering.posed import Posed
from .files import SceneFiles

FORMAT = 1
Vector = tuple[float, float, float]
Row = tuple[float, float, float, float]
Matrix = tuple[Row, Row, Row, Row]


class _Struct(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Parent(_Struct, frozen=True, kw_only=True):
    """The scene that this one was made from."""

    id: str
    name: str


class SceneRecord(_Struct, frozen=True, kw_only=True):
    """scene.json."""

    format: int
    id: str
    kind: Literal["static", "moving"] = "static"
    name: str = ""
    method: str
    parent: Parent | None = None
    created_by: str
    field: dict[str, Any]
    """`type` and all that is needed to build it"""
    field_from_scene: Matrix
    up: Vector
    front: Vector
    aabb: tuple[Vector, Vector] | None = None
    near: float
    far: float
    background: Literal["white", "black"]
    time: tuple[float, float] | None = None
    reduce: Annotated[int, msgspec.Meta(ge=1)] = 1
    """the sides of the pictures were divided by this while it learnt; those of the folder are whole"""
    step: int
    """of the newest checkpoint"""
    moments: tuple[int, ...] = ()
    instruction: str = ""
    """by which it was edited"""


class CameraRecord(_Struct, frozen=True, kw_only=True):
    """One frame of cameras.json; names as in transforms.json."""

    id: Annotated[int, msgspec.Meta(ge=0)]
    image: str | None = None
    mask: str | None = None
    depth: str | None = None
    w: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]
    h: Annotated[int, msgspec.Meta(ge=1, le=1 << 20)]
    fl_x: float
    fl_y: float
    cx: float
    cy: float
    camera_model: Literal["pinhole", "opencv", "fisheye"] = "pinhole"
    distortion: tuple[float, ...] = ()
    transform_matrix: Matrix
    time: float | None = None
    split: Literal["train", "val", "test"] = "train"
    level: int = 0
    name: str = ""

    def posed(self) -> Posed:
        """As a camera to look through. Raises UserError `dataset.bad` for numbers that no lens has."""
        lens = Lens(
            self.w, self.h, self.fl_x, self.fl_y, self.cx, self.cy, self.camera_model, self.distortion
        )
        return Posed(np.array(self.transform_matrix, np.float64), lens, self.time)


class Cameras(_Struct, frozen=True, kw_only=True):
    """cameras.json."""

    frames: tuple[CameraRecord, ...]


def read_record(files: SceneFiles) -> SceneRecord:
    """scene.json. Raises UserError `scene.bad`, by name for another format."""
    data = files.read("scene.json")
    try:
        number = msgspec.json.decode(data, type=_Numbered).format
    except msgspec.MsgspecError as error:
        raise _bad(files, f"scene.json cannot be read ({error})") from error
    if number != FORMAT:
        raise UserError(
            "scene.bad",
            f"The {files.called} has format {number}; this version reads format {FORMAT}.",
            hint="Reconstruct it again, or use the version of Maquette that made it.",
        )
    try:
        record = msgspec.json.decode(data, type=SceneRecord)
    except msgspec.MsgspecError as error:
        raise _bad(files, f"scene.json is not as it should be ({error})") from error
    if not 0 <= record.near < record.far:
        raise _bad(files, f"scene.json says that rays reach from {record.near} to {record.far}")
    if not any(record.up):
        raise _bad(files, "scene.json has no length of up")
    if record.aabb is not None and not all(low < high for low, high in zip(*record.aabb, strict=True)):
        raise _bad(files, "the box of scene.json is inside out")
    return record


def read_cameras(files: SceneFiles) -> tuple[CameraRecord, ...]:
    """cameras.json. Raises UserError `scene.bad`."""
    try:
        found = msgspec.json.decode(files.read("cameras.json"), type=Cameras).frames
    except msgspec.MsgspecError as error:
        raise _bad(files, f"cameras.json is not as it should be ({error})") from error
    for one in found:
        if len(one.distortion) != MODELS[one.camera_model]:
            raise _bad(files, f"camera {one.id} of cameras.json has {len(one.distortion)} distortion numbers")
    return found


def checkpoint_path(step: int) -> str:
    """Where the weights of a step lie."""
    return f"checkpoints/{step:07d}/field.safetensors"


def moment_path(step: int, name: str = "field.safetensors") -> str:
    """Where a file of a moment lies."""
    return f"moments/{step:07d}/{name}"


def checkpoints(files: SceneFiles) -> list[str]:
    """Paths of the weights, newest first."""
    found = [path for path in files.below("checkpoints") if path.endswith("/field.safetensors")]
    return sorted(found, key=lambda path: (len(path), path), reverse=True)  # 10000000 comes after 9999999


def encode(record: SceneRecord | Cameras) -> bytes:
    """As a file."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


def matrix(values: NDArray[np.floating]) -> Matrix:
    """[4, 4] as plain numbers."""
    rows: list[list[float]] = values.tolist()
    return msgspec.convert(rows, Matrix)


def vector(values: NDArray[np.floating]) -> Vector:
    """[3] as plain numbers."""
    return msgspec.convert(values.tolist(), Vector)


class _Numbered(msgspec.Struct, frozen=True):
    format: int


def _bad(files: SceneFiles, what: str) -> UserError:
    return UserError("scene.bad", f"The {files.called} cannot be used: {what}.", hint="Reconstruct it again.")
