"""What a submission carries, while it is put together: wire inputs and the bytes they name by digest."""

import hashlib
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from .. import steps
from ..wire import arrays, messages


@dataclass
class Inputs:
    """Inputs by role, and blobs by digest. Arrays are kept as they are, not copied."""

    inputs: list[messages.Input] = field(default_factory=list)
    blobs: dict[str, memoryview] = field(default_factory=dict)

    def array(self, values: NDArray[Any]) -> steps.Steps[arrays.ArrayRef]:
        """Keeps the array and returns its reference."""
        dtype, shape, view = arrays.view_of(values)
        digest = yield from self._keep(view)
        return arrays.ArrayRef(dtype=dtype, shape=shape, digest=digest)

    def file(self, data: bytes | bytearray) -> steps.Steps[messages.BlobRef]:
        """Keeps a file's bytes and returns their reference."""
        digest = yield from self._keep(memoryview(data))
        return messages.BlobRef(digest=digest, size=len(data))

    def _keep(self, view: memoryview) -> steps.Steps[str]:
        total = hashlib.sha256()
        yield from steps.hashed(total, view)
        digest = total.hexdigest()
        self.blobs[digest] = view
        return digest
