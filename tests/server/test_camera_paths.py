"""Camera paths: the file there and back and what it refuses, and where generated cameras stand."""

import json
import math
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from maquette_server.cameras import path_file, paths, sampling, spiral, turntable
from maquette_server.cameras.pinhole import Pinhole, look_at
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

UP = np.array([0.0, 0.0, 1.0])


def camera(
    eye: object, target: object = (0, 0, 0), up: NDArray[np.float64] = UP, focal: float = 50.0
) -> Pinhole:
    matrix = look_at(np.array(eye, float), np.array(target, float), up)
    return Pinhole(matrix, focal, focal, 32.0, 24.0, 64, 48)


def document(**changes: object) -> dict[str, Any]:
    """A path of two cameras as nerfstudio's viewer writes it; None takes a field out."""
    matrix = look_at(np.array([1.0, 2.0, 3.0]), np.zeros(3), UP).ravel().tolist()
    path = {
        "keyframes": [{"matrix": "[1,0,0,0]", "fov": 75, "aspect": 1.5, "properties": "[]"}],
        "camera_type": "perspective",
        "render_height": 540,
        "render_width": 960,
        "camera_path": [{"camera_to_world": matrix, "fov": fov, "aspect": 16 / 9} for fov in (75, 50.5)],
        "fps": 24,
        "seconds": 4,
        "smoothness_value": 0.5,
        "is_cycle": False,
        "crop": None,
        **changes,
    }
    return {key: value for key, value in path.items() if value is not None or key == "crop"}


def read(path: dict[str, Any]) -> paths.CameraPath:
    return path_file.read(json.dumps(path).encode())


def refused(path: dict[str, Any] | bytes) -> str:
    with pytest.raises(UserError) as caught:
        path_file.read(path if isinstance(path, bytes) else json.dumps(path).encode(), name="'path.json'")
    assert caught.value.code == "cameras.bad"
    assert caught.value.sentence.startswith("'path.json'")
    assert caught.value.hint
    return caught.value.sentence


def with_camera(**changes: object) -> dict[str, Any]:
    """The document with its second camera changed."""
    path = document()
    path["camera_path"][1] = {k: v for k, v in {**path["camera_path"][1], **changes}.items() if v is not None}
    return path


# --- the file


@pytest.mark.parametrize(("fov", "height", "focal"), [(75, 540, 351.8708507), (50, 512, 548.9937717)])
def test_the_vertical_angle_gives_the_focal_length(fov: float, height: int, focal: float) -> None:
    path = with_camera(fov=fov) | {"render_height": height}
    shown, time = read(path).stops[1]
    assert shown.focal_x == shown.focal_y == pytest.approx(focal, abs=5e-8)
    assert (shown.centre_x, shown.centre_y, shown.width, shown.height) == (480, height / 2, 960, height)
    assert time is None


def test_matrices_are_read_row_by_row() -> None:
    path = document()
    stops = read(path).stops
    assert len(stops) == 2
    np.testing.assert_array_equal(stops[0][0].position, [1, 2, 3])
    pixel, depth = stops[0][0].project(np.zeros(3))
    np.testing.assert_allclose(pixel, (480, 270))
    assert depth == pytest.approx(math.sqrt(14))


def test_the_rate_is_fps_else_from_the_seconds_else_usual() -> None:
    assert read(document(fps=30, seconds=1)).fps == 30
    assert read(document(fps=None, seconds=4)).fps == 0.5
    assert read(document(fps=None, seconds=None)).fps == 24
    for wrong in ({"fps": 0}, {"fps": -3}, {"fps": None, "seconds": 0}):
        assert "rate" in refused(document(**wrong))


