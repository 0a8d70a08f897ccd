"""Channels of OpenEXR files as Blender writes them, of files that a real writer wrote."""

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_addon import exr


def write(path: Path, channels: dict[str, np.ndarray], compression: str = "NO") -> Path:
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, channels, num_threads=0).write(str(path))
    return path


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_a_channel_is_read_bit_for_bit_among_others(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    names = (
        "L.Combined.A",
        "L.Depth.Z",
        "L.Index.X",
        "L.Normal.Z",
        "a name of more than thirty-one letters.Z",
    )
    kinds = (np.float16, np.float32, np.uint32, np.float32, np.float32)
    channels = {
        name: (9 * random.random((height, width))).astype(kind)
        for name, kind in zip(names, kinds, strict=True)
    }
    channels["L.Depth.Z"][0, 0] = np.inf
    path = write(tmp_path_factory.mktemp("exr") / "a.exr", dict(channels))
    for name, values in channels.items():
        found = exr.read(path, name)
        assert found is not None
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, values.astype(np.float32))
    assert exr.read(path, "L.Depth.W") is None


def test_what_is_of_another_kind_or_cut_short_is_refused(tmp_path: Path) -> None:
    channels = {"Z": np.ones((6, 5), np.float32)}
    whole = write(tmp_path / "whole.exr", channels).read_bytes()
    for number in (0, 3, 20, 100, len(whole) - 3):
        (tmp_path / "cut.exr").write_bytes(whole[:number])
        with pytest.raises(ValueError):
            exr.read(tmp_path / "cut.exr", "Z")
    (tmp_path / "other.exr").write_bytes(b"GIF89a" + whole[6:])
    with pytest.raises(ValueError):
        exr.read(tmp_path / "other.exr", "Z")
    with pytest.raises(ValueError):
        exr.read(write(tmp_path / "zip.exr", channels, "ZIP"), "Z")
    with pytest.raises(OSError):
        exr.read(tmp_path / "none.exr", "Z")
