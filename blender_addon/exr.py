"""One channel of an OpenEXR file as Blender writes it: one part, rows from the top, not compressed. No bpy.

Blender hands out the passes of a render only as such a file (https://openexr.com/en/latest/OpenEXRFileLayout.html).
"""

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

CODEC = "NONE"  # Blender's name for what is read here
_MAGIC = 20000630
_ONE_PART = 0x400  # flag of the version number that is allowed: long names
_TYPES = {0: "<u4", 1: "<f2", 2: "<f4"}


def read(path: Path, channel: str) -> NDArray[np.float32] | None:
    """The channel of that name, float32 [H, W], row 0 at the top; None when the file has no such channel.

    Raises ValueError for a file of another kind, OSError when there is none.
    """
    try:
        return _read(memoryview(path.read_bytes()), channel)
    except (struct.error, IndexError, KeyError) as error:
        raise ValueError(f"'{path.name}' is damaged or cut short") from error


def _read(data: memoryview, channel: str) -> NDArray[np.float32] | None:
    magic, version = struct.unpack_from("<iI", data)
    attributes, place = _attributes(data)
    if magic != _MAGIC or version & ~0xFF & ~_ONE_PART or attributes["compression"] != b"\0":
        raise ValueError("no plain OpenEXR file")
    left, top, right, bottom = struct.unpack("<4i", attributes["dataWindow"])
    width, height = right - left + 1, bottom - top + 1
    before, kind = 0, ""
    for name, dtype in _channels(attributes["channels"]):  # a row holds one after the other
        if name == channel:
            kind = dtype
            break
        before += width * np.dtype(dtype).itemsize
    if not kind:
        return None
    found = np.empty((height, width), np.float32)
    for offset in struct.unpack_from(f"<{height}Q", data, place):
        (y,) = struct.unpack_from("<i", data, offset)
        found[y - top] = np.frombuffer(data, kind, width, offset + 8 + before)
    return found


def _attributes(data: memoryview) -> tuple[dict[str, bytes], int]:
    """The header's values by name, and where the header ends."""
    attributes: dict[str, bytes] = {}
    place = 8
    while data[place]:
        name, place = _text(data, place)
        _, place = _text(data, place)
        (size,) = struct.unpack_from("<I", data, place)
        attributes[name] = bytes(data[place + 4 : place + 4 + size])
        place += 4 + size
    return attributes, place + 1


def _channels(value: bytes) -> list[tuple[str, str]]:
    """Name and dtype of each channel, in the order of the file."""
    found = []
    place = 0
    while value[place]:
        name, place = _text(memoryview(value), place)
        found.append((name, _TYPES[struct.unpack_from("<i", value, place)[0]]))
        place += 16
    return found


def _text(data: memoryview, place: int) -> tuple[str, int]:
    """The text that begins there and ends with a zero byte, and where what follows it begins."""
    end = place
    while data[end]:
        end += 1
    return bytes(data[place:end]).decode("latin-1"), end + 1
