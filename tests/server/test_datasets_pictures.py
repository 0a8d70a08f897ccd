"""Pictures of a data set: stored pixels as 8 bits, whatever the file; what does not fit is refused."""

import io
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from maquette_server.cameras.lens import Lens
from maquette_server.datasets import pictures, reducing
from maquette_server.datasets.base import Frame
from maquette_wire.errors import UserError
from PIL import Image, ImageOps

from tests.server import captures

WIDTH, HEIGHT = captures.WIDTH, captures.HEIGHT


def frame(path: Path, width: int = WIDTH, height: int = HEIGHT, mask: Path | None = None) -> Frame:
    lens = Lens(width, height, 30.0, 30.0, 0.5 * width, 0.5 * height)
    return Frame(path.name, path, np.eye(4), lens, mask)


def refusal(one: Frame) -> UserError:
    with pytest.raises(UserError) as caught:
        pictures.load(one)
    assert caught.value.code == "dataset.picture"
    assert one.name in caught.value.sentence
    assert "\n" not in caught.value.line()
    return caught.value


def test_colour_and_alpha_are_as_stored(tmp_path: Path) -> None:
    for channels in (3, 4):
        picture = captures.noise(channels=channels)
        found = pictures.load(frame(captures.save(tmp_path / f"{channels}.png", picture)))
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, picture)


def test_grey_and_palettes_become_colour(tmp_path: Path) -> None:
    grey = captures.noise()[..., 0]
    found = pictures.load(frame(captures.save(tmp_path / "grey.png", grey)))
    np.testing.assert_array_equal(found, np.repeat(grey[..., None], 3, -1))
    palette = Image.fromarray(captures.noise()).quantize(16)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(
        pictures.load(frame(tmp_path / "palette.png")), np.asarray(palette.convert("RGB"))
    )
    palette.save(tmp_path / "clear.png", transparency=0)
    clear = pictures.load(frame(tmp_path / "clear.png"))
    np.testing.assert_array_equal(clear[..., 3] == 0, np.asarray(palette) == 0)
    Image.fromarray(grey > 127).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(pictures.load(frame(tmp_path / "bits.png"))[..., 1] == 255, grey > 127)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits_are_rounded_to_eight(tmp_path: Path, channels: int) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, channels)).astype(np.uint16)
    values[0, 0], values[0, 1] = 0, 65535
    (tmp_path / "deep.png").write_bytes(captures.png16(values))
    found = pictures.load(frame(tmp_path / "deep.png"))
    expected = np.floor(values / 257.0 + 0.5).astype(np.uint8)
    np.testing.assert_array_equal(found, np.repeat(expected, 3, -1) if channels == 1 else expected)


def test_deep_grey_with_alpha_is_within_a_level(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 65536, (HEIGHT, WIDTH, 2)).astype(np.uint16)
    (tmp_path / "deep.png").write_bytes(captures.png16(values))
    found = pictures.load(frame(tmp_path / "deep.png")).astype(int)
    assert np.abs(found[..., (0, 3)] - values / 257.0).max() < 1


def test_a_whole_multiple_or_fraction_fits_and_nothing_else(tmp_path: Path) -> None:
    path = captures.save(tmp_path / "a.png", captures.noise(48, 32))
    for width, height in ((48, 32), (24, 16), (96, 64), (3 * 48, 3 * 32)):
        assert pictures.load(frame(path, width, height)).shape == (32, 48, 3)
    for width, height in ((24, 32), (40, 32), (72, 48), (47, 31), (24, 8)):
        error = refusal(frame(path, width, height))
        assert "48 x 32" in error.sentence
        assert f"{width} x {height}" in error.sentence
    assert "turned" in refusal(frame(path, 32, 48)).hint


