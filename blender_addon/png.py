"""PNG files in a few lines: what a picture's size is, and writing one.

Blender has no picture library of its own. Only for images that have no file bytes of their own (painted in
Blender, or of another format).
"""

import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from . import steps
from .wire import errors

ENCODED = 64 * 1024  # bytes that are encoded in one step: 2 to 4 ms
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode_steps(
    width: int, height: int, rows: Callable[[int, int], NDArray[np.uint8]]
) -> steps.Steps[bytearray]:
    """A PNG file with straight alpha. `rows(begin, end)` gives u8 [end - begin, W, 4], the top row first.

    Each step adds a chunk of its own, so that none goes over the whole file.
    """
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    file = bytearray(SIGNATURE + _chunk(b"IHDR", head))
    packer = zlib.compressobj(level=1)  # speed: the file goes to a server once
    for begin, end in steps.ranges(height, max(1, ENCODED // (4 * width))):
        filtered = np.zeros((end - begin, 1 + width * 4), np.uint8)  # one filter byte (none) before each row
        filtered[:, 1:] = rows(begin, end).reshape(end - begin, width * 4)
        packed = packer.compress(filtered.data)
        if packed:
            file += _chunk(b"IDAT", packed)
        yield filtered.nbytes
    file += _chunk(b"IDAT", packer.flush()) + _chunk(b"IEND", b"")
    return file


def encode(picture: NDArray[np.uint8]) -> bytes:
    """u8 [H, W, 4], top row first, as a PNG file."""
    made = encode_steps(picture.shape[1], picture.shape[0], lambda begin, end: picture[begin:end])
    return bytes(steps.at_once(made))


def size(data: bytes | bytearray) -> tuple[int, int]:
    """Width and height of a PNG file. Raises UserError `texture.bad` when it is none."""
    if len(data) < 24 or bytes(data[:8]) != SIGNATURE or bytes(data[12:16]) != b"IHDR":
        raise errors.UserError("texture.bad", "The texture that came is not a PNG file.")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
