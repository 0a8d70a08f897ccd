"""PNG files in a few lines: what a picture's size is, and writing one.

Blender has no picture library of its own. Only for images that have no file bytes of their own (painted in
Blender, or of another format).
"""

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

from .wire import errors

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode(picture: NDArray[np.uint8]) -> bytes:
    """u8 [H, W, 4], top row first, as a PNG file with straight alpha."""
    height, width, _ = picture.shape
    filtered = np.zeros((height, 1 + width * 4), np.uint8)  # one filter byte (none) before each row
    filtered[:, 1:] = picture.reshape(height, width * 4)
    head = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = zlib.compress(filtered.tobytes(), level=1)  # speed: the file goes to a server once
    return SIGNATURE + _chunk(b"IHDR", head) + _chunk(b"IDAT", body) + _chunk(b"IEND", b"")


def size(data: bytes | bytearray) -> tuple[int, int]:
    """Width and height of a PNG file. Raises UserError `texture.bad` when it is none."""
    if len(data) < 24 or bytes(data[:8]) != SIGNATURE or bytes(data[12:16]) != b"IHDR":
        raise errors.UserError("texture.bad", "The texture that came is not a PNG file.")
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
