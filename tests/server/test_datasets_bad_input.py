"""Data sets that are wrong, odd or unfit: the check names what it is, a reconstruction runs or refuses."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ball_captures
import captures
import numpy as np
import pytest
import scene_jobs
from maquette_server.cameras.pinhole import look_at
from maquette_server.cli.app import app
from maquette_server.datasets import doubts, opening
from maquette_server.methods import base
from maquette_server.scenes import folder as scenes
from maquette_server.scenes import runtime
from maquette_server.scenes.files import SceneFiles
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

SIDE = ball_captures.SIDE
Change = Callable[[Path], None]


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        scene_jobs.make_quick(patch)
        yield


def of_file(change: Callable[[dict[str, Any]], None]) -> Change:
    """A change of transforms.json."""

    def apply(folder: Path) -> None:
        path = folder / "transforms.json"
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return apply


def of_pose(change: Callable[[NDArray[np.float64], NDArray[np.float64]], Any]) -> Change:
    """A change of every pose; told the first one, too."""

    def poses(content: dict[str, Any]) -> None:
        first = np.array(content["frames"][0]["transform_matrix"])
        for frame in content["frames"]:
            frame["transform_matrix"] = change(np.array(frame["transform_matrix"]), first).tolist()

    return of_file(poses)


def unlisted(content: dict[str, Any]) -> None:
    for split in ("train", "val", "test"):
        content.pop(f"{split}_filenames", None)


def one_camera(content: dict[str, Any]) -> None:
    unlisted(content)
    content["frames"] = content["frames"][:1]


def cut_jpeg(folder: Path) -> None:
    path = folder / "images/001.png"
    with Image.open(path) as image:
        image.convert("RGB").save(path, "JPEG", quality=95)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])


def masks(values: NDArray[np.uint8]) -> Change:
    def apply(folder: Path) -> None:
        captures.save(folder / "mask.png", values)
        of_file(lambda content: [f.update(mask_path="mask.png") for f in content["frames"]] and None)(folder)

    return apply


def picture(values: NDArray[np.uint8]) -> Change:
    """All pictures are this one."""

    def apply(folder: Path) -> None:
        for path in (folder / "images").iterdir():
            captures.save(path, values)

    return apply


def in_place(pose: NDArray[np.float64], first: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate([pose[:, :3], first[:, 3:]], 1)


BAD: dict[str, tuple[Change, str, str]] = {
    # what was done, what the check says, what a reconstruction says
    "missing picture": (lambda f: (f / "images/001.png").unlink(), "is missing", "001.png"),
    "another size": (
        lambda f: captures.save(f / "images/001.png", captures.noise(SIDE + 1, SIDE)) and None,
        f"{SIDE + 1} x {SIDE} pixels",
        f"{SIDE + 1} x {SIDE} pixels",
    ),
    "truncated JPEG": (cut_jpeg, "cut short", "cut short"),
    "one camera": (of_file(one_camera), "one camera only", "one picture only"),
    "all alike": (of_pose(lambda pose, first: first), "are alike", "one place"),
    "one place": (of_pose(in_place), "one place", "one place"),
    "skewed axes": (
        of_pose(lambda pose, _: pose @ np.diag([1.2, 1, 1, 1])),
        "right angles",
        "right angles",
    ),
    "mirrored axes": (of_pose(lambda pose, _: pose @ np.diag([-1, 1, 1, 1])), "mirrored", "mirrored"),
    "NaN in a pose": (of_pose(lambda pose, _: pose * np.nan), "not finite", "not finite"),
    "NaN in the lens": (of_file(lambda c: c.update(fl_x=float("nan"))), "not a finite", "not a finite"),
    "unknown model": (of_file(lambda c: c.update(camera_model="FISHEYE_ODD")), "FISHEYE_ODD", "FISHEYE_ODD"),
    "mask of another shape": (
        masks(np.full((20, 31), 255, np.uint8)),
        "mask of 'images/000.png' is 31 x 20",
        "is 31 x 20",
    ),
    "masks that leave nothing": (
        masks(np.zeros((SIDE, SIDE), np.uint8)),
        "leaves out the whole picture",
        "leave out every pixel",
    ),
    "unknown background": (of_file(lambda c: c.update(background="pink")), "'pink'", "'pink'"),
    "cut short file": (
        lambda f: (f / "transforms.json").write_text('{"frames": [') and None,
        "JSON",
        "JSON",
    ),
}


def check(folder: Path) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["dataset", "check", str(folder)])
    return done.exit_code, done.output


def reconstructed(folder: Path, store: Path, steps: int = 1) -> tuple[base.Result, list[tuple[str, str]]]:
    """What a short reconstruction gives and warns of."""
    warnings: list[tuple[str, str]] = []
    job = scene_jobs.reconstruct(folder, store, steps=steps, warnings=warnings)
    return scene_jobs.finish("reconstruct", job), warnings


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_learnt_is_named_by_the_check_and_refused(tmp_path: Path, name: str) -> None:
    change, told, refused = BAD[name]
    ball_captures.write(tmp_path / "data", 4)
    change(tmp_path / "data")
    status, output = check(tmp_path / "data")
    assert status == 2
    assert told in output
    with pytest.raises(UserError) as caught:
        reconstructed(tmp_path / "data", tmp_path / "store")
    assert refused in caught.value.sentence
    assert caught.value.code.startswith("dataset.")


def turned_world(content: dict[str, Any]) -> None:
    """-x is up, and nothing says so but the cameras."""
    turn = np.array([[0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1.0]])
    for frame in content["frames"]:
        frame["transform_matrix"] = (turn @ np.array(frame["transform_matrix"])).tolist()
    del content["up"]


def focal_lengths(content: dict[str, Any]) -> None:
    """Every second picture is cut out of the middle of one twice as large."""
    for number, frame in enumerate(content["frames"]):
        factor = 2 if number % 2 else 1
        frame.update(fl_x=46.0 * factor, fl_y=46.0 * factor)


def kinds(folder: Path) -> None:
    paths = sorted((folder / "images").iterdir())
    for path, mode in zip(paths, ("P", "L", "LA", "RGB", "1"), strict=False):
        with Image.open(path) as image:
            values = np.asarray(image.convert("RGB"))
            image.convert("RGB").convert(mode).save(path)
    paths[5].write_bytes(captures.png16(values.astype(np.uint16) * 257))


ODD: dict[str, Change] = {
    "another up axis": of_file(turned_world),
    "focal lengths of their own": of_file(focal_lengths),
    "all kinds of pictures": kinds,
    "a smaller mask": masks(np.full((SIDE // 2, SIDE // 2), 255, np.uint8)),
    "fisheye": of_file(lambda content: content.update(camera_model="OPENCV_FISHEYE", k1=0.01)),
}


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_but_sound_is_learnt(tmp_path: Path, name: str) -> None:
    ball_captures.write(tmp_path / "data", 6)
    ODD[name](tmp_path / "data")
    assert check(tmp_path / "data")[0] == 0
    result, _ = reconstructed(tmp_path / "data", tmp_path / "store", 3)
    files = SceneFiles.of_folder(scene_jobs.write(result, tmp_path / "scene"))
    scene = runtime.open_scene(files)
    assert np.isfinite(scene.render(scene.cameras[0].posed()).colours).all()
    up = np.array(scenes.read_record(files).up)
    assert up @ opening.read(tmp_path / "data").up > 0.999
    assert abs(up[0] if name == "another up axis" else up[2]) > 0.9


def still_background(folder: Path) -> None:
    """The ball on a turntable: the wall behind it turns with the camera."""
    wall = np.linspace(60, 200, SIDE)[:, None, None]
    for path in (folder / "images").iterdir():
        with Image.open(path) as image:
            ball = np.asarray(image).astype(float)
        alpha = ball[..., 3:] / 255
        noise = np.random.default_rng(int(path.stem)).normal(0, 2, ball[..., :3].shape)
        mixed = ball[..., :3] * alpha + (wall + noise) * (1 - alpha)
        captures.save(path, mixed.clip(0, 255).astype(np.uint8))


def times(folder: Path) -> None:
    of_file(lambda c: [f.update(time=i / 9) for i, f in enumerate(c["frames"])] and None)(folder)


@pytest.mark.parametrize(
    ("change", "words"), [(still_background, "background does not stand"), (times, "different times")]
)
def test_what_will_be_poor_is_told_and_learnt(tmp_path: Path, change: Change, words: str) -> None:
    ball_captures.write(tmp_path / "data", 6)
    change(tmp_path / "data")
    status, output = check(tmp_path / "data")
    assert status == 0
    assert "warning" in output
    assert words in output
    result, warnings = reconstructed(tmp_path / "data", tmp_path / "store")
    assert result.items
    ((code, sentence),) = warnings
    assert code == doubts.CODE
    assert words in sentence


@pytest.mark.parametrize("opaque", [True, False])
def test_a_sound_capture_raises_no_doubt(tmp_path: Path, opaque: bool) -> None:
    ball_captures.write(tmp_path / "data", 6, opaque=opaque)
    assert "warning" not in check(tmp_path / "data")[1]
    assert reconstructed(tmp_path / "data", tmp_path / "store")[1] == []


def test_cameras_that_all_look_one_way_may_see_the_same_edges(tmp_path: Path) -> None:
    up = np.array([0.0, 1.0, 0.0])
    row = [look_at(np.array([x, 0, 0]), np.array([0, 0, -5.0]), up) for x in np.linspace(-1, 1, 6)]
    grey = np.full((captures.HEIGHT, captures.WIDTH, 3), 90, np.uint8)
    picture(grey)(captures.transforms(tmp_path / "row", row))
    assert "warning" not in check(tmp_path / "row")[1]
    picture(grey)(captures.transforms(tmp_path / "ring", captures.ring(6)))
    assert "background" in check(tmp_path / "ring")[1]


def test_pictures_that_show_nothing_are_told(tmp_path: Path) -> None:
    ball_captures.write(tmp_path / "data", 4)
    picture(np.zeros((SIDE, SIDE, 4), np.uint8))(tmp_path / "data")
    status, output = check(tmp_path / "data")
    assert status == 2
    assert output.count("transparent everywhere") == 4
    assert "No picture that is learnt from shows anything" in output
