"""Camera paths: what a render goes through, frame by frame, and the files that hold one.

A *stop* is a camera with the time it shows (any number, in the data set's own unit) or None where nothing
moves. Cameras stand in the coordinates of their input, which nothing here turns; `up` is a direction in them.

The file is nerfstudio's camera path JSON (docs.nerf.studio, `camera_paths.py` of nerfstudio 1.1), perspective
cameras only: matrices camera-to-world with OpenGL axes, the vertical angle in degrees, square pixels and the
principal point in the middle. Its `aspect` is written and, as in nerfstudio, not read: the size says it.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from .focus import nearest_to_axes
from .pinhole import Pinhole, look_at

Stop = tuple[Pinhole, float | None]
Vector = Sequence[float] | NDArray[np.float64]

MAX_STOPS = 100_000
MAX_BYTES = 64 * 2**20
MAX_SIDE = 16384  # pixels
FPS = 24.0  # where a file says nothing
_TOLERANCE = 1e-3  # of a rotation's columns; files are often written with few digits
_CONE = math.cos(math.radians(30))  # cameras within 30 degrees of their mean direction face forward
_GAP = math.radians(125)  # an arc without cameras that a path does not cross; three even ones leave 120
_OUTER = 90  # percentile of the cameras' offsets that a spiral reaches, as in LLFF's release


@dataclass(frozen=True)
class CameraPath:
    """Stops and how fast they are shown."""

    stops: list[Stop]
    fps: float  # frames per second


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
        raise _bad(f"'{path.name}'", f"cannot be opened ({error.strerror or error})") from error
    return read(data, name=f"'{path.name}'")


def read(data: bytes, *, name: str = "The camera path") -> CameraPath:
    """The path of a nerfstudio camera path file.

    The rate is its `fps`, else the number of cameras over its `seconds`, else 24. Times are there for all
    cameras or for none. Raises UserError `cameras.bad`, naming what is wrong and at which camera.
    """
    if len(data) > MAX_BYTES:
        raise _bad(name, f"has more than {MAX_BYTES // 2**20} MiB")
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        unsaid = "; it has NaN or Infinity" if b"NaN" in data or b"Infinity" in data else ""
        raise _bad(name, f"is no camera path: {error}{unsaid}") from error
    if file.camera_type.lower() != "perspective":
        raise _bad(name, f"has cameras of type '{file.camera_type[:40]}'; only perspective ones are rendered")
    if not 1 <= len(file.camera_path) <= MAX_STOPS:
        raise _bad(name, f"has {len(file.camera_path)} cameras; 1 to {MAX_STOPS} are rendered")
    for word, side in (("height", file.render_height), ("width", file.render_width)):
        if not (1 <= side <= MAX_SIDE and side == int(side)):
            raise _bad(name, f"has the render_{word} {side:g}, not a whole number from 1 to {MAX_SIDE}")
    size = int(file.render_width), int(file.render_height)
    stops = [_stop(camera, size, f"{name}, camera {n}") for n, camera in enumerate(file.camera_path)]
    if len({time is None for _, time in stops}) > 1:
        raise _bad(name, "has a render_time for some cameras and none for others")
    rate = file.fps
    if rate is None:
        rate = FPS if file.seconds is None else len(stops) / file.seconds if file.seconds > 0 else math.nan
    if not 0 < rate < math.inf:
        raise _bad(name, "has no rate above 0 (fps, or seconds)")
    return CameraPath(stops, rate)


def write(path: CameraPath) -> bytes:
    """The bytes of a nerfstudio camera path file, whose matrices are exact.

    Raises UserError `cameras.bad` for what such a file cannot say: several sizes, pixels that are not square,
    a principal point off the middle, times for some cameras only, no cameras or more than MAX_STOPS.
    """
    name = "The camera path"
    if not 1 <= len(path.stops) <= MAX_STOPS:
        raise _bad(name, f"has {len(path.stops)} cameras; a file holds 1 to {MAX_STOPS}")
    first = path.stops[0][0]
    cameras = []
    for number, (camera, time) in enumerate(path.stops):
        here = f"{name}, camera {number},"
        if (camera.width, camera.height) != (first.width, first.height):
            raise _bad(here, "has another picture size than the first, which a file cannot say")
        off = abs(camera.centre_x - camera.width / 2), abs(camera.centre_y - camera.height / 2)
        if max(off) > 1e-6 * max(camera.width, camera.height):
            raise _bad(here, "has its principal point off the middle, which a file cannot say")
        if not math.isclose(camera.focal_x, camera.focal_y, rel_tol=1e-6):
            raise _bad(here, "has pixels that are not square, which a file cannot say")
        if (time is None) != (path.stops[0][1] is None):
            raise _bad(here, "has a time where the first has none, or none where that has one")
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


def turntable(
    target: Vector,
    radius: float,
    up: Vector,
    frames: int,
    elevation: float,
    fov: float,
    size: tuple[int, int],
    *,
    front: Vector | None = None,
) -> list[Stop]:
    """Once round `target` at distance `radius`, counter-clockwise seen from the tip of `up`; no frame twice.

    elevation: degrees above the plane through the target, -90..90. fov: vertical, degrees. size: width and
    height in pixels. front: where the first camera stands, seen from the target; what of it lies along `up`
    does not count. Without it, +z where up is +y and -y where up is +z. Raises ValueError for numbers out of
    their range.
    """
    if frames < 1 or not radius > 0 or not -90 <= elevation <= 90 or not 0 < fov < 180 or min(size) < 1:
        raise ValueError(
            f"no turntable of {frames} frames, radius {radius}, {elevation} and {fov} degrees, {size}"
        )
    axes = _axes(np.asarray(up, np.float64), None if front is None else np.asarray(front, np.float64))
    centre = np.asarray(target, np.float64)
    turns = 2 * math.pi * np.arange(frames) / frames
    matrices = [_orbit(centre, radius, turn, math.radians(elevation), axes) for turn in turns.tolist()]
    return [(Pinhole.from_fov(matrix, math.radians(fov), *size), None) for matrix in matrices]


def spiral(
    cameras: Sequence[Pinhole], frames: int = 120, *, turns: int = 2, up: Vector | None = None
) -> list[Stop]:
    """A closed path that shows the scene from where its cameras looked at it.

    The *focus* is the point nearest to all optical axes. Cameras that mostly (nine in ten) look within 30
    degrees of their mean direction face forward: the path is LLFF's (arXiv:1905.00889, its release), `turns`
    rounds about their mean place that reach the 90th percentile of their offsets in x and y and once to and
    fro in depth, looking at the focus; if their axes are parallel, all frames look the mean way. Otherwise
    they look inward: the path keeps the median distance to the focus and looks at it. It goes round `turns`
    times, and once from the 10th to the 90th percentile of the elevations and back; or, where the cameras
    leave an arc of more than 125 degrees free, in `turns` ellipses over those percentiles of both angles.

    up: direction of the world, by default what is square to all the cameras' sides (as when nobody tilts his
    head), else the mean of their own. Size and middle are the first
    camera's, the focal length is the median one. Raises UserError `cameras.bad` for fewer than two cameras,
    cameras on one spot, and cameras that look away from each other.
    """
    if frames < 1 or turns < 1:
        raise ValueError(f"no spiral of {frames} frames and {turns} turns")
    if len(cameras) < 2:
        raise _bad("A spiral", f"needs at least two cameras, not {len(cameras)}")
    poses = np.stack([camera.world_from_camera for camera in cameras])  # [N, 4, 4]
    places, forward = poses[:, :3, 3], -poses[:, :3, 2]
    if np.ptp(places, axis=0).max() <= 1e-9 * max(1e-300, np.abs(places).max()):
        raise _bad("A spiral", "needs cameras in several places; these stand on one spot")
    upward = _upward(poses) if up is None else _unit(np.asarray(up, np.float64), poses[0, :3, 1])
    mean = _unit(forward.mean(0), forward[0])
    focus = nearest_to_axes(places, forward)
    along = np.arange(frames) / frames
    if np.percentile(forward @ mean, 100 - _OUTER) > _CONE:
        matrices = _before(places, mean, upward, focus, along, turns)
    else:
        if focus is None or np.median(np.sum((focus - places) * forward, 1)) <= 0:
            raise _bad("A spiral", "needs cameras that look at one thing; these look away from each other")
        matrices = _around(places, focus, upward, along, turns)
    width, height = cameras[0].width, cameras[0].height
    focal = float(np.median([camera.focal_y * height / camera.height for camera in cameras]))
    lens = Pinhole(np.eye(4), focal, focal, width / 2, height / 2, width, height)
    return [(replace(lens, world_from_camera=matrix), None) for matrix in matrices]


def through(stops: Sequence[Stop], frames: int, *, loop: bool = False) -> list[Stop]:
    """A smooth path through the given stops, `frames` long: from first to last, or round to the first again.

    Each stretch between two stops takes equally long. Places follow the uniform Catmull-Rom spline, rotations
    the shorter great arc between neighbours (slerp), focal lengths and times change evenly (focal lengths by
    a factor). The picture size is the first camera's; others are brought to its height. Times are kept where
    all stops have one. Raises UserError `cameras.bad` without a stop or with more than MAX_STOPS frames.
    """
    if not stops or not 1 <= frames <= MAX_STOPS:
        raise _bad("A path", f"needs a camera and 1 to {MAX_STOPS} frames, not {len(stops)} and {frames}")
    first = stops[0][0]
    cameras = [_in_height(camera, first.width, first.height) for camera, _ in stops]
    times = [time for _, time in stops if time is not None]
    if loop:
        cameras, times = [*cameras, cameras[0]], [*times, *times[:1]]
    knots = len(cameras)
    if knots == 1:
        return [(cameras[0], stops[0][1])] * frames
    where = np.linspace(0, knots - 1, frames, endpoint=not loop)
    poses = np.stack([camera.world_from_camera for camera in cameras])
    rotations = Slerp(np.arange(knots), Rotation.from_matrix(poses[:, :3, :3]))(where).as_matrix()
    places = _catmull_rom(poses[:, :3, 3], where, loop)
    lenses = np.array([[np.log(c.focal_x), np.log(c.focal_y), c.centre_x, c.centre_y] for c in cameras])
    lens = np.stack([np.interp(where, np.arange(knots), column) for column in lenses.T], 1)
    shown = np.interp(where, np.arange(knots), times).tolist() if len(times) == knots else [None] * frames
    result: list[Stop] = []
    for number, time in enumerate(shown):
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = rotations[number], places[number]
        focal_x, focal_y, centre_x, centre_y = lens[number].tolist()
        sizes = math.exp(focal_x), math.exp(focal_y), centre_x, centre_y, first.width, first.height
        result.append((Pinhole(matrix, *sizes), time))
    return result


def timed(stops: Sequence[Stop], start: float, end: float) -> list[Stop]:
    """The same cameras with times that run evenly from `start` to `end`."""
    times = np.linspace(start, end, len(stops)).tolist()
    return [(camera, time) for (camera, _), time in zip(stops, times, strict=True)]


def _stop(camera: _Camera, size: tuple[int, int], here: str) -> Stop:
    if len(camera.camera_to_world) != 16:
        raise _bad(here, f"has a camera_to_world of {len(camera.camera_to_world)} numbers, not 16")
    matrix = np.array(camera.camera_to_world, np.float64).reshape(4, 4)
    if not np.isfinite(matrix).all():
        raise _bad(here, "has a camera_to_world with what is no finite number")
    turn = matrix[:3, :3]
    if np.abs(matrix[3] - (0, 0, 0, 1)).max() > _TOLERANCE:
        raise _bad(here, "has a camera_to_world whose last row is not 0 0 0 1; it is read row by row")
    matrix[3] = 0, 0, 0, 1
    if np.abs(turn.T @ turn - np.eye(3)).max() > _TOLERANCE or np.linalg.det(turn) < 0:
        raise _bad(here, "has a camera_to_world that scales, shears or mirrors; it may only turn and shift")
    if not 0 < camera.fov < 180:
        raise _bad(here, f"has the fov {camera.fov:g}, not an angle between 0 and 180 degrees")
    if camera.render_time is not None and not math.isfinite(camera.render_time):
        raise _bad(here, "has a render_time that is no finite number")
    return Pinhole.from_fov(matrix, math.radians(camera.fov), *size), camera.render_time


def _bad(name: str, why: str) -> UserError:
    return UserError(
        "cameras.bad", f"{name} {why}.", hint="Give a nerfstudio camera path, or choose turntable or spiral."
    )


def _unit(vector: NDArray[np.float64], instead: NDArray[np.float64]) -> NDArray[np.float64]:
    length = np.linalg.norm(vector)
    return vector / length if length > 1e-9 else instead / np.linalg.norm(instead)


def _upward(poses: NDArray[np.float64]) -> NDArray[np.float64]:
    """The world's up by poses [N, 4, 4]; their mean up leans where all cameras look down from one side."""
    mean = _unit(poses[:, :3, 1].mean(0), poses[0, :3, 1])
    sides = poses[:, :3, 0]
    sizes, directions = np.linalg.eigh(sides.T @ sides / len(sides))  # ascending
    if sizes[1] < max(0.05, 4 * sizes[0]):
        return mean  # the sides lie on a line, or on no plane
    return directions[:, 0] if directions[:, 0] @ mean > 0 else -directions[:, 0]


