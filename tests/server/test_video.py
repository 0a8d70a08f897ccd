"""Films: what is written is read back, in its colours; what is no film is refused."""

import io
import struct
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from maquette_server.media import video
from maquette_wire.errors import UserError
from numpy.typing import NDArray


def moving(count: int = 12, height: int = 48, width: int = 64) -> list[NDArray[np.uint8]]:
    """A soft coloured pattern that moves to the right."""
    y, x = np.mgrid[:height, :width]
    pictures = []
    for step in range(count):
        wave = np.sin((x - 3 * step) / 9.0)
        pictures.append(np.stack([128 + 90 * wave, 2.0 * y + 60, 220 - 80 * wave], -1).clip(0, 255))
    return [picture.astype(np.uint8) for picture in pictures]


def film(pictures: list[NDArray[np.uint8]], fps: float = 24) -> bytes:
    file = io.BytesIO()
    assert video.write(file, pictures, fps) == len(pictures)
    return file.getvalue()


def read(data: bytes, **options: bool) -> list[NDArray[np.uint8]]:
    return list(video.frames(io.BytesIO(data), **options))


@pytest.mark.parametrize("fps", [1, 24, 30, 30000 / 1001, 12.5])
def test_a_film_comes_back_with_its_frames_size_and_rate(fps: float, tmp_path: Path) -> None:
    given, path = moving(), tmp_path / "100% film: a.mp4"
    assert video.write(path, iter(given), fps) == len(given)
    back = list(video.frames(path))
    assert len(back) == len(given)
    for one, other in zip(given, back, strict=True):
        assert other.shape == one.shape
        assert np.abs(one.astype(float) - other).mean() < 3
        assert np.abs(one.mean((0, 1)) - other.mean((0, 1))).max() < 1.2
    about = video.describe(path)
    assert (about.width, about.height, about.count) == (64, 48, len(given))
    assert about.fps == pytest.approx(fps, rel=1e-6)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "colour", [(255, 0, 0), (0, 255, 0), (0, 0, 255), (200, 30, 20), (9, 9, 9), (255,) * 3]
)
def test_colours_stay_what_they_were(colour: tuple[int, int, int]) -> None:
    data = film([np.full((32, 32, 3), colour, np.uint8)] * 3)
    assert np.abs(read(data)[1].astype(int) - colour).max() <= 2
    with av.open(io.BytesIO(data)) as container:
        codec = container.streams.video[0].codec_context
        tags = (codec.colorspace, codec.color_primaries, codec.color_trc, codec.color_range)
        assert tags == (1, 1, 1, 1)  # BT.709 three times, and the narrow range
        assert (codec.name, codec.pix_fmt) == ("h264", "yuv420p")


@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 64), (32, 47), (35, 37)])
def test_odd_sizes_become_even_by_repeating_the_edge(height: int, width: int) -> None:
    picture = moving(1, height, width)[0]
    back = read(film([picture] * 2))[0]
    assert back.shape == (height + height % 2, width + width % 2, 3)
    assert np.abs(back[:height, :width].astype(int) - picture).mean() < 6
    padded = np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    assert np.abs(back.astype(int) - padded).mean() < 6


def test_equal_frames_give_equal_bytes() -> None:
    assert film(moving()) == film(moving())


def test_frames_are_asked_for_one_at_a_time_and_given_one_at_a_time(tmp_path: Path) -> None:
    taken = []

    def frames() -> Iterator[NDArray[np.uint8]]:
        for number, picture in enumerate(moving(4)):
            taken.append(number)
            yield picture

    path = tmp_path / "film.mp4"
    video.write(path, frames(), 10)
    assert taken == [0, 1, 2, 3]
    reading = video.frames(path)
    assert next(reading).shape == (48, 64, 3)
    reading.close()


def test_frames_can_be_added_one_by_one(tmp_path: Path) -> None:
    file = io.BytesIO()
    with video.writing(file, 24) as add:
        for picture in moving():
            add(picture)
    assert file.getvalue() == film(moving())
    with pytest.raises(ValueError, match="needs a frame"), video.writing(tmp_path / "film.mp4", 24):
        pass
    assert not list(tmp_path.iterdir())


def test_a_film_that_breaks_off_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "film.mp4"
    path.write_bytes(b"an older film")

    def frames() -> Iterator[NDArray[np.uint8]]:
        yield moving(1)[0]
        raise RuntimeError("the renderer stopped")

    with pytest.raises(RuntimeError, match="the renderer stopped"):
        video.write(path, frames(), 10)
    assert [file.name for file in tmp_path.iterdir()] == ["film.mp4"]
    assert path.read_bytes() == b"an older film"


def test_wrong_frames_and_rates_are_refused() -> None:
    picture = moving(1)[0]
    wrong: list[list[NDArray[np.uint8]]] = [
        [],
        [picture[..., 0]],
        [picture.astype(np.float32)],  # type: ignore[list-item]
        [picture, picture[:-2]],
        [np.zeros((0, 4, 3), np.uint8)],
        [np.zeros((1, video.MAX_SIDE + 1, 3), np.uint8)],
    ]
    for frames in wrong:
        with pytest.raises(ValueError):
            video.write(io.BytesIO(), frames, 10)
    for fps in (0, 1e-4, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError):
            video.write(io.BytesIO(), [picture], fps)


def turned_by_a_quarter(data: bytes) -> bytes:
    """The film with the track's matrix (ISO 14496-12, 8.3.2) set to a turn by 90 degrees clockwise."""
    place = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    whole = 1 << 16
    matrix = struct.pack(">9i", 0, whole, 0, -whole, 0, 0, 0, 0, 1 << 30)
    return data[:place] + matrix + data[place + len(matrix) :]


def test_the_turn_that_a_telephone_notes_is_followed_unless_asked_not_to() -> None:
    plain = film(moving(2))
    noted = turned_by_a_quarter(plain)
    stored = read(noted, upright=False)[0]
    np.testing.assert_array_equal(stored, read(plain)[0])
    np.testing.assert_array_equal(read(noted)[0], np.rot90(stored, -1))
    about = video.describe(io.BytesIO(noted))
    assert (about.width, about.height) == (48, 64)


def refused(data: bytes) -> UserError:
    with pytest.raises(UserError) as caught:
        read(data)
    assert caught.value.code == "video.bad"
    assert caught.value.hint
    return caught.value


def test_what_is_no_film_is_refused(tmp_path: Path) -> None:
    whole = film(moving())
    for data in (b"", b"no film " * 500, whole[:40], whole[: len(whole) // 2], whole[:-200]):
        refused(data)
    with pytest.raises(UserError, match=r"gone\.mp4") as caught:
        next(video.frames(tmp_path / "gone.mp4"))
    assert caught.value.code == "video.bad"
    with pytest.raises(UserError):
        video.describe(tmp_path)


def test_a_film_without_pictures_is_refused() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    assert "no pictures" in refused(file.getvalue()).sentence


def test_a_kind_that_nobody_decodes_is_refused() -> None:
    assert "cannot be decoded" in refused(film(moving(1)).replace(b"avc1", b"xyz1")).sentence


def test_a_list_of_other_files_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other.mp4"
    video.write(other, moving(2), 10)
    for text in (
        f"ffconcat version 1.0\nfile '{other.name}'\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n",
    ):
        playlist = tmp_path / "list.m3u8"
        playlist.write_text(text, encoding="utf-8")
        with pytest.raises(UserError):
            next(video.frames(playlist))


def test_frames_beyond_the_bound_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = film(moving(1))
    monkeypatch.setattr(video, "MAX_PIXELS", 48 * 64 - 1)
    assert "48" in refused(data).sentence
