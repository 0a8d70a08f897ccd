"""Files of results and snapshots, written below the attempt's folder for the front to adopt."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from maquette_wire import arrays, messages

from ..engine import worker_messages as wire
from ..methods import base


class Outputs:
    """The folder `out` of an attempt. Raises OSError when it cannot be written."""

    def __init__(self, folder: Path, stored: Path) -> None:
        """stored: the folder of the blobs that there are."""
        self._folder, self._stored = folder, stored
        self._folder.mkdir(parents=True, exist_ok=True)
        self._count = 0

    def write(self, item: base.Item) -> wire.Made:
        """One item as a flushed file: the front takes it over by renaming, so it must be whole.

        What the job was given is a blob already and is only named; what it kept stays where it is.
        """
        if isinstance(item.data, Path):
            stored = item.data.is_relative_to(self._stored)
            return wire.Made(
                role=msgspec.convert(item.role, messages.ResultRole),
                name=item.name,
                file="" if stored else str(self._copied(item.data)),
                digest=item.data.name,
                size=item.data.stat().st_size,
            )
        dtype, data = "", item.data
        shape: tuple[int, ...] = ()
        if isinstance(item.data, np.ndarray):
            dtype, shape, data = arrays.to_bytes(item.data)
        path = self._next()
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return wire.Made(
            role=msgspec.convert(item.role, messages.ResultRole),
            name=item.name,
            file=str(path),
            digest=hashlib.sha256(data).hexdigest(),
            size=len(data),
            dtype=dtype,
            shape=shape,
        )

    def write_preview(self, picture: Any) -> tuple[str, tuple[int, int, int]]:
        """A picture u8 [H, W, 4] as a file of bare bytes; its path and shape."""
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 4:
            raise ValueError(f"a preview is u8 [H, W, 4], not {picture.dtype} {picture.shape}")
        path = self._next()
        path.write_bytes(np.ascontiguousarray(picture).tobytes())
        return str(path), picture.shape

    def _copied(self, kept: Path) -> Path:
        """The same file under another name; without a second copy where the disk can do that."""
        path = self._next()
        try:
            os.link(kept, path)
        except OSError:
            shutil.copyfile(kept, path)
        return path

    def _next(self) -> Path:
        self._count += 1
        return self._folder / f"{self._count:06d}"
