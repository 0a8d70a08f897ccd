"""The small PNG writer, read back by a real reader."""

import io
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from maquette_wire import errors
from PIL import Image

from blender_addon import png


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_a_written_picture_is_read_back_bit_for_bit(width: int, height: int, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8)
    data = png.encode(picture)
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "RGBA"
        assert np.array_equal(np.asarray(image), picture)
    assert png.size(data) == (width, height)


def test_no_step_goes_over_the_whole_file(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (512, 1024, 4), dtype=np.uint8)
    summed: list[int] = []
    monkeypatch.setattr(png.zlib, "crc32", lambda data, *more: summed.append(len(data)) or crc32(data, *more))
    with Image.open(io.BytesIO(png.encode(noise))) as image:
        assert np.array_equal(np.asarray(image), noise)
    assert max(summed) < 2 * png.ENCODED
    assert len(summed) > noise.nbytes // png.ENCODED


@pytest.mark.parametrize("data", [b"", b"GIF89a" * 9, png.SIGNATURE + b"\0" * 30])
def test_what_is_no_png_is_refused(data: bytes) -> None:
    with pytest.raises(errors.UserError) as caught:
        png.size(data)
    assert caught.value.code == "texture.bad"
