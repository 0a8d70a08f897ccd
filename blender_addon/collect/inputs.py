"""What a submission carries, while it is put together: wire inputs and the bytes they name by digest."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from .. import steps
from ..wire import arrays, messages


@dataclass(frozen=True)
class OnDisk:
    """A file that is read a piece at a time while it is sent."""

    path: Path
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Exactly that many bytes; raises OSError when they are not there."""
        with self.path.open("rb") as file:
            file.seek(offset)
            part = file.read(length)
        if len(part) != length:
            raise OSError(f"'{self.path}' has become shorter")
        return part


@dataclass
class Inputs:
    """Inputs by role, and blobs by digest. Arrays are kept as they are, not copied."""

    inputs: list[messages.Input] = field(default_factory=list)
    blobs: dict[str, memoryview | OnDisk] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """what should be known of them, in sentences"""

    def array(self, values: NDArray[Any]) -> steps.Steps[arrays.ArrayRef]:
        """Keeps the array and returns its reference."""
        dtype, shape, view = arrays.view_of(values)
        digest = yield from self._keep(view)
        return arrays.ArrayRef(dtype=dtype, shape=shape, digest=digest)

    def file(self, data: bytes | bytearray) -> steps.Steps[messages.BlobRef]:
        """Keeps a file's bytes and returns their reference."""
        digest = yield from self._keep(memoryview(data))
        return messages.BlobRef(digest=digest, size=len(data))

    def on_disk(self, path: Path) -> steps.Steps[messages.BlobRef]:
        """Notes a file by its path and returns its reference. Raises OSError."""
        total = hashlib.sha256()
        size = 0
        with path.open("rb") as file:
            while part := file.read(steps.BYTES):
                total.update(part)
                size += len(part)
                yield len(part)
        digest = total.hexdigest()
        self.blobs[digest] = OnDisk(path, size)
        return messages.BlobRef(digest=digest, size=size)

    def _keep(self, view: memoryview) -> steps.Steps[str]:
        total = hashlib.sha256()
        yield from steps.hashed(total, view)
        digest = total.hexdigest()
        self.blobs[digest] = view
        return digest
