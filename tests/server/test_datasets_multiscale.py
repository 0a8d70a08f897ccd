"""The multi-scale set: exact box means, the published metadata, and weights that balance the levels."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from maquette_server.datasets import multiscale, opening, pictures
from maquette_wire.errors import UserError

from tests.server import captures


def ramp() -> np.ndarray:
    return np.arange(16.0).reshape(4, 4, 1)


def test_a_box_mean_of_a_ramp() -> None:
    np.testing.assert_array_equal(multiscale.box_mean(ramp())[..., 0], [[2.5, 4.5], [10.5, 12.5]])


def test_parity_cuts_off_and_keeps_fractions_between_levels() -> None:
    first = multiscale.levels_of(np.repeat(ramp(), 4, 2).astype(np.uint8), 3, parity=True)
    levels = [level[..., 0].tolist() for level in first]
    assert levels[0] == ramp()[..., 0].tolist()
    assert levels[1] == [[2, 4], [10, 12]]  # 2.5 4.5 10.5 12.5 cut off
    assert levels[2] == [[7]]  # of 7.5; of the cut values it would be 7.0
    odd = np.array([[[1, 0, 0], [2, 0, 0]], [[2, 0, 0], [2, 0, 0]]], np.uint8)  # mean 1.75
    assert [list(multiscale.levels_of(odd, 2, parity))[1][0, 0, 0] for parity in (True, False)] == [1, 2]


def test_parity_is_the_published_converters_arithmetic() -> None:
    picture = captures.noise(32, 16, 4)
    image = np.array(picture, dtype=np.float32) / 255.0
    for level in multiscale.levels_of(picture, 4, parity=True):
        np.testing.assert_array_equal(level, np.uint8(image * 255))
        height, width = image.shape[:2]
        image = np.mean(np.reshape(image, [height // 2, 2, width // 2, 2, -1]), (1, 3))


def test_colours_are_weighted_by_alpha_unless_parity_is_asked() -> None:
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0, 0] = (200, 100, 50, 255)  # one opaque pixel beside three empty black ones
    weighted = list(multiscale.levels_of(picture, 2, False))
    plain = list(multiscale.levels_of(picture, 2, True))
    assert weighted[1][0, 0].tolist() == [200, 100, 50, 64]
    assert plain[1][0, 0].tolist() == [50, 25, 12, 63]
    assert (weighted[0] == picture).all()


def test_full_size_pictures_survive_weighting_where_they_are_seen() -> None:
    picture = captures.noise(16, 16, 4)
    level = next(multiscale.levels_of(picture, 1, False))
    seen = picture[..., 3] > 0
    np.testing.assert_array_equal(level[seen], picture[seen])


def test_a_converted_set_is_read_back_with_the_published_fields(tmp_path: Path) -> None:
    source = opening.read(captures.scene(tmp_path / "a", {"train": 2, "val": 1, "test": 1}))
    read = multiscale.convert(source, tmp_path / "b", levels=3, parity=True)
    assert opening.read(tmp_path / "b").format == "multiscale"
    assert [frame.name for frame in read.of("train")[:4]] == [
        "images_train/000_d0.png",
        "images_train/000_d1.png",
        "images_train/000_d2.png",
        "images_train/001_d0.png",
    ]
    assert len(read.frames) == 12
    assert (read.near, read.far, read.background) == (2, 6, "white")
    fields = json.loads((tmp_path / "b" / "metadata.json").read_text())["train"]
    focal = source.frames[0].lens.focal_x
    assert fields["focal"][:3] == [focal, focal / 2, focal / 4]
    assert fields["lossmult"][:3] == [1, 4, 16]
    assert fields["label"][:3] == [0, 1, 2]
    assert fields["width"][:3] == [20, 10, 5]
    np.testing.assert_allclose(
        fields["pix2cam"][1], [[2 / focal, 0, -10 / focal], [0, -2 / focal, 10 / focal], [0, 0, -1]]
    )
    for frame, row in zip(read.of("train"), fields["cam2world"], strict=True):
        np.testing.assert_array_equal(frame.world_from_camera, row)
        picture = pictures.load(frame)
        assert picture.shape == (frame.lens.height, frame.lens.width, 4)
        ray = frame.lens.directions(np.array([3.5, 2.5]))
        inverse = fields["pix2cam"][fields["file_path"].index(frame.name)]
        np.testing.assert_allclose(ray, np.array(inverse) @ (3.5, 2.5, 1.0), atol=1e-12)


def test_every_level_has_the_same_total_weight(tmp_path: Path) -> None:
    source = opening.read(captures.scene(tmp_path / "a", {"train": 2}))
    read = multiscale.convert(source, tmp_path / "b", levels=3)
    weights = [
        sum(f.loss_weight * f.lens.width * f.lens.height for f in read.frames if f.level == level)
        for level in range(3)
    ]
    assert weights == [800, 800, 800]
    assert [f.loss_weight for f in read.frames[:3]] == [1, 4, 16]


def test_lego_at_four_scales(data: Path, tmp_path: Path) -> None:
    lego = opening.read(data / "lego")
    few = replace(lego, frames=lego.frames[:2])
    read = multiscale.convert(few, tmp_path, parity=True)
    assert [frame.lens.width for frame in read.frames] == [400, 200, 100, 50] * 2
    assert [frame.loss_weight for frame in read.frames] == [1, 4, 16, 64] * 2
    np.testing.assert_array_equal(pictures.load(read.frames[4]), pictures.load(lego.frames[1]))


def test_up_and_background_of_the_source_are_kept(tmp_path: Path) -> None:
    lying = [pose[[0, 2, 1, 3]] * [[1], [1], [-1], [1]] for pose in captures.ring(3)]
    source = opening.read(captures.transforms(tmp_path / "a", lying))
    read = multiscale.convert(source, tmp_path / "b", levels=2)
    np.testing.assert_array_equal(read.up, source.up)
    assert (read.background, read.near, read.far) == (None, None, None)


def refusal(source: object, *arguments: object) -> UserError:
    with pytest.raises(UserError) as caught:
        multiscale.convert(source, *arguments)  # type: ignore[arg-type]
    assert caught.value.hint
    return caught.value


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    source = opening.read(captures.scene(tmp_path / "a", {"train": 1}))
    before = sorted(tmp_path.rglob("*"))
    error = refusal(source, tmp_path / "a", 1)
    assert error.code == "output.unusable"
    assert sorted(tmp_path.rglob("*")) == before


def test_what_cannot_be_halved_is_refused(tmp_path: Path) -> None:
    source = opening.read(captures.scene(tmp_path / "a", {"train": 1}))
    error = refusal(source, tmp_path / "b", 4)
    assert "train/r_0.png" in error.sentence
    assert not (tmp_path / "b" / "metadata.json").exists()
    refusal(source, tmp_path / "b", 0)
    bent = opening.read(captures.transforms(tmp_path / "c", captures.ring(1), k1=0.1))
    assert "distorted" in refusal(bent, tmp_path / "d", 2).sentence
    (tmp_path / "file").write_text("")
    assert refusal(source, tmp_path / "file", 2).code == "output.unusable"


@pytest.mark.parametrize(
    "change",
    [
        lambda lists: lists.pop("focal"),
        lambda lists: lists["focal"].pop(),
        lambda lists: lists["focal"].__setitem__(0, "x"),
        lambda lists: lists["pix2cam"].pop(),
        lambda lists: lists["pix2cam"][0][0].__setitem__(1, 0.5),
        lambda lists: lists["cam2world"].__setitem__(0, [1]),
        lambda lists: lists["file_path"].__setitem__(0, "/a.png"),
        lambda lists: lists.update({key: [] for key in lists}),
    ],
)
def test_damaged_metadata_is_refused(tmp_path: Path, change: object) -> None:
    source = opening.read(captures.scene(tmp_path / "a", {"train": 1}))
    multiscale.convert(source, tmp_path / "b", levels=1)
    file = tmp_path / "b" / "metadata.json"
    fields = json.loads(file.read_text())
    change(fields["train"])  # type: ignore[operator]
    file.write_text(json.dumps(fields))
    with pytest.raises(UserError) as caught:
        opening.read(tmp_path / "b")
    assert caught.value.code == "dataset.bad"
