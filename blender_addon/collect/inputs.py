"""What a submission carries, while it is put together: wire inputs and the bytes they name by digest."""

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ..wire import arrays, messages


@dataclass
class Inputs:
    """Inputs by role, and blobs by digest."""

    inputs: list[messages.Input] = field(default_factory=list)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def array(self, values: NDArray[Any]) -> arrays.ArrayRef:
        """Keeps the array's bytes and returns their reference."""
        dtype, shape, data = arrays.to_bytes(values)
        digest = arrays.digest_of(data)
        self.blobs[digest] = data
        return arrays.ArrayRef(dtype=dtype, shape=shape, digest=digest)

    def file(self, data: bytes) -> messages.BlobRef:
        """Keeps a file's bytes and returns their reference."""
        digest = arrays.digest_of(data)
        self.blobs[digest] = data
        return messages.BlobRef(digest=digest, size=len(data))