def _axes(up: NDArray[np.float64], front: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Rows: where azimuth 0 is, where azimuth 90 degrees is, up; [3, 3], orthonormal."""
    length = np.linalg.norm(up)
    if not 0 < length < math.inf:
        raise ValueError(f"up has no direction: {up}")
    up = up / length
    if front is not None:
        front = front - (front @ up) * up
    if front is None or np.linalg.norm(front) < 1e-9:
        # +z carried along by the smallest turn that takes +y to up; where up is -y there is no smallest one.
        y, z = np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, 1.0])
        front = z - (z @ up) / (1 + y @ up) * (y + up) if 1 + y @ up > 1e-9 else z
    front = front / np.linalg.norm(front)
    return np.stack([front, np.cross(up, front), up])


def _orbit(
    target: NDArray[np.float64], distance: float, azimuth: float, elevation: float, axes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """world_from_camera [4, 4] at the given angles (radians), looking at the target; poles included."""
    level = math.cos(azimuth) * axes[0] + math.sin(azimuth) * axes[1]
    backward = math.cos(elevation) * level + math.sin(elevation) * axes[2]
    upward = math.cos(elevation) * axes[2] - math.sin(elevation) * level
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([np.cross(upward, backward), upward, backward], 1)
    matrix[:3, 3] = target + distance * backward
    return matrix


def _before(
    places: NDArray[np.float64],
    mean: NDArray[np.float64],
    upward: NDArray[np.float64],
    focus: NDArray[np.float64] | None,
    along: NDArray[np.float64],
    turns: int,
) -> list[NDArray[np.float64]]:
    """Rounds in front of what all cameras face."""
    centre = places.mean(0)
    pose = look_at(centre, centre + mean, upward)
    reach = np.percentile(np.abs((places - centre) @ pose[:3, :3]), _OUTER, axis=0)
    distance = 0.0 if focus is None else float((focus - centre) @ mean)
    matrices = []
    for part in (2 * math.pi * along).tolist():
        offset = reach * (math.cos(turns * part), -math.sin(turns * part), -math.sin(part))
        eye = centre + pose[:3, :3] @ offset
        # A focus behind the cameras, or among them, is none to look at: the frames all look the mean way.
        aim = centre + distance * mean if distance > reach.max() else eye + mean
        matrices.append(look_at(eye, aim, upward))
    return matrices


def _around(
    places: NDArray[np.float64],
    focus: NDArray[np.float64],
    upward: NDArray[np.float64],
    along: NDArray[np.float64],
    turns: int,
) -> list[NDArray[np.float64]]:
    """Rounds about what all cameras look at, or ellipses where they look from one side only."""
    axes = _axes(upward, places[0] - focus)
    local = (places - focus) @ axes.T
    distances = np.maximum(np.linalg.norm(local, axis=1), 1e-300)
    low, high = np.percentile(np.arcsin(np.clip(local[:, 2] / distances, -1, 1)), [100 - _OUTER, _OUTER])
    azimuths = np.sort(np.arctan2(local[:, 1], local[:, 0]) % (2 * math.pi))
    gaps = np.diff(azimuths, append=azimuths[0] + 2 * math.pi)
    widest = int(gaps.argmax())
    if gaps[widest] > _GAP:
        azimuths[: widest + 1] += 2 * math.pi  # counted from behind the gap
        right, left = np.percentile(azimuths, [100 - _OUTER, _OUTER])
        round_about = 2 * math.pi * turns * along
        turn = 0.5 * (left + right) + 0.5 * (left - right) * np.cos(round_about)
        rise = 0.5 * (low + high) + 0.5 * (high - low) * np.sin(round_about)
    else:
        turn = 2 * math.pi * turns * along
        rise = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(2 * math.pi * along)
    distance = float(np.median(distances))
    return [_orbit(focus, distance, a, e, axes) for a, e in zip(turn.tolist(), rise.tolist(), strict=True)]


def _in_height(camera: Pinhole, width: int, height: int) -> Pinhole:
    """The same view in a picture of another size: scaled to its height, then cut or widened evenly."""
    scale = height / camera.height
    centre = 0.5 * width + scale * (camera.centre_x - 0.5 * camera.width)
    focal = scale * camera.focal_x, scale * camera.focal_y
    return Pinhole(camera.world_from_camera, *focal, centre, scale * camera.centre_y, width, height)


def _catmull_rom(points: NDArray[np.float64], where: NDArray[np.float64], loop: bool) -> NDArray[np.float64]:
    """Places [F, 3] on the uniform Catmull-Rom spline through points [K, 3] at knots 0..K-1.

    Beyond the ends stand the neighbours of the closed line, or the end mirrored: a line stays a line.
    """
    before = points[-2] if loop else 2 * points[0] - points[1]
    after = points[1] if loop else 2 * points[-1] - points[-2]
    padded = np.concatenate([before[None], points, after[None]])
    start = np.minimum(where.astype(np.int64), len(points) - 2)
    t = (where - start)[:, None]
    p0, p1, p2, p3 = (padded[start + step] for step in range(4))
    bend = (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3
    return p1 + 0.5 * ((p2 - p0) * t + bend)