def test_what_is_written_is_read_back() -> None:
    generator = np.random.default_rng(0)
    stops: list[paths.Stop] = []
    for time in (0.0, 3.5, 10.0):
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.random(rng=generator).as_matrix()
        matrix[:3, 3] = generator.normal(size=3) * 1e5
        stops.append((Pinhole.from_fov(matrix, math.radians(40 + time), 200, 100), time))
    for given in (stops, [(shown, None) for shown, _ in stops]):
        back = path_file.read(path_file.write(paths.CameraPath(given, 29.97)))
        assert back.fps == 29.97
        assert [time for _, time in back.stops] == [time for _, time in given]
        for (one, _), (other, _) in zip(given, back.stops, strict=True):
            np.testing.assert_array_equal(other.world_from_camera, one.world_from_camera)
            assert other.focal_x == pytest.approx(one.focal_x, rel=1e-12)
            assert (other.width, other.height) == (200, 100)
    held = json.loads(path_file.write(paths.CameraPath(stops, 30)))
    assert held["seconds"] == 0.1
    assert held["camera_path"][1]["fov"] == pytest.approx(43.5)
    assert held["camera_path"][1]["aspect"] == 2
    assert held["camera_path"][1]["render_time"] == 3.5


def test_what_a_file_cannot_say_is_not_written() -> None:
    plain = camera((1, 2, 3))
    off = Pinhole(plain.world_from_camera, 50, 50, 30, 24, 64, 48)
    oblong = Pinhole(plain.world_from_camera, 50, 60, 32, 24, 64, 48)
    for stops, word in (
        ([(plain, None), (off, None)], "principal point"),
        ([(plain, None), (oblong, None)], "square"),
        ([(plain, None), (plain.resized(32, 24), None)], "size"),
        ([(plain, None), (plain, 1.0)], "time"),
        ([], "0 cameras"),
    ):
        with pytest.raises(UserError, match=word):
            path_file.write(paths.CameraPath(stops, 24))


def test_files_are_opened_by_us(tmp_path: Path) -> None:
    file = tmp_path / "path.json"
    file.write_text(json.dumps(document()), encoding="utf-8")
    assert len(path_file.load(file).stops) == 2
    for place in (tmp_path / "gone.json", tmp_path):
        with pytest.raises(UserError, match="cannot be opened"):
            path_file.load(place)


@pytest.mark.parametrize("kind", ["fisheye", "equirectangular", "omnidirectional", "vr180"])
def test_other_cameras_than_perspective_are_refused_by_name(kind: str) -> None:
    assert kind in refused(document(camera_type=kind))
    assert len(read(document(camera_type="PERSPECTIVE")).stops) == 2
    assert len(read(document(camera_type=None)).stops) == 2


def test_wrong_files_are_refused_by_what_is_wrong() -> None:
    matrix = document()["camera_path"][0]["camera_to_world"]
    upright = np.array(matrix).reshape(4, 4)
    assert "malformed" in refused(b"{no path")
    refused(b"")
    refused(b"\xff\xfe{}")
    refused(b"[" * 100_000)
    refused(b"[]")
    assert "render_width" in refused(document(render_width=None))
    assert "$.camera_path" in refused(document(camera_path="all of them"))
    assert "0 cameras" in refused(document(camera_path=[]))
    assert "render_height" in refused(document(render_height=0))
    assert "render_width" in refused(document(render_width=99.5))
    assert "render_width" in refused(document(render_width=10**6))
    assert "camera_path[1]" in refused(with_camera(fov=None))
    for changes, word in (
        ({"fov": 0}, "fov 0"),
        ({"fov": 180}, "fov 180"),
        ({"camera_to_world": matrix[:12]}, "12 numbers, not 16"),
        ({"camera_to_world": [[1, 0, 0, 0]] * 4}, "camera_path[1].camera_to_world"),
        ({"camera_to_world": upright.T.ravel().tolist()}, "last row"),
        ({"camera_to_world": (upright * [[2, 2, 2, 1]]).ravel().tolist()}, "scales"),
        ({"camera_to_world": (upright * [[-1, 1, 1, 1]]).ravel().tolist()}, "mirrors"),
        ({"camera_to_world": (upright + np.eye(4)[[1, 2, 0, 3]] * 0.1).ravel().tolist()}, ""),
        ({"camera_to_world": [math.nan, *matrix[1:]]}, "NaN"),
        ({"fov": math.inf}, "Infinity"),
        ({"render_time": 0.5}, "render_time for some"),
    ):
        sentence = refused(with_camera(**changes))
        assert word in sentence, sentence
    assert "camera 1 " in refused(with_camera(fov=200))
    huge = json.dumps(with_camera(fov=12345)).replace("12345", "1e999").encode()
    refused(huge)


