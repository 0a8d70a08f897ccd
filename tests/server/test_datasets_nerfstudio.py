"""transforms.json: what is stated is followed, what is missing is told in one sentence."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maquette_server.datasets import opening, writing
from maquette_server.datasets.base import DataSet, Frame
from maquette_wire.errors import UserError

from tests.server import captures


def refusal(folder: Path) -> UserError:
    with pytest.raises(UserError) as caught:
        opening.read(folder)
    assert caught.value.code in ("dataset.bad", "dataset.not_found")
    assert caught.value.hint
    assert "\n" not in caught.value.line()
    return caught.value


def rewritten(folder: Path, change: Any) -> Path:
    file = folder / "transforms.json"
    fields = json.loads(file.read_text())
    change(fields)
    file.write_text(json.dumps(fields))
    return folder


def same(one: DataSet, other: DataSet) -> None:
    """All but the format, the folder and the notes is equal to the last bit."""
    keys = ("name", "lens", "mask", "depth", "time", "split", "loss_weight", "level")
    first, second = (sorted(d.frames, key=lambda frame: frame.name) for d in (one, other))
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert [getattr(a, key) for key in keys] == [getattr(b, key) for key in keys]
        assert a.image.samefile(b.image) if a.image.exists() else a.image == b.image
        np.testing.assert_array_equal(a.world_from_camera, b.world_from_camera)
    for key in ("up", "aabb", "applied_transform"):
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
    for key in ("near", "far", "background", "ndc"):
        assert getattr(one, key) == getattr(other, key)


def test_the_fox_is_read_as_its_file_says(data: Path) -> None:
    fox = opening.read(data / "fox")
    assert (fox.format, len(fox.frames)) == ("nerfstudio", 50)
    assert [len(fox.of(split)) for split in ("train", "val", "test")] == [45, 0, 5]
    lens = fox.frames[0].lens
    assert (lens.model, lens.width, lens.height, lens.focal_x) == ("opencv", 360, 640, 458.50666666666666)
    assert lens.distortion == (0.0578421, -0.0805099, 0.0, 0.0, -0.000980296, 0.00015575)
    assert all(frame.lens is lens for frame in fox.frames)  # shared, not copied
    assert [frame.name for frame in fox.frames] == sorted(frame.name for frame in fox.frames)
    written = json.loads((data / "fox" / "transforms.json").read_text())["frames"][0]
    np.testing.assert_array_equal(fox.frames[0].world_from_camera, written["transform_matrix"])
    assert fox.up[2] > 0.99
    assert fox.aabb is not None
    np.testing.assert_allclose(fox.aabb[1] - fox.aabb[0], 4 / 0.33)


def test_the_moving_sequence_has_times_and_a_range(data: Path) -> None:
    moving = opening.read(data / "dynamic_monocular")
    assert [frame.time for frame in moving.frames] == pytest.approx([i / 85 for i in range(86)])
    assert (moving.near, moving.far) == pytest.approx((0.002444, 1.002444), abs=1e-6)
    assert moving.frames[0].lens.model == "pinhole"
    assert moving.up[1] > 0.99


def test_frames_are_sorted_and_every_tenth_is_held_out(tmp_path: Path) -> None:
    folder = captures.transforms(tmp_path, captures.ring(30))
    rewritten(folder, lambda fields: fields["frames"].reverse())
    read = opening.read(folder)
    assert [frame.name for frame in read.frames] == [f"images/{i:04d}.png" for i in range(30)]
    assert [i for i, frame in enumerate(read.frames) if frame.split == "test"] == [5, 15, 25]
    assert not read.of("val")


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_world_is_left_untouched_at_any_size(tmp_path: Path, scale: float) -> None:
    poses = captures.ring(5, 4 * scale, (scale, -2 * scale, 0.5 * scale))
    read = opening.read(captures.transforms(tmp_path, poses))
    for frame, pose in zip(read.frames, poses, strict=True):
        np.testing.assert_array_equal(frame.world_from_camera, pose)


def test_each_frame_may_have_its_own_lens(tmp_path: Path) -> None:
    def own(i: int) -> dict[str, Any]:
        return {"fl_x": 30.0 + i, "fl_y": 40.0 + i, "k1": 0.01 * i}

    read = opening.read(captures.transforms(tmp_path, captures.ring(3), per_frame=own))
    assert [frame.lens.focal_x for frame in read.frames] == [30, 31, 32]
    assert [frame.lens.focal_y for frame in read.frames] == [40, 41, 42]
    assert [frame.lens.model for frame in read.frames] == ["pinhole", "opencv", "opencv"]
    assert read.frames[2].lens.distortion[0] == 0.02


def test_an_angle_alone_makes_a_lens_of_the_pictures_size(tmp_path: Path) -> None:
    folder = captures.transforms(tmp_path, captures.ring(3), camera_angle_x=1.0)

    def only_the_angle(fields: dict[str, Any]) -> None:
        for key in captures.INTRINSICS:
            del fields[key]

    lens = opening.read(rewritten(folder, only_the_angle)).frames[0].lens
    focal = 0.5 * captures.WIDTH / math.tan(0.5)
    assert (lens.width, lens.height, lens.centre_x, lens.centre_y) == (24, 16, 12, 8)
    assert (lens.focal_x, lens.focal_y) == (focal, focal)
    for picture in (folder / "images").iterdir():
        picture.unlink()
    assert "picture size" in refusal(folder).sentence


@pytest.mark.parametrize(
    ("model", "kind", "count"),
    [("OPENCV", "opencv", 6), ("OPENCV_FISHEYE", "fisheye", 4), ("SIMPLE_RADIAL", "opencv", 6)],
)
def test_camera_models_are_known_by_name(tmp_path: Path, model: str, kind: str, count: int) -> None:
    folder = captures.transforms(tmp_path, captures.ring(2), camera_model=model, k1=0.1, k2=0.02)
    lens = opening.read(folder).frames[0].lens
    assert (lens.model, lens.distortion) == (kind, (0.1, 0.02, *[0.0] * (count - 2)))


def test_pinhole_models_have_no_distortion(tmp_path: Path) -> None:
    for model in ("PINHOLE", "SIMPLE_PINHOLE"):
        folder = captures.transforms(tmp_path / model, captures.ring(2), camera_model=model, k1=0.0)
        assert opening.read(folder).frames[0].lens.model == "pinhole"


def test_other_models_are_refused_by_name(tmp_path: Path) -> None:
    folder = captures.transforms(tmp_path, captures.ring(2), camera_model="EQUIRECTANGULAR")
    error = refusal(folder)
    assert "EQUIRECTANGULAR" in error.sentence
    assert "OPENCV_FISHEYE" in error.hint
    refusal(captures.transforms(tmp_path / "k5", captures.ring(2), k5=0.1))


def test_masks_depths_times_and_lists_of_splits_are_read(tmp_path: Path) -> None:
    folder = captures.transforms(
        tmp_path,
        captures.ring(4),
        per_frame=lambda i: {"mask_path": f"masks/{i}.png", "depth_file_path": "d.png", "time": i / 3},
        train_filenames=["images/0000.png", "./images/0003.png"],
        val_filenames=["images/0001.png"],
    )
    read = opening.read(folder)
    assert [(frame.name, frame.split) for frame in read.frames] == [
        ("images/0000.png", "train"),
        ("images/0001.png", "val"),
        ("images/0003.png", "train"),
    ]
    assert "1 of 4 frames" in read.notes[0]
    assert read.frames[2].mask == folder / "masks/3.png"
    assert read.frames[2].depth == folder / "d.png"
    assert read.frames[2].time == 1.0


def test_lists_of_splits_that_do_not_work_are_refused(tmp_path: Path) -> None:
    folder = captures.transforms(tmp_path / "a", captures.ring(3), train_filenames=["images/9.png"])
    assert "images/9.png" in refusal(folder).sentence
    twice = {"train_filenames": ["images/0001.png", "images/0002.png"], "test_filenames": ["images/0001.png"]}
    read = opening.read(captures.transforms(tmp_path / "c", captures.ring(3), **twice))
    assert [frame.split for frame in read.frames] == ["test", "train"]
    assert "1 are listed both" in read.notes[0]
    folder = captures.transforms(tmp_path / "b", captures.ring(3), test_filenames=["images/0001.png"])
    assert "train on" in refusal(folder).sentence


def test_up_is_stated_or_overridden_or_the_mean_of_the_cameras(tmp_path: Path) -> None:
    tilted = [pose[[0, 2, 1, 3]] * [[1], [1], [-1], [1]] for pose in captures.ring(6)]  # y up
    folder = captures.transforms(tmp_path, tilted)
    np.testing.assert_allclose(opening.read(folder).up, (0, 1, 0), atol=1e-12)
    rewritten(folder, lambda fields: fields.update(orientation_override="none"))
    np.testing.assert_array_equal(opening.read(folder).up, (0, 0, 1))
    rewritten(folder, lambda fields: fields.update(up=[2, 0, 0]))
    np.testing.assert_array_equal(opening.read(folder).up, (1, 0, 0))
    rewritten(folder, lambda fields: fields.update(up=[0, 0, 0]))
    assert "no length" in refusal(folder).sentence


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda f: f.update(frames=[]), "names no pictures"),
        (lambda f: f.pop("frames"), "list of frames"),
        (lambda f: f.update(frames=[3]), "list of frames"),
        (lambda f: f["frames"][1].pop("file_path"), "Frame 2"),
        (lambda f: f["frames"][1].update(file_path="/etc/picture.png"), "absolute"),
        (lambda f: f["frames"][1].update(file_path="C:\\pictures\\a.png"), "absolute"),
        (lambda f: f["frames"][1].pop("transform_matrix"), "images/0001.png"),
        (lambda f: f["frames"][1]["transform_matrix"][0].__setitem__(0, math.nan), "not finite"),
        (lambda f: f["frames"][1]["transform_matrix"][0].__setitem__(0, 10**400), "4 x 4"),
        (lambda f: f["frames"][1]["transform_matrix"][0].__setitem__(0, 7.0), "right angles"),
        (lambda f: f["frames"][1]["transform_matrix"][0].__setitem__(0, 1e308), "not finite"),
        (lambda f: f["frames"][1].update(time="now"), "time"),
        (lambda f: f.update(camera_model=["OPENCV"]), "OPENCV"),
        (lambda f: f.update(fl_x=1e-308), "focal"),
        (lambda f: f["frames"][1].update(file_path="a" * 5000), "cannot be read"),
        (lambda f: (f.pop("fl_x"), f.pop("fl_y")), "focal"),
        (lambda f: f.update(fl_x=-3), "focal"),
        (lambda f: f.update(fl_x=0), "fl_x"),
        (lambda f: f.update(fl_y=0), "fl_y"),
        (lambda f: f.update(fl_x="wide"), "fl_x"),
        (lambda f: f.update(w=0), "picture of 0"),
        (lambda f: f.update(near=3, far=2), "near"),
        (lambda f: f.update(background="pink"), "background"),
        (lambda f: f.update(aabb=[[0, 0, 0], [1, 0, 1]]), "aabb"),
        (lambda f: f.update(k1=-3.0), "transforms.json"),
        (lambda f: f.update(applied_transform=[1, 2]), "applied_transform"),
    ],
)
def test_a_damaged_file_is_refused_by_what_is_wrong(tmp_path: Path, change: Any, word: str) -> None:
    folder = rewritten(captures.transforms(tmp_path, captures.ring(3), pictures=False), change)
    assert word in refusal(folder).sentence


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe{}", b"[" * 100_000, b'{"a": 1' + b"0" * 5000]
)
def test_what_is_no_json_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "transforms.json").write_bytes(content)
    assert "transforms.json" in refusal(tmp_path).sentence


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "transforms.json").open("wb") as file:
        file.truncate(65 << 20)  # a hole: no disk is used
    assert "64 MiB" in refusal(tmp_path).sentence


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path: Path) -> None:
    generator = np.random.default_rng(5)
    folder = captures.transforms(
        tmp_path,
        [pose + np.pad(generator.normal(size=(3, 1)), ((0, 1), (3, 0))) for pose in captures.ring(12, 1 / 3)],
        per_frame=lambda i: {"mask_path": f"m/{i}.png", "time": i / 7, "loss_weight": 4.0**i, "level": i},
        near=0.1,
        far=1 / 3,
        up=[0.1, 0.2, 0.3],
        background="black",
        ndc=True,
        aabb_scale=2,
        applied_transform=[[1, 0, 0, 0.1], [0, 1, 0, 0], [0, 0, 1, 0]],
        k1=0.1,
        p2=0.01,
    )
    first = opening.read(folder)
    assert first.ndc
    assert first.background == "black"
    writing.write(first, folder)
    second = opening.read(folder)
    same(first, second)
    before = (folder / "transforms.json").read_bytes()
    writing.write(second, folder)
    assert (folder / "transforms.json").read_bytes() == before
    assert not list(folder.glob("*.part"))


@pytest.mark.parametrize("name", ["fox", "lego", "dynamic_monocular"])
def test_real_data_is_written_and_read_back(data: Path, tmp_path: Path, name: str) -> None:
    def below(read: DataSet, frame: Frame) -> str:
        return frame.image.resolve().relative_to(read.folder.resolve()).as_posix()

    first = opening.read(data / name)
    writing.write(first, tmp_path / name)
    second = opening.read(tmp_path / name)  # names the pictures where they are, by `../`
    theirs = {frame.image.resolve(): frame for frame in second.frames}
    assert len(theirs) == len(first.frames)
    for frame in first.frames:
        other = theirs[frame.image.resolve()]
        np.testing.assert_array_equal(frame.world_from_camera, other.world_from_camera)
        assert (frame.lens, frame.split, frame.time) == (other.lens, other.split, other.time)
        assert below(first, frame) == frame.name
    np.testing.assert_array_equal(first.up, second.up)
    assert (first.near, first.far, first.background) == (second.near, second.far, second.background)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    read = opening.read(captures.transforms(tmp_path / "a", captures.ring(2)))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError) as caught:
        writing.write(read, tmp_path / "file")
    assert caught.value.code == "output.unusable"
