"""Depth as OpenEXR files: one float32 channel, scene units along the viewing axis, infinity where nothing is.

The file format is OpenEXR's (https://openexr.com/en/latest/OpenEXRFileLayout.html). The library that decodes
it gives damaged blocks as wrong numbers and writes to stdout, so a file is looked at before it gets it: every
block must lie in the file, and a zipped one must match its own checksum (blocks that would not shrink are
stored plain, without one).
"""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import OpenEXR
from maquette_wire.errors import UserError
from numpy.typing import NDArray

MAX_PIXELS = 8192 * 8192
MAX_VALUES = 4 * MAX_PIXELS  # of all channels together
CHANNEL = "Z"  # what the format calls depth
_MAGIC = 20000630
_TILED, _DEEP, _PARTS = 0x200, 0x800, 0x1000  # flags of the version number
# rows per block, by the number that stands for the compression (ImfCompression.h): none, RLE, ZIPS, ZIP, PIZ,
# PXR24, B44, B44A, DWAA, DWAB
_ROWS = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
_ZIPPED = (2, 3)
_VALUE_BYTES = {0: 4, 1: 2, 2: 4}  # uint32, half, float


def write(depth: NDArray[np.floating]) -> bytes:
    """The bytes of an EXR file. depth: [H, W], infinity allowed, stored as float32, zipped without loss.

    Equal depths, equal bytes. Raises ValueError for another shape, no pixels, or something that is no number.
    """
    if depth.ndim != 2 or not 0 < depth.size <= MAX_PIXELS:
        raise ValueError(f"a depth picture is [H, W] with 1 to {MAX_PIXELS} pixels, not {depth.shape}")
    if np.isnan(depth).any():
        raise ValueError("a depth picture holds what is no number; empty pixels are infinite")
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    file = io.BytesIO()
    values = np.ascontiguousarray(depth, np.float32)
    OpenEXR.File(header, {CHANNEL: values}, num_threads=0).write(file)
    return file.getvalue()


def read(data: bytes, *, name: str = "The depth picture") -> NDArray[np.float32]:
    """The depth of an EXR file, float32 [H, W]; what is no number becomes infinite.

    The file has one channel of whatever name, or several of which one is called Z (or LAYER.Z). Half floats
    and integers are converted. Raises UserError `image.bad` for what is no EXR file, is damaged or cut short,
    is tiled, deep or of several parts, has no such channel, or is larger than MAX_PIXELS.
    """
    _check(data, name)
    try:
        channels = OpenEXR.File(io.BytesIO(data), separate_channels=True, num_threads=0).channels()
    except (RuntimeError, ValueError, TypeError, OSError, MemoryError) as error:
        raise _bad(name, "is damaged") from error
    found = (
        list(channels) if len(channels) == 1 else [key for key in channels if key.split(".")[-1] == CHANNEL]
    )
    if len(found) != 1:
        listed = ", ".join(sorted(channels)[:8]) or "none"
        raise _bad(name, f"has the channels {listed}, of which none or several are depth")
    channel = channels[found[0]]
    if (channel.xSampling, channel.ySampling) != (1, 1) or np.ndim(channel.pixels) != 2:
        raise _bad(name, "has fewer depths than pixels")
    depth = np.array(channel.pixels, np.float32)
    depth[np.isnan(depth)] = np.inf
    return depth


def save(path: Path, depth: NDArray[np.floating]) -> None:
    """`write` into a file."""
    path.write_bytes(write(depth))


def load(path: Path) -> NDArray[np.float32]:
    """`read` of a file. Raises UserError `image.bad` also where there is none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise _bad(f"'{path.name}'", f"cannot be opened ({error.strerror or error})") from error
    return read(data, name=f"'{path.name}'")


def _check(data: bytes, name: str) -> None:
    """Raises UserError `image.bad` unless the file is whole."""
    try:
        why = _what_is_wrong(data)
    except (struct.error, IndexError, ValueError, KeyError, OverflowError):
        why = "is damaged or cut short"
    if why:
        raise _bad(name, why)


def _what_is_wrong(data: bytes) -> str:
    """Looks at the header, the table of blocks and the blocks; struct.error and the like where it ends."""
    magic, version = struct.unpack_from("<iI", data.ljust(8, b"\0"))
    if magic != _MAGIC:
        return "is not an OpenEXR file"
    if version & (_TILED | _DEEP | _PARTS):
        return "is tiled, deep or of several parts, which is not read"
    attributes, place = _attributes(data)
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    channels = _channels(attributes["channels"])
    if width < 1 or height < 1 or not channels:
        return "has no pixels"
    if width * height > MAX_PIXELS or width * height * len(channels) > MAX_VALUES:
        return f"has {width} x {height} pixels in {len(channels)} channels, more than can be read"
    compression = attributes["compression"][0]
    if compression not in _ROWS:
        return "is compressed in a way that is not read"
    rows = _ROWS[compression]
    sampled = any(x != 1 or y != 1 for _, x, y in channels)
    row_bytes = width * sum(size for size, _, _ in channels)
    blocks = -(-height // rows)
    for number, offset in enumerate(struct.unpack_from(f"<{blocks}Q", data, place)):
        y, size = struct.unpack_from("<ii", data, offset)
        block = data[offset + 8 : offset + 8 + size] if size >= 0 else b""
        whole = min(rows, height - number * rows) * row_bytes
        if offset < place + 8 * blocks or y != top + number * rows or size < 1 or len(block) != size:
            return "is damaged or cut short"
        if sampled:
            continue
        if size > whole or (compression in _ZIPPED and size < whole and not _unzips(block, whole)):
            return "is damaged"
    return ""


def _attributes(data: bytes) -> tuple[dict[str, bytes], int]:
    """The header's values by name, and where the header ends: name 0, type 0, size, value; an empty name ends
    it.
    """
    attributes: dict[str, bytes] = {}
    place = 8
    while data[place]:
        name_end = data.index(b"\0", place)
        type_end = data.index(b"\0", name_end + 1)
        (size,) = struct.unpack_from("<I", data, type_end + 1)
        start = type_end + 5
        attributes[data[place:name_end].decode("latin-1")] = data[start : start + size]
        place = start + size
    return attributes, place + 1


def _channels(value: bytes) -> list[tuple[int, int, int]]:
    """Bytes a value and the two samplings of each channel: name 0, type, four bytes, x, y; an empty name ends
    the list.
    """
    channels = []
    place = 0
    while value[place]:
        place = value.index(b"\0", place) + 1
        kind, _, x, y = struct.unpack_from("<iIii", value, place)
        channels.append((_VALUE_BYTES[kind], x, y))
        place += 16
    return channels


def _unzips(block: bytes, size: int) -> bool:
    """Whether a zipped block is whole: zlib compares its checksum."""
    stream = zlib.decompressobj()
    try:
        return len(stream.decompress(block, size + 1)) == size and stream.eof
    except zlib.error:
        return False


def _bad(name: str, why: str) -> UserError:
    return UserError("image.bad", f"{name} {why}.", hint="Save it again as a plain OpenEXR file, zipped.")
