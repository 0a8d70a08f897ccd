"""Which file a data set means by a picture's name, and what the first bytes of it say. No bpy.

PNG, JPEG and WebP, as the server reads them.
"""

import struct
from pathlib import Path
from typing import BinaryIO

from . import png
from .wire import errors

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
MOST_SEGMENTS = 256  # of a JPEG file before its size
# Markers of JPEG that begin a frame: all of C0 to CF but the three that define tables.
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def found(folder: Path, name: str) -> str:
    """The name with its ending: as it is, else with the one of a picture that is there, else `.png`."""
    if (folder / name).is_file() or name.lower().endswith(SUFFIXES):
        return name
    return next((name + ending for ending in SUFFIXES if (folder / (name + ending)).is_file()), name + ".png")


def size(path: Path) -> tuple[int, int] | None:
    """Width and height, or None when the file cannot be read or is no such picture."""
    try:
        with path.open("rb") as file:
            head = file.read(30)
            if head.startswith(png.SIGNATURE):
                return png.size(head)
            if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
                return _webp(head)
            if head[:2] == b"\xff\xd8":
                file.seek(2)
                return _jpeg(file)
    except (OSError, ValueError, struct.error, errors.UserError):
        pass
    return None


def has_alpha(path: Path) -> bool:
    """Whether it is a PNG file with an alpha channel."""
    try:
        with path.open("rb") as file:
            head = file.read(26)
    except OSError:
        return False
    return head.startswith(png.SIGNATURE) and len(head) == 26 and head[25] in (4, 6)


def _jpeg(file: BinaryIO) -> tuple[int, int] | None:
    for _ in range(MOST_SEGMENTS):
        start, marker, length = struct.unpack(">BBH", file.read(4))
        if start != 0xFF or length < 2:
            return None
        if marker in FRAMES:
            height, width = struct.unpack(">xHH", file.read(5))
            return width, height
        file.seek(length - 2, 1)
    return None


def _webp(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    return None
