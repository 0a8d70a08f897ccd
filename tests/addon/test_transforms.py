"""Data sets read and written by the extension, in plain Python."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maquette_wire import errors
from PIL import Image

from blender_addon import export_folder, picture_files, steps, transforms

POSE = np.eye(4).tolist()


def written(folder: Path, fields: Any, name: str = "transforms.json") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(fields), encoding="utf-8")
    return folder / name


def frame(name: str, **more: Any) -> dict[str, Any]:
    return {"file_path": name, "transform_matrix": POSE, **more}


LENS = {"w": 8, "h": 6, "fl_x": 9.0}


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize("size", [(1, 1), (17, 300), (640, 480)])
def test_sizes_of_pictures_are_those_of_a_real_reader(
    tmp_path: Path, kind: str, size: tuple[int, int]
) -> None:
    for mode in ("RGB", "RGBA"):
        if (kind, mode) == ("JPEG", "RGBA"):
            continue
        for options in ({}, {"lossless": True}) if kind == "WEBP" else ({},):
            Image.new(mode, size, "red").save(tmp_path / "a", kind, **options)
            assert picture_files.size(tmp_path / "a") == size


def test_a_jpeg_is_read_past_its_large_segments(tmp_path: Path) -> None:
    made = io.BytesIO()
    Image.new("RGB", (20, 10)).save(made, "JPEG", exif=b"Exif\0\0" + bytes(60000), progressive=True)
    (tmp_path / "a").write_bytes(made.getvalue())
    assert picture_files.size(tmp_path / "a") == (20, 10)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"\xff\xd8" + b"\xff\xe0\0\0" * 9,
        b"\x89PNG\r\n\x1a\nno",
        b"RIFF....WEBPwhat",
        b"GIF",
    ],
)
def test_what_is_no_picture_has_no_size(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    assert picture_files.size(tmp_path / "a") is None
    assert picture_files.size(tmp_path / "gone") is None


def test_the_server_reads_what_is_written_as_it_was_read(data: Path, tmp_path: Path) -> None:
    """Both readers agree: on poses, lenses, splits and up."""
    from maquette_server.datasets import opening

    for name in ("fox", "lego", "dynamic_monocular"):
        ours = transforms.read(data / name)
        theirs = opening.read(data / name)
        by_name = {f.name: f for f in theirs.frames}
        for one in ours.frames:
            other = by_name[one.name]
            assert np.array_equal(one.world_from_camera, other.world_from_camera)
            pinhole, lens = one.lens.pinhole, other.lens
            assert (pinhole.w, pinhole.h, pinhole.cx, pinhole.cy) == (
                lens.width,
                lens.height,
                lens.centre_x,
                lens.centre_y,
            )
            assert np.allclose((pinhole.fl_x, pinhole.fl_y), (lens.focal_x, lens.focal_y))
            assert one.split in ("", other.split)
        assert len(ours.frames) == len(theirs.frames)
        assert ours.up @ theirs.up > 0.7


def test_splits_are_read_from_lists_and_kept_in_their_order(tmp_path: Path) -> None:
    fields = {
        **LENS,
        "train_filenames": ["b.png", "a.png"],
        "test_filenames": ["c.png"],
        "frames": [frame("a.png"), frame("b.png"), frame("c.png"), frame("d.png")],
    }
    capture = transforms.read(written(tmp_path, fields))
    assert [f.split for f in capture.frames] == ["train", "train", "test", ""]
    assert "4 of 4 photographs are not in their place." in capture.notes
    named = [(f.name, f) for f in capture.frames]
    assert transforms.header_of(capture.header, named) == {k: v for k, v in fields.items() if k != "frames"}
    fewer = transforms.header_of(capture.header, named[1:])
    assert fewer["train_filenames"] == ["b.png"]


def test_files_with_other_cameras_carry_theirs_with_their_frames(tmp_path: Path) -> None:
    sized = {"w": 8, "h": 8}
    written(tmp_path, {**sized, "camera_angle_x": 1.0, "frames": [frame("./a")]}, "transforms_train.json")
    written(tmp_path, {**sized, "camera_angle_x": 0.5, "frames": [frame("./b")]}, "transforms_test.json")
    capture = transforms.read(tmp_path)
    assert [f.split for f in capture.frames] == ["train", "test"]
    assert capture.header["camera_angle_x"] == 1.0
    assert "fl_x" not in capture.frames[0].entry
    assert capture.frames[1].entry["fl_x"] == capture.frames[1].lens.pinhole.fl_x


def test_the_text_is_json_of_header_and_frames() -> None:
    for header in ({}, {"a": [1, {"b": "}"}]}):
        text = steps.at_once(transforms.text_steps(header, [frame("a"), frame("b")]))
        assert json.loads(text) == {**header, "frames": [frame("a"), frame("b")]}


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"frames": "x"}, "dataset.bad"),
        ({**LENS, "frames": [frame("a", fl_x=True)]}, "dataset.bad"),
        ({**LENS, "frames": [frame("a", fl_x=10**400)]}, "dataset.bad"),
        ({**LENS, "frames": [frame("a", w=-3)]}, "dataset.bad"),
        ({**LENS, "frames": [frame("C:\\a.png")]}, "dataset.bad"),
        ({**LENS, "frames": [frame("")]}, "dataset.bad"),
        ({**LENS, "frames": [frame("a")], "up": [0, 0, 0]}, "dataset.bad"),
        ({**LENS, "frames": [frame("a")], "train_filenames": "a"}, "dataset.bad"),
        ({**LENS, "frames": [frame("a", fl_y=9000.0, fl_x=1.0)]}, "cameras.bad"),
        ({**LENS, "frames": [frame("a")] * (transforms.MOST_FRAMES + 1)}, "dataset.bad"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, fields: dict[str, Any], code: str) -> None:
    with pytest.raises(errors.UserError) as caught:
        transforms.read(written(tmp_path, fields))
    assert caught.value.code == code


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transforms, "MOST_BYTES", 10)
    with pytest.raises(errors.UserError, match="larger"):
        transforms.read(written(tmp_path, {"frames": []}))
    with pytest.raises(errors.UserError, match="neither"):
        transforms.files_of(tmp_path.parent)


# ---- the folder that is written ----


def test_a_draft_is_everything_or_nothing(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "new" / "target"
    source.write_bytes(bytes(3 * steps.BYTES))
    with export_folder.Draft(target, "last.json", replace=False) as draft:
        copied = list(draft.copy_steps(source, "images/a"))
        assert len(copied) == 3
    assert not target.exists()
    with export_folder.Draft(target, "last.json", replace=False) as draft:
        steps.at_once(draft.copy_steps(source, "images/a"))
        assert not (target / "images").exists()
        assert draft.commit("{}") == target / "last.json"
    assert sorted(p.name for p in target.rglob("*")) == ["a", "images", "last.json"]
    with pytest.raises(errors.UserError, match="holds a data set already"):
        export_folder.Draft(target, "last.json", replace=False)
    with export_folder.Draft(target, "last.json", replace=True) as draft:
        steps.at_once(draft.copy_steps(target / "images" / "a", "images/a"))  # it stays where it is
        draft.commit("[]")
    assert (target / "last.json").read_text(encoding="utf-8") == "[]"
    assert (target / "images" / "a").stat().st_size == 3 * steps.BYTES


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(errors.UserError) as caught,
        export_folder.Draft(tmp_path / "file" / "x", "a", replace=False),
    ):
        pass
    assert caught.value.code == "output.unusable"


def test_an_original_is_never_replaced(tmp_path):
    """Not by a picture of its name, even where a data set may be; all else stays as it was too."""
    folder = tmp_path / "data"
    (folder / "images").mkdir(parents=True)
    (folder / "images/a.png").write_bytes(b"photograph")
    (folder / "images/b.png").write_bytes(b"b")
    originals = [folder / "images/a.png", folder / "images/gone.png"]
    with export_folder.Draft(folder, "last.json", replace=True, originals=originals) as draft:
        for name in ("images/a.png", "images/b.png"):
            draft.path(name).write_bytes(b"edited")
        with pytest.raises(errors.UserError, match="is a photograph of the capture"):
            draft.commit("{}")
    assert (folder / "images/a.png").read_bytes() == b"photograph"
    assert (folder / "images/b.png").read_bytes() == b"b"
    assert sorted(path.name for path in folder.iterdir()) == ["images"]
    with export_folder.Draft(folder, "last.json", replace=True, originals=originals) as draft:
        draft.path("images/b.png").write_bytes(b"edited")
        draft.commit("{}")
    assert (folder / "images/b.png").read_bytes() == b"edited"
