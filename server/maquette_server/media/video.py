"""Films: frames to an H.264 MP4 file, and any film's frames back, one at a time.

A frame is u8 [H, W, 3], sRGB, row 0 at the top. Films are written as yuv420p, which every player shows, with
the matrix, primaries and transfer curve of BT.709 applied *and* tagged: untagged, a player guesses BT.601 for
small pictures and turns reds towards orange.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer, OutputContainer
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, Interpolation
from av.video.stream import VideoStream
from maquette_wire.errors import UserError
from numpy.typing import NDArray

MAX_SIDE = 8192  # pixels; what H.264's largest levels have
MAX_PIXELS = 8192 * 8192  # of a frame that is read
SLOWEST, FASTEST = 0.01, 1000.0  # frames per second
QUALITY = 18  # x264's constant rate factor: hard to tell from the original
# FFmpeg's fast conversion to RGB drops fractions: pictures come back 1 to 1.5 of 255 levels darker.
_EXACT = (
    Interpolation.BILINEAR
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.BITEXACT
)
# No playlists, scripts or picture sequences: those make FFmpeg open further files, or addresses.
_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,gif,ogg"


@dataclass(frozen=True)
class Film:
    """What a file says of itself before a frame is decoded."""

    width: int  # pixels as shown: after turning
    height: int
    fps: float  # the average; 0 where the file does not say
    count: int | None  # frames; None where the file does not say


def write(target: Path | BinaryIO, frames: Iterable[NDArray[np.uint8]], fps: float) -> int:
    """Writes the frames as an MP4 film and returns how many there were.

    frames: u8 [H, W, 3] each, all of one size; taken one at a time, and no more than some twenty are held.
    An odd height or width is made even by repeating the last row or column. fps: frames per second.
    target: a path, which appears only when the film is whole and can then be played while it is fetched; or a
    binary file open for writing and seeking. Equal frames give equal bytes. Raises ValueError for frames of
    another shape or type, and for none at all; OSError when the target cannot be written.
    """
    count = 0
    with writing(target, fps) as add:
        for picture in frames:
            add(picture)
            count += 1
    return count


@contextmanager
def writing(target: Path | BinaryIO, fps: float) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """`write` for who has frames one after the other: gives the function that adds one.

    The film is whole when the context ends; after an exception in it a path is as it was before.
    """
    if not SLOWEST <= fps <= FASTEST:
        raise ValueError(f"a film has {SLOWEST:g} to {FASTEST:g} frames per second, not {fps}")
    if not isinstance(target, Path):
        # Moving the index to the front needs the file to be opened again, by its name.
        with av.open(target, "w", format="mp4") as container:
            encoder = _Encoder(container, fps)
            yield encoder.add
            encoder.finish()
        return
    part = target.with_name(target.name + ".part")
    try:
        with av.open(f"file:{part}", "w", format="mp4", options={"movflags": "+faststart"}) as container:
            encoder = _Encoder(container, fps)
            yield encoder.add
            encoder.finish()
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def describe(source: Path | BinaryIO) -> Film:
    """Size, rate and length of a film, by its header and its first frame. Raises UserError `video.bad`."""
    with _opened(source) as (container, stream):
        count = stream.frames or None
        fps = float(stream.average_rate or 0)
        for frame in _decoded(container, stream, _name(source)):
            height, width = _turned(frame, True).shape[:2]
            return Film(width, height, fps, count)
    raise _bad(_name(source), "holds no frame that can be decoded")


def frames(source: Path | BinaryIO, *, upright: bool = True) -> Iterator[NDArray[np.uint8]]:
    """The frames of a film as u8 [H, W, 3], in the order they are shown; one is held at a time.

    Telephones store frames as the sensor lies, with the angle to turn them by beside them: `upright` follows
    it (quarter turns; mirrorings and other angles are left), otherwise frames come as stored. Repeated and
    dropped times do not matter here: every stored frame comes once. High dynamic range is not tone-mapped.
    Raises UserError `video.bad` for what is no film, holds no frame, is damaged (frames before the damage
    have then been given) or has frames of more than MAX_PIXELS.
    """
    for _, _, picture in chosen(source, lambda number, seconds: True, upright=upright):
        yield picture


def chosen(
    source: Path | BinaryIO, wanted: Callable[[int, float], bool | None], *, upright: bool = True
) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
    """Number, second and picture of the frames that are wanted; others as of `frames`.

    wanted: asked with the number of a frame, from 0, and its second, from the first one's; None ends the
    film. Only what is wanted is converted. Where the file says no time, frames follow at its average rate.
    """
    name = _name(source)
    number = -1
    with _opened(source) as (container, stream):
        rate = float(stream.average_rate or 0) or 1.0
        first: float | None = None
        for number, frame in enumerate(_decoded(container, stream, name)):
            shown = number / rate if frame.time is None else float(frame.time)
            first = shown if first is None else first
            answer = wanted(number, shown - first)
            if answer is None:
                return
            if answer:
                yield number, shown - first, _turned(frame, upright)
    if number < 0:
        raise _bad(name, "holds no frame that can be decoded")


class _Encoder:
    """Adds frames to a file."""

    def __init__(self, container: OutputContainer, fps: float) -> None:
        self._container = container
        self._rate = Fraction(fps).limit_denominator(1001)
        self._stream: VideoStream | None = None
        self._shape: tuple[int, ...] = ()
        self._count = 0

    def add(self, picture: NDArray[np.uint8]) -> None:
        """The next frame."""
        if self._stream is None:
            self._shape = picture.shape
            self._stream = _stream(self._container, self._shape, self._rate)
        shape = self._shape
        if picture.shape != shape or picture.dtype != np.uint8:
            raise ValueError(
                f"frame {self._count} is {picture.dtype} {picture.shape}, the first is uint8 {shape}"
            )
        even = np.pad(picture, ((0, shape[0] % 2), (0, shape[1] % 2), (0, 0)), mode="edge")
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(even), "rgb24").reformat(
            format="yuv420p",
            interpolation=_EXACT,
            dst_colorspace=Colorspace.ITU709,
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            threads=1,
        )
        frame.pts, frame.time_base = self._count, 1 / self._rate
        self._container.mux(self._stream.encode(frame))
        self._count += 1

    def finish(self) -> None:
        """What the encoder still holds."""
        if self._stream is None:
            raise ValueError("a film needs a frame")
        self._container.mux(self._stream.encode())


def _stream(container: OutputContainer, shape: tuple[int, ...], rate: Fraction) -> VideoStream:
    if len(shape) != 3 or shape[2] != 3 or not 0 < min(shape[:2]) <= max(shape[:2]) <= MAX_SIDE:
        raise ValueError(f"a frame is u8 [H, W, 3] with sides of 1 to {MAX_SIDE} pixels, not {shape}")
    # The look-ahead is what x264 holds of the film; its own 40 frames are much at 4096 pixels.
    stream = container.add_stream("libx264", rate=rate, options={"crf": str(QUALITY), "rc-lookahead": "15"})
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = shape[0] + shape[0] % 2, shape[1] + shape[1] % 2
    stream.pix_fmt = "yuv420p"
    codec = stream.codec_context
    codec.thread_count = 1  # more change the bytes with the machine
    codec.colorspace, codec.color_range = Colorspace.ITU709, ColorRange.MPEG
    codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
    return stream


@contextmanager
def _opened(source: Path | BinaryIO) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The film and its first stream of pictures. The file is opened by us, so that its name is never taken
    for an address.
    """
    if isinstance(source, Path):
        try:
            file = source.open("rb")
        except OSError as error:
            raise _bad(source.name, f"cannot be opened ({error.strerror or error})") from error
        with file, _opened(file) as pair:
            yield pair
        return
    name = _name(source)
    try:
        container = av.open(source, "r", options={"format_whitelist": _CONTAINERS, "protocol_whitelist": ""})
    except (av.FFmpegError, ValueError, OSError) as error:
        raise _bad(name, "is not a film, or is cut short") from error
    with container:
        if not container.streams.video:
            raise _bad(name, "holds no pictures, or is cut short")
        yield container, container.streams.video[0]