def test_few_digits_are_enough_for_a_rotation() -> None:
    matrix = [round(value, 4) for value in document()["camera_path"][0]["camera_to_world"]]
    assert len(read(with_camera(camera_to_world=matrix)).stops) == 2


def test_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_file, "MAX_STOPS", 1)
    assert "2 cameras" in refused(document())
    monkeypatch.setattr(path_file, "MAX_BYTES", 100)
    assert "MiB" in refused(document())


# --- generated paths


def looks_at(shown: Pinhole, target: NDArray[np.float64]) -> bool:
    pixel, depth = shown.project(target)
    return bool(depth > 0 and np.allclose(pixel, (shown.centre_x, shown.centre_y), atol=1e-6))


def proper(stops: list[paths.Stop]) -> bool:
    """Whether every matrix is a rotation and a shift."""
    turns = np.stack([shown.world_from_camera[:3, :3] for shown, _ in stops])
    return np.allclose(turns.transpose(0, 2, 1) @ turns, np.eye(3)) and np.allclose(np.linalg.det(turns), 1)


@hypothesis.given(
    st.tuples(*[st.floats(-5, 5)] * 3),
    st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda up: math.hypot(*up) > 0.1),
    st.floats(-90, 90),
    st.integers(1, 9),
)
def test_a_turntable_goes_round_its_target(
    target: tuple[float, ...], up: tuple[float, ...], elevation: float, frames: int
) -> None:
    stops = turntable.turntable(target, 2.5, up, frames, elevation, 40, (64, 48))
    centre, axis = np.array(target), np.array(up) / math.hypot(*up)
    assert len(stops) == frames
    assert proper(stops)
    for shown, time in stops:
        offset = shown.position - centre
        assert np.linalg.norm(offset) == pytest.approx(2.5)
        assert offset @ axis == pytest.approx(2.5 * math.sin(math.radians(elevation)), abs=1e-9)
        assert looks_at(shown, centre)
        assert shown.world_from_camera[:3, 1] @ axis >= -1e-9  # never upside down
        assert time is None
    if frames > 1 and abs(elevation) < 89:
        assert np.allclose(
            sum(shown.position for shown, _ in stops) / frames @ axis, stops[0][0].position @ axis
        )


def test_a_turntable_starts_in_front_and_goes_counter_clockwise() -> None:
    def first_two(up: tuple[int, ...], **options: Any) -> list[list[float]]:
        stops = turntable.turntable((0, 0, 0), 1, up, 4, 0, 40, (8, 8), **options)
        return [np.round(shown.position, 9).tolist() for shown, _ in stops[:2]]

    assert first_two((0, 1, 0)) == [[0, 0, 1], [1, 0, 0]]  # as the paint cameras count
    assert first_two((0, 0, 1)) == [[0, -1, 0], [1, 0, 0]]  # Blender's front view
    assert first_two((0, 0, 2), front=(1, 0, 5)) == [[1, 0, 0], [0, 1, 0]]
    assert first_two((0, -1, 0))[0] == [0, 0, 1]


