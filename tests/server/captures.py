"""Small data sets for tests: cameras in a ring, pictures of noise, and the files that name them."""

import json
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from maquette_server.cameras.pinhole import look_at
from maquette_server.media import png
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 24, 16
INTRINSICS: dict[str, Any] = {"fl_x": 30.0, "fl_y": 31.0, "cx": 11.5, "cy": 8.25, "w": WIDTH, "h": HEIGHT}


def ring(
    count: int, radius: float = 4.0, middle: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> list[Floats]:
    """Cameras [4, 4] round a point, a little above it, z up, all looking at it."""
    target = np.array(middle)
    poses = []
    for i in range(count):
        angle = 2 * math.pi * i / count
        offset = radius * np.array([0.9 * math.cos(angle), 0.9 * math.sin(angle), 0.4])
        poses.append(look_at(target + offset, target, np.array([0.0, 0.0, 1.0])))
    return poses


def noise(width: int = WIDTH, height: int = HEIGHT, channels: int = 3, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels)).astype(np.uint8)


def save(path: Path, picture: NDArray[np.uint8]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(png.write(picture))
    return path


def transforms(
    folder: Path, poses: list[Floats], *, pictures: bool = True, per_frame: Any = None, **fields: Any
) -> Path:
    """A folder with transforms.json and its pictures; per_frame(i) gives more keys of frame i."""
    frames = []
    for i, pose in enumerate(poses):
        name = f"images/{i:04d}.png"
        if pictures:
            save(folder / name, noise(seed=i))
        entry = {"file_path": name, "transform_matrix": np.asarray(pose).tolist()}
        frames.append(entry | (per_frame(i) if per_frame else {}))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "transforms.json").write_text(json.dumps(INTRINSICS | fields | {"frames": frames}))
    return folder


def scene(folder: Path, counts: dict[str, int], radius: float = 4.0, channels: int = 4) -> Path:
    """A synthetic scene of NeRF with that many views a split, 20 x 20 pixels."""
    for split, count in counts.items():
        frames = []
        for i, pose in enumerate(ring(count, radius)):
            save(folder / split / f"r_{i}.png", noise(20, 20, channels, i))
            frames.append({"file_path": f"./{split}/r_{i}", "transform_matrix": pose.tolist(), "time": i / 9})
        fields = {"camera_angle_x": 0.7, "frames": frames}
        (folder / f"transforms_{split}.json").write_text(json.dumps(fields))
    return folder


def png16(values: NDArray[np.uint16]) -> bytes:
    """A 16-bit PNG of [H, W, 1, 2, 3 or 4] values (grey, grey with alpha, colour, colour with alpha)."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