@pytest.mark.parametrize("tag", [5, 6, 7, 8])
def test_an_orientation_tag_is_followed_where_only_the_upright_picture_fits(tmp_path: Path, tag: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = tag
    Image.fromarray(captures.noise()).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        upright = np.asarray(ImageOps.exif_transpose(image))
    found = pictures.load(frame(tmp_path / "a.png", HEIGHT, WIDTH))
    np.testing.assert_array_equal(found, upright)


def test_an_orientation_tag_is_not_followed_where_the_stored_pixels_fit(tmp_path: Path) -> None:
    picture = Image.fromarray(captures.noise())
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(pictures.load(frame(tmp_path / "a.png")), np.asarray(picture))


def test_truncated_pictures_are_refused(tmp_path: Path) -> None:
    for kind in ("JPEG", "PNG", "WEBP"):
        buffer = io.BytesIO()
        Image.fromarray(captures.noise(WIDTH * 8, HEIGHT * 8)).save(buffer, kind)
        data = buffer.getvalue()
        path = tmp_path / f"a.{kind.lower()}"
        path.write_bytes(data)
        assert pictures.load(frame(path)).shape == (HEIGHT * 8, WIDTH * 8, 3)
        for share in (0.9, 0.5, 0.1, 0.0):
            path.write_bytes(data[: int(share * len(data))])
            refusal(frame(path))
    (tmp_path / "a.jpeg").write_bytes(b"<html>not found</html>")
    assert "no PNG" in refusal(frame(tmp_path / "a.jpeg")).sentence


def test_a_missing_picture_says_where_it_should_be(tmp_path: Path) -> None:
    error = refusal(frame(tmp_path / "gone.png"))
    assert "missing" in error.sentence
    assert str(tmp_path) in error.hint


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    for side in (9000, 60000):
        data = captures.png16(np.zeros((1, 1, 3), np.uint16))
        path = tmp_path / "bomb.png"
        path.write_bytes(data.replace(b"\0\0\0\1\0\0\0\1", side.to_bytes(4, "big") * 2))
        # the sums of the header no longer fit; Pillow looks at the size first or refuses for that
        with warnings.catch_warnings():
            refusal(frame(path, side, side))
    buffer = io.BytesIO()
    Image.new("1", (9000, 9000)).save(buffer, "PNG")
    path.write_bytes(buffer.getvalue())
    assert "million pixels" in refusal(frame(path, 9000, 9000)).sentence


def test_masks_of_any_coding_and_size(tmp_path: Path) -> None:
    path = captures.save(tmp_path / "a.png", captures.noise())
    kept = np.zeros((HEIGHT, WIDTH), bool)
    kept[4:10, 6:20] = True
    assert pictures.load_mask(frame(path)) is None
    for name, values in (("ones", kept.astype(np.uint8)), ("full", kept.astype(np.uint8) * 255)):
        mask = captures.save(tmp_path / f"{name}.png", values)
        found = pictures.load_mask(frame(path, mask=mask))
        assert found is not None
        assert found.dtype == bool
        np.testing.assert_array_equal(found, kept)
    large = np.kron(kept, np.ones((8, 8), bool))
    Image.fromarray(large.astype(np.uint8) * 255).save(tmp_path / "large.jpg", quality=80)
    noisy = frame(path, mask=tmp_path / "large.jpg")
    np.testing.assert_array_equal(pictures.load_mask(noisy), kept)
    whole = replace(noisy, lens=noisy.lens.resized(WIDTH * 8, HEIGHT * 8))
    np.testing.assert_array_equal(pictures.load_mask(whole), large)
    dark = captures.save(tmp_path / "dark.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    assert not np.any(pictures.load_mask(frame(path, mask=dark)))


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_a_mixed_pixel_is_known_where_all_that_is_in_it_is(tmp_path: Path, factor: int) -> None:
    path = captures.save(tmp_path / "a.png", captures.noise())
    kept = np.random.default_rng(2).random((HEIGHT, WIDTH)) > 0.05
    mask = captures.save(tmp_path / "m.png", kept.astype(np.uint8) * 255)
    found = pictures.load_mask(frame(path, mask=mask), factor)
    assert found is not None
    assert found.shape == reducing.reduced(pictures.load(frame(path)), factor).shape[:2]
    for row, column in np.ndindex(found.shape):
        block = kept[row * factor :, column * factor :][:factor, :factor]
        assert found[row, column] == block.all(), "the blocks are those of the picture, cut off alike"
    assert found.any()
    assert not found.all()


def test_a_mask_of_another_shape_or_place_is_refused(tmp_path: Path) -> None:
    path = captures.save(tmp_path / "a.png", captures.noise())
    mask = captures.save(tmp_path / "m.png", np.zeros((30, 30), np.uint8))
    with pytest.raises(UserError, match="30 x 30") as caught:
        pictures.load_mask(frame(path, mask=mask))
    assert "mask of 'a.png'" in caught.value.sentence
    with pytest.raises(UserError, match="missing"):
        pictures.load_mask(replace(frame(path), mask=tmp_path / "gone.png"))