def test_a_turntable_agrees_with_the_turn_views_of_painting() -> None:
    views = sampling.turn_views(7, size=32)
    # those aim above the point they go round, so the places are compared
    stops = turntable.turntable((0, 0, 0), 1.8, (0, 1, 0), 7, 30, sampling.FOV, (32, 32))
    for view, (shown, _) in zip(views, stops, strict=True):
        np.testing.assert_allclose(shown.position, view.camera.position, atol=1e-12)
        assert shown.focal_y == pytest.approx(view.camera.focal_y)


def test_a_turntable_of_nonsense_is_refused() -> None:
    good: dict[str, Any] = {
        "radius": 1,
        "up": (0, 0, 1),
        "frames": 4,
        "elevation": 0,
        "fov": 40,
        "size": (8, 8),
    }
    for wrong in (
        {"radius": 0},
        {"radius": math.nan},
        {"frames": 0},
        {"elevation": 91},
        {"fov": 180},
        {"size": (0, 8)},
        {"up": (0, 0, 0)},
    ):
        with pytest.raises(ValueError):
            turntable.turntable((0, 0, 0), **{**good, **wrong})


def grid(target: tuple[float, float, float] | None) -> list[Pinhole]:
    """Cameras in a plane that face +y, at one target or all the same way."""
    places = [(x, -4.0, z) for x in (-1.0, 0.0, 1.0) for z in (-0.5, 0.0, 0.5)]
    return [camera((x, y, z), target or (x, 0, z)) for x, y, z in places]


def test_a_spiral_before_a_scene_stays_where_cameras_were_and_looks_at_their_focus() -> None:
    stops = spiral.spiral(grid((0, 0, 0)), 80)
    places = np.stack([shown.position for shown, _ in stops])
    assert proper(stops)
    assert np.abs(places[:, 0]).max() == pytest.approx(1)
    assert np.abs(places[:, 2]).max() == pytest.approx(0.5)
    assert np.abs(places[:, 1] + 4).max() < 0.4
    assert all(looks_at(shown, np.zeros(3)) for shown, _ in stops)
    assert np.linalg.norm(np.diff(places, axis=0, append=places[:1]), axis=1).max() < 0.3  # closed
    assert {(shown.width, shown.height, shown.focal_y) for shown, _ in stops} == {(64, 48, 50.0)}


def test_a_spiral_of_parallel_cameras_keeps_their_direction() -> None:
    for shown, _ in spiral.spiral(grid(None), 10):
        np.testing.assert_allclose(shown.world_from_camera[:3, 2], (0, -1, 0), atol=1e-9)


def test_a_spiral_round_a_thing_keeps_its_distance_and_its_heights() -> None:
    generator = np.random.default_rng(0)
    directions = generator.normal(size=(80, 3))
    directions[:, 2] = np.abs(directions[:, 2])  # the upper half, as in the synthetic scenes
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    target = np.array([3.0, -2.0, 5.0])
    stops = spiral.spiral([camera(target + 4.031 * d, target) for d in directions], 90)
    offsets = np.stack([shown.position for shown, _ in stops]) - target
    assert proper(stops)
    np.testing.assert_allclose(np.linalg.norm(offsets, axis=1), 4.031)
    assert all(looks_at(shown, target) for shown, _ in stops)
    low, high = np.percentile(directions[:, 2], [10, 90])
    assert offsets[:, 2].min() >= 0
    assert abs(offsets[:, 2].min() / 4.031 - low) < 0.1
    assert abs(offsets[:, 2].max() / 4.031 - high) < 0.1
    turned = np.unwrap(np.arctan2(offsets[:, 1], offsets[:, 0]))
    assert turned[-1] - turned[0] == pytest.approx(4 * math.pi * 89 / 90, abs=0.05)


def test_up_is_found_although_all_cameras_look_down_from_one_side() -> None:
    cameras = [camera((3 * math.cos(a), 3 * math.sin(a), 2)) for a in np.radians(np.linspace(-50, 50, 9))]
    for shown, _ in spiral.spiral(cameras, 12):
        assert shown.position[2] == pytest.approx(2)  # all elevations are one
    given = [shown.world_from_camera for shown, _ in spiral.spiral(cameras, 12, up=(0, 0, 3))]
    found = [shown.world_from_camera for shown, _ in spiral.spiral(cameras, 12)]
    np.testing.assert_allclose(found, given, atol=1e-9)


