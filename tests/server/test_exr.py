"""Depth in OpenEXR files: bit for bit there and back, and nothing damaged passes as depth."""

import contextlib
import io
from pathlib import Path

import hypothesis
import numpy as np
import OpenEXR
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from maquette_server.media import exr, png
from maquette_wire.errors import UserError
from numpy.typing import NDArray


def ramp(height: int = 50, width: int = 70) -> NDArray[np.float32]:
    depth = np.random.default_rng(0).random((height, width), np.float32) * 10
    depth[3, 4] = np.inf
    return depth


def foreign(
    channels: dict[str, NDArray[np.generic]], compression: str = "ZIP", kind: str = "scanlineimage"
) -> bytes:
    file = io.BytesIO()
    header: dict[str, object] = {
        "compression": getattr(OpenEXR, f"{compression}_COMPRESSION"),
        "type": getattr(OpenEXR, kind),
    }
    if kind == "tiledimage":
        header["tiles"] = OpenEXR.TileDescription()
    OpenEXR.File(header, channels, num_threads=0).write(file)
    return file.getvalue()


def refused(data: bytes) -> UserError:
    with pytest.raises(UserError) as caught:
        exr.read(data, name="'view.exr'")
    assert caught.value.code == "image.bad"
    assert caught.value.sentence.startswith("'view.exr' ")
    return caught.value


@hypothesis.given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 40), st.integers(1, 40)),
        elements=st.floats(width=32, allow_nan=False, allow_infinity=True),
    )
)
def test_depth_comes_back_bit_for_bit(depth: NDArray[np.float32]) -> None:
    back = exr.read(exr.write(depth))
    assert back.dtype == np.float32
    assert back.tobytes() == depth.tobytes()


def test_equal_depths_give_equal_bytes_and_smooth_ones_small_files() -> None:
    assert exr.write(ramp()) == exr.write(ramp().copy())
    flat = np.full((200, 300), np.inf)
    assert len(exr.write(flat)) < 3000


def test_files_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "00000.exr"
    exr.save(path, ramp())
    np.testing.assert_array_equal(exr.load(path), ramp())
    assert OpenEXR.isOpenExrFile(str(path))
    with pytest.raises(UserError, match=r"'gone\.exr' cannot be opened"):
        exr.load(tmp_path / "gone.exr")


def test_other_programs_read_one_channel_called_z() -> None:
    file = OpenEXR.File(io.BytesIO(exr.write(ramp())), separate_channels=True)
    assert list(file.channels()) == ["Z"]
    assert file.header()["compression"] == OpenEXR.ZIP_COMPRESSION


def test_what_is_no_depth_is_not_written() -> None:
    for wrong in (np.zeros(4), np.zeros((2, 2, 1)), np.zeros((0, 3)), np.array([[1.0, np.nan]])):
        with pytest.raises(ValueError):
            exr.write(wrong)


@pytest.mark.parametrize("compression", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "DWAA", "DWAB"])
def test_files_of_other_programs_are_read(compression: str) -> None:
    depth = np.linspace(1, 2, 35 * 20, dtype=np.float32).reshape(35, 20)
    back = exr.read(foreign({"ViewLayer.Depth.V": depth}, compression))
    np.testing.assert_allclose(back, depth, atol=1e-3)


def test_the_channel_called_z_is_depth_and_no_number_is_empty() -> None:
    depth = ramp()
    depth[0, 0] = np.nan
    colour = {"R": np.zeros_like(depth), "G": np.zeros_like(depth)}
    back = exr.read(foreign({**colour, "ViewLayer.Depth.Z": depth}))
    assert back[0, 0] == np.inf
    np.testing.assert_array_equal(back[1:], depth[1:])
    assert exr.read(foreign({"Z": depth.astype(np.float16)})).dtype == np.float32
    assert "R" in refused(foreign({"R": depth, "G": depth, "B": depth})).sentence
    refused(foreign({"a.Z": depth, "b.Z": depth}))


def test_what_is_no_exr_file_is_refused() -> None:
    picture = png.write(np.zeros((9, 9, 3), np.uint8))
    for data in (b"", b"v/1", b"no picture " * 100, picture, exr.write(ramp())[:8] + b"\0" * 200):
        refused(data)
    assert "tiled" in refused(foreign({"Z": ramp()}, kind="tiledimage")).sentence


def test_a_file_cut_short_anywhere_is_refused_without_a_word(capfd: pytest.CaptureFixture[str]) -> None:
    whole = exr.write(ramp())
    for length in [*range(0, len(whole), 397), len(whole) - 1]:
        refused(whole[:length])
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("compression", ["ZIP", "ZIPS"])
def test_a_changed_byte_never_gives_another_depth(compression: str) -> None:
    depth = np.repeat(np.linspace(1, 2, 30, dtype=np.float32)[:, None], 40, 1)  # every row shrinks
    whole = foreign({"Z": depth}, compression)
    start = whole.index(b"\0\0", whole.index(b"screenWindowWidth"))  # behind the names of the header
    for place in range(start + 20, len(whole), 7):
        changed = whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]
        with contextlib.suppress(UserError):
            np.testing.assert_array_equal(exr.read(changed), depth)


def test_a_header_that_promises_too_much_is_refused_before_anything_is_made() -> None:
    whole = bytearray(exr.write(ramp()))
    place = whole.index(b"dataWindow\0box2i\0") + len(b"dataWindow\0box2i\0") + 4
    for right, bottom in ((1 << 20, 1 << 20), (1 << 30, 0), (-5, 10), (2**31 - 1, 2**31 - 1)):
        whole[place + 8 : place + 16] = np.array([right, bottom], "<i4").tobytes()
        refused(bytes(whole))