def _decoded(container: InputContainer, stream: VideoStream, name: str) -> Iterator[av.VideoFrame]:
    if getattr(stream, "codec_context", None) is None:  # so PyAV says that it has no decoder
        raise _bad(name, "is compressed in a way that cannot be decoded")
    if stream.width * stream.height > MAX_PIXELS:
        raise _bad(name, f"has frames of {stream.width} x {stream.height} pixels, more than can be read")
    decoding = container.decode(stream)
    while True:
        try:
            frame = next(decoding, None)
        except (av.FFmpegError, ValueError, OSError) as error:
            raise _bad(name, "is damaged, or of a kind that cannot be decoded") from error
        if frame is None:
            return
        if frame.width * frame.height > MAX_PIXELS:  # a stream may change its size on the way
            raise _bad(name, f"has a frame of {frame.width} x {frame.height} pixels, more than can be read")
        yield frame


def _turned(frame: av.VideoFrame, upright: bool) -> NDArray[np.uint8]:
    # The matrix is the file's; where it says none, small pictures are BT.601 and large ones BT.709, as
    # players have it.
    known = frame.colorspace in set(Colorspace)
    guess = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
    colour = frame.reformat(
        format="rgb24",
        interpolation=_EXACT,
        src_colorspace=Colorspace(frame.colorspace) if known else guess,
        dst_color_range=ColorRange.JPEG,
        threads=1,
    )
    picture = np.asarray(colour.to_ndarray(), np.uint8)
    if not upright or frame.rotation % 90:
        return picture
    return np.ascontiguousarray(np.rot90(picture, frame.rotation // 90))


def _name(source: Path | BinaryIO) -> str:
    return Path(str(getattr(source, "name", "the film"))).name


def _bad(name: str, why: str) -> UserError:
    return UserError("video.bad", f"'{name}' {why}.", hint="Give a film such as MP4, MOV, MKV or WebM.")