def test_a_spiral_moves_with_its_cameras() -> None:
    turn, shift = Rotation.from_rotvec([0.3, -1.0, 0.4]).as_matrix(), np.array([5.0, 6.0, -7.0])
    move = np.eye(4)
    move[:3, :3], move[:3, 3] = turn, shift
    for cameras in (grid((0.2, 0.5, 0)), [camera((3 * math.cos(a), 3 * math.sin(a), 1)) for a in range(6)]):
        moved = [Pinhole(move @ c.world_from_camera, 50, 50, 32, 24, 64, 48) for c in cameras]
        for (one, _), (other, _) in zip(spiral.spiral(cameras, 9), spiral.spiral(moved, 9), strict=True):
            np.testing.assert_allclose(other.world_from_camera, move @ one.world_from_camera, atol=1e-7)


def test_a_spiral_that_has_no_meaning_is_refused() -> None:
    outward = [camera((math.cos(a), math.sin(a), 0), (9 * math.cos(a), 9 * math.sin(a), 0)) for a in range(6)]
    spot = [camera((1, 1, 1), (0, x, 0)) for x in (0, 0.1, 0.2)]
    for cameras, word in (
        ([], "two cameras"),
        ([camera((1, 1, 1))], "two"),
        (outward, "away"),
        (spot, "spot"),
    ):
        with pytest.raises(UserError, match=word) as caught:
            spiral.spiral(cameras)
        assert caught.value.code == "cameras.bad"


def test_a_spiral_does_not_go_where_no_camera_looked_from() -> None:
    angles = np.radians(np.linspace(140, 260, 13))  # over the line where angles start anew
    cameras = [camera((3 * math.cos(a), 3 * math.sin(a), 1 + 0.1 * (n % 3))) for n, a in enumerate(angles)]
    stops = spiral.spiral(cameras, 40)
    for shown, _ in stops:
        azimuth = math.degrees(math.atan2(shown.position[1], shown.position[0])) % 360
        assert 139 < azimuth < 261
        assert 0.9 < shown.position[2] < 1.3
    places = np.stack([shown.position for shown, _ in stops])
    assert np.ptp(places[:, 1]) > 3
    assert np.linalg.norm(np.diff(places, axis=0, append=places[:1]), axis=1).max() < 1  # closed


@pytest.mark.parametrize("capture", ["fox", "lego"])
def test_spirals_of_real_captures_are_among_their_cameras(capture: str, data: Path) -> None:
    file = {"fox": "transforms.json", "lego": "transforms_train.json"}[capture]
    frames = json.loads((data / capture / file).read_text(encoding="utf-8"))["frames"]
    poses = [np.array(frame["transform_matrix"]) for frame in frames]
    cameras = [Pinhole(pose, 50, 50, 32, 24, 64, 48) for pose in poses]
    stops = spiral.spiral(cameras, 40)
    assert proper(stops)
    given = np.stack([pose[:3, 3] for pose in poses])
    reach = np.linalg.norm(given - given.mean(0), axis=1).max()
    for shown, _ in stops:
        nearest = np.linalg.norm(given - shown.position, axis=1)
        assert nearest.min() < 0.6 * reach
        like = poses[int(nearest.argmin())]
        assert like[:3, 2] @ shown.world_from_camera[:3, 2] > 0.8


