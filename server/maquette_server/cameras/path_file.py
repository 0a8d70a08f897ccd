"""The file of a camera path: nerfstudio's camera path JSON (docs.nerf.studio, `camera_paths.py` of nerfstudio
1.1), perspective cameras only.

Matrices are camera-to-world with OpenGL axes, the vertical angle is in degrees, pixels are square and the
principal point is in the middle. Its `aspect` is written and, as in nerfstudio, not read: the size says it.
"""

import json
import math
from pathlib import Path

import msgspec
import numpy as np

from .paths import MAX_STOPS, CameraPath, Stop, bad
from .pinhole import Pinhole

MAX_BYTES = 64 * 2**20
MAX_SIDE = 16384  # pixels
FPS = 24.0  # where a file says nothing
_TOLERANCE = 1e-3  # of a rotation's columns; files are often written with few digits


class _File(msgspec.Struct):
    camera_path: list["_Camera"]
    render_height: float
    render_width: float
    camera_type: str = "perspective"
    fps: float | None = None
    seconds: float | None = None


class _Camera(msgspec.Struct):
    camera_to_world: list[float]
    fov: float
    render_time: float | None = None


def load(path: Path) -> CameraPath:
    """`read` of a file. Raises UserError `cameras.bad` also where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise bad(f"'{path.name}'", f"cannot be opened ({error.strerror or error})") from error
    return read(data, name=f"'{path.name}'")


def read(data: bytes, *, name: str = "The camera path") -> CameraPath:
    """The path of a nerfstudio camera path file.

    The rate is its `fps`, else the number of cameras over its `seconds`, else 24. Times are there for all
    cameras or for none. Raises UserError `cameras.bad`, naming what is wrong and at which camera.
    """
    if len(data) > MAX_BYTES:
        raise bad(name, f"has more than {MAX_BYTES // 2**20} MiB")
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        unsaid = "; it has NaN or Infinity" if b"NaN" in data or b"Infinity" in data else ""
        raise bad(name, f"is no camera path: {error}{unsaid}") from error
    if file.camera_type.lower() != "perspective":
        raise bad(name, f"has cameras of type '{file.camera_type[:40]}'; only perspective ones are rendered")
    if not 1 <= len(file.camera_path) <= MAX_STOPS:
        raise bad(name, f"has {len(file.camera_path)} cameras; 1 to {MAX_STOPS} are rendered")
    for word, side in (("height", file.render_height), ("width", file.render_width)):
        if not (1 <= side <= MAX_SIDE and side == int(side)):
            raise bad(name, f"has the render_{word} {side:g}, not a whole number from 1 to {MAX_SIDE}")
    size = int(file.render_width), int(file.render_height)
    stops = [_stop(camera, size, f"{name}, camera {n}") for n, camera in enumerate(file.camera_path)]
    if len({time is None for _, time in stops}) > 1:
        raise bad(name, "has a render_time for some cameras and none for others")
    rate = file.fps
    if rate is None:
        rate = FPS if file.seconds is None else len(stops) / file.seconds if file.seconds > 0 else math.nan
    if not 0 < rate < math.inf:
        raise bad(name, "has no rate above 0 (fps, or seconds)")
    return CameraPath(stops, rate)


def write(path: CameraPath) -> bytes:
    """The bytes of a nerfstudio camera path file, whose matrices are exact.

    Raises UserError `cameras.bad` for what such a file cannot say: several sizes, pixels that are not square,
    a principal point off the middle, times for some cameras only, no cameras or more than MAX_STOPS.
    """
    name = "The camera path"
    if not 1 <= len(path.stops) <= MAX_STOPS:
        raise bad(name, f"has {len(path.stops)} cameras; a file holds 1 to {MAX_STOPS}")
    first = path.stops[0][0]
    cameras = []
    for number, (camera, time) in enumerate(path.stops):
        here = f"{name}, camera {number},"
        if (camera.width, camera.height) != (first.width, first.height):
            raise bad(here, "has another picture size than the first, which a file cannot say")
        off = abs(camera.centre_x - camera.width / 2), abs(camera.centre_y - camera.height / 2)
        if max(off) > 1e-6 * max(camera.width, camera.height):
            raise bad(here, "has its principal point off the middle, which a file cannot say")
        if not math.isclose(camera.focal_x, camera.focal_y, rel_tol=1e-6):
            raise bad(here, "has pixels that are not square, which a file cannot say")
        if (time is None) != (path.stops[0][1] is None):
            raise bad(here, "has a time where the first has none, or none where that has one")
        entry = {
            "camera_to_world": camera.world_from_camera.ravel().tolist(),
            "fov": math.degrees(2 * math.atan(0.5 * camera.height / camera.focal_y)),
            "aspect": camera.width / camera.height,
        }
        cameras.append(entry if time is None else {**entry, "render_time": time})
    file = {
        "camera_type": "perspective",
        "render_height": first.height,
        "render_width": first.width,
        "fps": path.fps,
        "seconds": len(cameras) / path.fps,
        "camera_path": cameras,
    }
    return json.dumps(file, allow_nan=False).encode()


def _stop(camera: _Camera, size: tuple[int, int], here: str) -> Stop:
    if len(camera.camera_to_world) != 16:
        raise bad(here, f"has a camera_to_world of {len(camera.camera_to_world)} numbers, not 16")
    matrix = np.array(camera.camera_to_world, np.float64).reshape(4, 4)
    if not np.isfinite(matrix).all():
        raise bad(here, "has a camera_to_world with what is no finite number")
    turn = matrix[:3, :3]
    if np.abs(matrix[3] - (0, 0, 0, 1)).max() > _TOLERANCE:
        raise bad(here, "has a camera_to_world whose last row is not 0 0 0 1; it is read row by row")
    matrix[3] = 0, 0, 0, 1
    if np.abs(turn.T @ turn - np.eye(3)).max() > _TOLERANCE or np.linalg.det(turn) < 0:
        raise bad(here, "has a camera_to_world that scales, shears or mirrors; it may only turn and shift")
    if not 0 < camera.fov < 180:
        raise bad(here, f"has the fov {camera.fov:g}, not an angle between 0 and 180 degrees")
    if camera.render_time is not None and not math.isfinite(camera.render_time):
        raise bad(here, "has a render_time that is no finite number")
    return Pinhole.from_fov(matrix, math.radians(camera.fov), *size), camera.render_time
