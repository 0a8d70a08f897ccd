"""Folders of scenes as Blender reads them: cameras as in a data set, and what is sent."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from blender_addon import scene_folders, transforms
from blender_addon.wire import errors

POSE = [[1.0, 0.0, 0.0, 2.0], [0.0, 0.0, -1.0, -3.0], [0.0, 1.0, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0]]
CAMERA: dict[str, Any] = {
    "id": 0,
    "image": "images/one.png",
    "w": 64,
    "h": 48,
    "fl_x": 70.0,
    "fl_y": 71.0,
    "cx": 33.0,
    "cy": 23.0,
    "transform_matrix": POSE,
    "split": "test",
}
RECORD: dict[str, Any] = {"name": "a train", "up": [0.0, 0.0, 1.0], "background": "white", "near": 1.0}


def scene(folder: Path, *cameras: dict[str, Any], **record: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "scene.json").write_text(json.dumps(RECORD | record))
    (folder / "cameras.json").write_text(json.dumps({"frames": list(cameras)}))
    return folder


def test_cameras_are_those_of_the_folder(tmp_path):
    bent = CAMERA | {"id": 1, "image": "images/two.png", "mask": "masks/two.png", "split": "train"}
    bent |= {"camera_model": "opencv", "distortion": [0.1, 0.0, 0.0, 0.0, 0.02, 0.0]}
    wide = CAMERA | {"id": 2, "image": "images/three.png"}
    wide |= {"camera_model": "fisheye", "distortion": [0.01, 0.0, 0.0, 0.0]}
    found = scene_folders.read(scene(tmp_path / "s", CAMERA, bent, wide))
    assert found.name == "a train"
    assert found.folder == (tmp_path / "s").resolve()
    assert found.header == {"up": [0.0, 0.0, 1.0], "background": "white", "near": 1.0}
    first, second, third = found.frames
    assert np.array_equal(first.world_from_camera, POSE)
    pinhole = first.lens.pinhole
    assert (pinhole.w, pinhole.h, pinhole.fl_x, pinhole.fl_y, pinhole.cx, pinhole.cy) == (
        64,
        48,
        70,
        71,
        33,
        23,
    )
    assert first.lens.is_plain
    assert [frame.split for frame in found.frames] == ["test", "train", "test"]
    assert second.lens.distortion == {"k1": 0.1, "p1": 0.02}
    assert second.entry["mask_path"] == "masks/two.png"
    assert third.lens.model == transforms.FISHEYE
    assert "distort" in found.notes[0]


def test_a_scene_without_pictures_has_cameras_alone(tmp_path):
    found = scene_folders.read(scene(tmp_path / "s", CAMERA | {"image": None}))
    assert found.folder is None
    assert len(found.frames) == 1


def test_all_that_makes_the_scene_is_sent_and_nothing_else(tmp_path):
    folder = scene(tmp_path / "s", CAMERA)
    wanted = [
        "images/one.png",
        "edited/one.png",
        "checkpoints/0000005/field.safetensors",
        "moments/0000000/view.png",
        "preview.png",
    ]
    for path in [*wanted, "report.json", ".job/x", "images/.hidden", "other/y"]:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(b"x")
    found = scene_folders.files(folder)
    assert sorted(found) == sorted([*wanted, "scene.json", "cameras.json"])
    assert all(place == folder / path for path, place in found.items())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": "../one.png"}, "outside"),
        ({"image": "/one.png"}, "outside"),
        ({"camera_model": "mirror"}, "does not know"),
        ({"distortion": [1.0]}, "does not know"),
        ({"fl_x": 0, "fl_y": 0}, "focal"),
        ({"fl_x": "wide"}, "number"),
        ({"transform_matrix": [[1, 0], [0, 1]]}, "Camera 1"),
        ({"transform_matrix": None}, "Camera 1"),
    ],
)
def test_cameras_that_make_no_sense_are_refused(tmp_path, change, words):
    with pytest.raises(errors.UserError) as caught:
        scene_folders.read(scene(tmp_path / "s", CAMERA | change))
    assert words in caught.value.line()
    assert "\n" not in caught.value.line()


@pytest.mark.parametrize("which", ["scene.json", "cameras.json"])
@pytest.mark.parametrize("text", [None, "{", "[]", "[" * 100_000])
def test_a_folder_that_is_no_scene_is_refused(tmp_path, which, text):
    folder = scene(tmp_path / "s", CAMERA)
    if text is None:
        (folder / which).unlink()
    else:
        (folder / which).write_text(text)
    with pytest.raises(errors.UserError) as caught:
        scene_folders.read(folder)
    assert caught.value.code == "scene.bad"
    assert which in caught.value.line()


def test_a_scene_without_cameras_is_refused(tmp_path):
    with pytest.raises(errors.UserError, match="has no cameras"):
        scene_folders.read(scene(tmp_path / "s"))
