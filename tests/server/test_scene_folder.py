"""A scene's folder: what a reconstruction wrote renders the same when it is read; what is damaged is told."""

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import ball_captures
import captures
import msgspec
import numpy as np
import pytest
import safetensors.torch
import scene_jobs
import torch
from maquette_server.cameras.lens import Lens
from maquette_server.fields.domain import Domain
from maquette_server.media import png
from maquette_server.rendering import grid_render, mip_render, seen
from maquette_server.rendering.posed import CameraRays, Posed
from maquette_server.rendering.rays import Rays
from maquette_server.scenes import folder, grid_weights, runtime
from maquette_server.scenes.files import SceneFiles
from maquette_wire.errors import UserError


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, quick_training: None) -> Path:
    """The folder of a scene that has learnt for a moment, with two checkpoints."""
    place = tmp_path_factory.mktemp("scene")
    ball_captures.write(place / "data", 6)
    job = scene_jobs.reconstruct(place / "data", place / "store", steps=4)
    return scene_jobs.write(scene_jobs.finish("reconstruct", job), place / "scene")


@pytest.fixture(scope="module")
def quick_training() -> object:
    with pytest.MonkeyPatch.context() as patch:
        scene_jobs.make_quick(patch)
        yield


@pytest.fixture
def scene(made: Path, tmp_path: Path) -> Path:
    """A copy to be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "scene"))


def opened(place: Path) -> runtime.Scene:
    return runtime.open_scene(SceneFiles.of_folder(place))


def refusal(place: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        opened(place)
    assert caught.value.code == "scene.bad"
    assert "\n" not in caught.value.line()
    return caught.value


def newest(place: Path, number: int = 0) -> Path:
    return place / folder.checkpoints(SceneFiles.of_folder(place))[number]


def changed(place: Path, file: str, change: Callable[[dict], None]) -> Path:
    content = json.loads((place / file).read_text())
    change(content)
    (place / file).write_text(json.dumps(content))
    return place


def test_what_was_written_renders_the_same_bit_for_bit(made: Path) -> None:
    scene = opened(made)
    assert scene.notes == ()
    first = next(camera for camera in scene.cameras if camera.split == "train")
    again = scene.render(first.posed()).over(scene.record.background)
    before = np.array(png.read((made / "preview.png").read_bytes()))[..., :3]
    assert np.array_equal(again, before)
    assert again.std() > 1
    assert np.array_equal(opened(made).render(first.posed()).colours, scene.render(first.posed()).colours)


def test_the_folder_holds_what_the_format_says(made: Path) -> None:
    record = json.loads((made / "scene.json").read_text())
    assert record["format"] == 1
    assert record["kind"] == "static"
    assert record["method"] == "reconstruct"
    assert record["step"] == 4
    assert record["background"] == "white"
    assert record["up"] == [0, 0, 1]
    assert record["front"] == [0, -1, 0]
    middle = np.mean(record["aabb"], 0)
    assert np.abs(middle - ball_captures.MIDDLE).max() < 0.2
    frames = json.loads((made / "cameras.json").read_text())["frames"]
    assert [frame["split"] for frame in frames] == ["train", "train", "test", "train", "train", "train"]
    for frame, pose in zip(frames, ball_captures.poses(6), strict=True):
        assert frame["transform_matrix"] == pose.tolist()  # the input's own coordinates, to the last bit
        assert (frame["w"], frame["fl_x"]) == (ball_captures.SIDE, 46.0)
        original = made.parent / "data" / frame["name"]
        assert (made / frame["image"]).read_bytes() == original.read_bytes()
    steps = sorted(path.name for path in (made / "checkpoints").iterdir())
    assert steps == ["0000003", "0000004"]


def test_a_scene_can_be_moved(made: Path, scene: Path, tmp_path: Path) -> None:
    moved = scene.rename(tmp_path / "elsewhere")
    camera = opened(made).cameras[0].posed()
    assert np.array_equal(opened(moved).render(camera).colours, opened(made).render(camera).colours)


def test_another_format_is_refused_by_its_number(scene: Path) -> None:
    changed(scene, "scene.json", lambda record: record.update(format=7, news="unknown"))
    assert "format 7" in refusal(scene).sentence


@pytest.mark.parametrize("way", ["cut short", "garbage", "empty", "nan", "other occupancy", "lacking"])
def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(made: Path, scene: Path, way: str) -> None:
    path = newest(scene)
    data = path.read_bytes()
    tensors = safetensors.torch.load(data)
    if way == "cut short":
        path.write_bytes(data[: len(data) // 2])
    elif way == "garbage":
        path.write_bytes(np.random.default_rng(0).bytes(5000))
    elif way == "empty":
        path.write_bytes(b"")
    else:
        if way == "nan":
            tensors["field.grid.table"][5, 0] = float("nan")
        elif way == "other occupancy":
            tensors["occupied"] = tensors["occupied"][:5]
        else:
            del tensors["field.grid.table"]
        path.write_bytes(safetensors.torch.save(tensors))
    found = opened(scene)
    assert len(found.notes) == 1
    assert "0000004" in found.notes[0]
    assert "the one before" in found.notes[0]
    expected = Path(shutil.copytree(made, scene.parent / "expected"))
    newest(expected).unlink()
    camera = found.cameras[0].posed()
    assert np.array_equal(found.render(camera).colours, opened(expected).render(camera).colours)


def test_a_job_says_that_a_checkpoint_was_damaged(scene: Path, tmp_path: Path) -> None:
    newest(scene).write_bytes(b"nothing")
    warnings: list[tuple[str, str]] = []
    job = scene_jobs.of_scene("evaluate", scene, tmp_path / "store", warnings=warnings)
    assert scene_jobs.finish("evaluate", job).figures["psnr"] > 0
    assert [code for code, _ in warnings] == ["checkpoint.damaged"]


def test_without_any_readable_checkpoint_it_is_refused(scene: Path) -> None:
    newest(scene, 1).write_bytes(b"nothing")
    path = newest(scene)
    tensors = safetensors.torch.load(path.read_bytes())
    tensors["field.grid.table"][5, 0] = float("nan")
    path.write_bytes(safetensors.torch.save(tensors))
    said = refusal(scene).sentence
    assert said.endswith("none of its checkpoints can be read (of the newest: weights are not finite).")
    del tensors["field.grid.table"]
    path.write_bytes(safetensors.torch.save(tensors))
    assert "'field.grid.table' is missing" in refusal(scene).sentence
    shutil.rmtree(scene / "checkpoints")
    assert "no checkpoint" in refusal(scene).sentence


def test_the_newest_checkpoint_has_the_largest_number(scene: Path) -> None:
    places = {}
    for step in (9_999_998, 12_345_678, 9_999_999):
        path = folder.checkpoint_path(step)
        places[path] = scene / path
    found = folder.checkpoints(SceneFiles(places, "a scene"))
    assert found[0] == folder.checkpoint_path(12_345_678)
    assert found[1] == folder.checkpoint_path(9_999_999)


@pytest.mark.parametrize("file", ["scene.json", "cameras.json"])
def test_a_folder_without_its_records_is_no_scene(scene: Path, file: str) -> None:
    (scene / file).unlink()
    assert file in refusal(scene).sentence


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("scene.json", lambda record: record["field"].update(type="voxels"), "voxels"),
        ("scene.json", lambda record: record.update(field={}), "unbounded"),
        ("scene.json", lambda record: record.update(near="here"), "near"),
        ("scene.json", lambda record: record.update(extra=1), "extra"),
        ("scene.json", lambda record: record.update(near=9.0, far=1.0), "from 9.0 to 1.0"),
        ("scene.json", lambda record: record.update(up=(0, 0, 0)), "up"),
        ("scene.json", lambda record: record.update(aabb=((1, 1, 1), (0, 0, 0))), "inside out"),
        ("scene.json", lambda record: record["field_from_scene"][0].__setitem__(1, 0.5), "moved and scaled"),
        ("scene.json", lambda record: record["field"]["settings"].update(width="wide"), "checkpoints"),
        ("scene.json", lambda record: record["field"].update(settings={}), "checkpoints"),
        ("scene.json", lambda record: record["field"].update(step=0), "0 apart"),
        ("scene.json", lambda record: record["field"].update(step=-0.25), "-0.25 apart"),
        ("scene.json", lambda record: record["field"]["settings"]["grid"].update(levels=10**5), "too large"),
        ("cameras.json", lambda record: record["frames"][0].update(w=0), "cameras.json"),
        ("cameras.json", lambda record: record["frames"][1].update(camera_model="opencv"), "distortion"),
    ],
)
def test_records_that_are_not_as_they_should_be_are_refused(
    scene: Path, file: str, change, says: str
) -> None:
    assert says in refusal(changed(scene, file, change)).sentence


@pytest.mark.parametrize("step", [0.0, -0.1, float("nan"), float("inf")])
def test_samples_that_no_ray_can_have_are_refused(made: Path, step: float) -> None:
    scene = opened(made)
    saved = scene.record.field | {"step": step}
    with pytest.raises(ValueError, match="apart"):
        grid_weights.decode(saved, scene.field.domain, newest(made).read_bytes(), "cpu")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"grid": {"levels": 24, "growth": 1.8, "log2_rows": 24, "features": 4096}}, "'field.grid.table' is"),
        ({"grid": {"levels": 5_000_000, "growth": 1.0}}, "5000000 levels"),
        ({"grid": {"levels": 7}}, "'field.grid.table' is"),
        ({"width": 1_000_000}, "'field.density.weights.0' is"),
    ],
    ids=["terabytes", "levels", "one level", "network"],
)
def test_settings_of_other_weights_are_refused_before_any_of_their_size_are_made(
    made: Path, change: dict, says: str
) -> None:
    scene = opened(made)
    settings = scene.record.field["settings"]
    settings = settings | change | {"grid": settings["grid"] | change.get("grid", {})}
    saved = scene.record.field | {"settings": settings}
    with pytest.raises(ValueError, match=says):
        grid_weights.decode(saved, scene.field.domain, newest(made).read_bytes(), "cpu")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": "one"}', b"\xff\xfe"])
def test_a_record_that_is_no_json_is_refused(scene: Path, content: bytes) -> None:
    (scene / "scene.json").write_bytes(content)
    assert "scene.json" in refusal(scene).sentence


def test_files_that_a_file_manager_left_are_not_taken_along(scene: Path) -> None:
    for place in (scene / "images", scene / "checkpoints", newest(scene).parent):
        (place / ".DS_Store").write_bytes(b"x")
    assert not [path for path in SceneFiles.of_folder(scene).places if "DS_Store" in path]
    assert opened(scene).notes == ()


def test_pictures_are_looked_for_in_the_scene_only(scene: Path, tmp_path: Path) -> None:
    outside = captures.save(tmp_path / "outside.png", captures.noise(ball_captures.SIDE, ball_captures.SIDE))
    for name in (str(outside), "../outside.png", "images/lost.png"):
        changed(scene, "cameras.json", lambda record, name=name: record["frames"][2].update(image=name))
        job = scene_jobs.of_scene("evaluate", scene, tmp_path / "store")
        with pytest.raises(UserError) as caught:
            scene_jobs.finish("evaluate", job)
        assert caught.value.code == "scene.bad"
        assert "lacks the file" in caught.value.sentence


def test_depths_are_those_of_the_scene_along_the_viewing_axis(made: Path) -> None:
    scene = opened(made)
    camera = scene.cameras[0].posed()
    frame = scene.render(camera)
    away = float(np.linalg.norm(camera.world_from_camera[:3, 3] - ball_captures.MIDDLE))
    seen = np.isfinite(frame.depths)
    assert seen.any()
    assert away - 2.5 < float(frame.depths[seen].min())
    assert float(frame.depths[seen].max()) < away + 2.5
    assert frame.colours.shape == (camera.lens.height, camera.lens.width, 3)


class Counted:
    """A field that remembers how many rays it was asked for at once."""

    def __init__(self, field: seen.Field) -> None:
        self.field, self.domain, self.device = field, field.domain, field.device
        self.counts: list[int] = []

    def densities(self, points: torch.Tensor, spread: float) -> torch.Tensor:
        raise AssertionError("nobody asks for them")

    def tiles(self, rays: Rays) -> Iterator[seen.Seen]:
        self.counts.append(len(rays))
        yield from self.field.tiles(rays)


@pytest.mark.parametrize("lens", [ball_captures.PINHOLE, ball_captures.BARREL], ids=["plain", "barrel"])
def test_a_picture_made_in_pieces_is_that_of_all_rays_at_once_to_the_bit(made: Path, lens: Lens) -> None:
    scene = opened(made)
    camera = Posed(scene.cameras[0].posed().world_from_camera, lens.resized(300, 280))
    near, far = scene.reach(camera)
    field = Counted(scene.field)
    frame = runtime.look(field, camera, near, far)
    assert len(field.counts) > 1
    assert max(field.counts) <= 1 << 16
    rays = CameraRays([camera], field.domain, near, far).whole(0)
    expected = seen.whole(list(scene.field.tiles(rays)))
    assert frame is not None
    assert np.array_equal(frame.colours.reshape(-1, 3), expected.colours.numpy())
    assert np.array_equal(frame.opacities.reshape(-1), expected.opacities.numpy())
    assert np.array_equal(frame.depths.reshape(-1), expected.depths.numpy())


def test_pieces_end_where_tiles_of_every_field_do() -> None:
    assert runtime._PIECE % grid_render.TILE == runtime._PIECE % mip_render.TILE == 0


def test_some_depths_are_those_of_the_picture(made: Path) -> None:
    scene = opened(made)
    camera = scene.cameras[0].posed()
    depths = scene.render(camera).depths.reshape(-1)
    assert np.isfinite(depths).any()
    np.testing.assert_array_equal(scene.some_depths(camera, 200), depths[:: len(depths) // 200])
    np.testing.assert_array_equal(scene.some_depths(camera, 1 << 20), depths)


class Wall:
    """A field that shows a wall across the viewing axis of a camera at the origin, three units ahead."""

    domain = Domain((0.0, 0.0, 0.0), 1.0, True)
    device = torch.device("cpu")

    def densities(self, points: torch.Tensor, spread: float) -> torch.Tensor:
        raise AssertionError("nobody asks for them")

    def tiles(self, rays: Rays) -> Iterator[seen.Seen]:
        ones = torch.ones(len(rays))
        ahead = -rays.directions[:, 2]
        yield seen.Seen(ones[:, None].expand(-1, 3), ones, torch.where(ahead > 0.1, 3 / ahead, torch.inf))


@pytest.mark.parametrize("model", ["pinhole", "opencv", "fisheye"])
def test_depths_are_along_the_axis_whatever_the_lens(made: Path, model: str) -> None:
    distortion = {"pinhole": (), "opencv": (0.05, 0.0, 0.0, 0.0, 0.0, 0.0), "fisheye": (0.05, 0.0, 0.0, 0.0)}
    lens = Lens(24, 20, 12.0, 12.0, 12.0, 10.0, model, distortion[model])
    frame = runtime.look(Wall(), Posed(np.eye(4), lens), 0.1, 100.0)
    assert frame is not None
    inside = np.isfinite(frame.depths)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(frame.depths[inside], 3.0, rtol=1e-5)
    some = dataclasses.replace(opened(made), field=Wall()).some_depths(Posed(np.eye(4), lens), 40)
    np.testing.assert_array_equal(some, frame.depths.reshape(-1)[::12])


def test_a_frame_over_a_background_is_what_alpha_says() -> None:
    colours = np.array([[[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]]], np.float32)
    frame = runtime.Frame(colours, np.array([[0.5, 0.0]], np.float32), np.ones((1, 2), np.float32))
    assert frame.over("white").tolist() == [[[153, 179, 204], [255, 255, 255]]]
    assert frame.over("black").tolist() == [[[26, 51, 77], [0, 0, 0]]]
    assert frame.straight().tolist() == [[[51, 102, 153, 128], [0, 0, 0, 0]]]


def test_a_record_is_the_same_after_writing_and_reading(made: Path) -> None:
    files = SceneFiles.of_folder(made)
    record = folder.read_record(files)
    assert folder.encode(record) == (made / "scene.json").read_bytes()
    cameras = folder.Cameras(frames=folder.read_cameras(files))
    assert msgspec.json.decode(folder.encode(cameras), type=folder.Cameras) == cameras