def test_a_path_goes_through_its_cameras() -> None:
    given: list[paths.Stop] = [
        (camera((4, 0, 1), focal=50), 0.0),
        (camera((0, 5, 2), focal=60), 1.0),
        (camera((-4, 1, 0), focal=80), 5.0),
    ]
    stops = paths.through(given, 9)
    assert proper(stops)
    for (one, time), (other, then) in zip(given, stops[::4], strict=True):
        np.testing.assert_allclose(other.world_from_camera, one.world_from_camera, atol=1e-12)
        assert other.focal_x == pytest.approx(one.focal_x)
        assert time == then
    assert stops[6][0].focal_y == pytest.approx(math.sqrt(60 * 80))
    assert stops[6][1] == 3.0
    without = paths.through([*given[:2], (given[2][0], None)], 5)
    assert [time for _, time in without] == [None] * 5


def test_cameras_on_a_line_give_a_line_and_equal_steps() -> None:
    stops = paths.through([(camera((x, -3, 0), (x, 0, 0)), None) for x in range(4)], 31)
    places = np.stack([shown.position for shown, _ in stops])
    np.testing.assert_allclose(places[:, 0], np.linspace(0, 3, 31), atol=1e-12)
    np.testing.assert_allclose(places[:, 1:], [[-3, 0]] * 31, atol=1e-12)


def test_halfway_between_two_cameras_half_the_turn_is_made() -> None:
    turned = np.eye(4)
    turned[:3, :3] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    first, last = (Pinhole.from_fov(matrix, 1.0, 8, 8) for matrix in (np.eye(4), turned))
    middle = paths.through([(first, None), (last, None)], 3)[1][0]
    expected = Rotation.from_euler("z", 45, degrees=True).as_matrix()
    np.testing.assert_allclose(middle.world_from_camera[:3, :3], expected, atol=1e-12)


def test_a_path_is_smooth_at_its_cameras() -> None:
    given: list[paths.Stop] = [
        (camera((4 * math.cos(a), 4 * math.sin(a), a)), None) for a in (0, 1, 2.5, 3, 5)
    ]
    for loop in (False, True):
        places = np.stack([shown.position for shown, _ in paths.through(given, 4001, loop=loop)])
        steps = np.diff(places, axis=0) * 1000
        assert (
            np.linalg.norm(np.diff(steps, axis=0), axis=1).max() < 0.05 * np.linalg.norm(steps, axis=1).max()
        )


def test_a_loop_comes_back_and_repeats_no_frame() -> None:
    given: list[paths.Stop] = [
        (camera(place), None) for place in ((4, 0, 0), (0, 4, 0), (-4, 0, 0), (0, -4, 0))
    ]
    stops = paths.through(given, 8, loop=True)
    for (one, _), (other, _) in zip(given, stops[::2], strict=True):
        np.testing.assert_allclose(other.world_from_camera, one.world_from_camera, atol=1e-12)
    radii = [float(np.linalg.norm(shown.position)) for shown, _ in stops[1::2]]
    assert max(radii) == pytest.approx(min(radii))  # the last stretch is like the others


def test_one_camera_stands_still_and_none_is_refused() -> None:
    only: paths.Stop = (camera((1, 2, 3)), 2.0)
    assert paths.through([only], 3) == [only] * 3
    for stops, frames in (([], 3), ([only], 0), ([only], paths.MAX_STOPS + 1)):
        with pytest.raises(UserError, match="needs a camera"):
            paths.through(stops, frames)


def test_other_picture_sizes_are_brought_to_the_firsts_height() -> None:
    wide = Pinhole(camera((0, 4, 0)).world_from_camera, 200, 200, 100, 50, 220, 96)
    last = paths.through([(camera((4, 0, 0)), None), (wide, None)], 2)[1][0]
    assert (last.width, last.height, last.focal_x, last.focal_y) == (64, 48, *[pytest.approx(100)] * 2)
    assert (last.centre_x, last.centre_y) == (pytest.approx(27), pytest.approx(25))


def test_times_run_evenly() -> None:
    stops = paths.timed(turntable.turntable((0, 0, 0), 1, (0, 0, 1), 5, 0, 40, (8, 8)), 10, 12)
    assert [time for _, time in stops] == [10, 10.5, 11, 11.5, 12]
