"""Arrays on the wire: dtype, shape and where the bytes are. Little-endian, C order, the only binary layout.

`ArrayRef` names a blob by digest (inputs, results); `FrameArray` names a binary frame of the same message
(previews).
"""

import hashlib
import math
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from .errors import UserError

DType = Literal["u1", "u2", "i4", "i8", "f2", "f4", "f8"]
Digest = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Extent = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Shape = Annotated[tuple[Extent, ...], msgspec.Meta(max_length=6)]


class ArrayRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An array whose bytes are the blob `digest` (SHA-256 in hex)."""

    dtype: DType
    shape: Shape
    digest: Digest


class FrameArray(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An array whose bytes are binary frame number `frame` of the message that holds it."""

    dtype: DType
    shape: Shape
    frame: Annotated[int, msgspec.Meta(ge=0, lt=64)] = 0


def digest_of(data: bytes | bytearray | memoryview) -> str:
    """SHA-256 of the bytes, in hex."""
    return hashlib.sha256(data).hexdigest()


def byte_count(dtype: str, shape: tuple[int, ...]) -> int:
    """Number of bytes of an array of that dtype and shape."""
    return np.dtype("<" + dtype).itemsize * math.prod(shape)


def view_of(array: NDArray[Any]) -> tuple[DType, tuple[int, ...], memoryview]:
    """dtype code, shape and little-endian C-order bytes of an array, not copied if they are so already.

    Raises ValueError for a dtype that the wire does not know.
    """
    code = array.dtype.newbyteorder("<").str.lstrip("<|")
    if code not in DType.__args__:  # type: ignore[attr-defined]
        raise ValueError(f"the wire has no dtype {array.dtype}")
    little = np.ascontiguousarray(array, dtype="<" + code)
    return code, array.shape, little.reshape(-1).view(np.uint8).data  # type: ignore[return-value]


def to_bytes(array: NDArray[Any]) -> tuple[DType, tuple[int, ...], bytes]:
    """What `view_of` gives, as bytes of their own."""
    code, shape, view = view_of(array)
    return code, shape, bytes(view)


def from_bytes(dtype: str, shape: tuple[int, ...], data: bytes | memoryview) -> NDArray[Any]:
    """Read-only view of the bytes as an array.

    Raises UserError `blob.bad` when the number of bytes does not fit dtype and shape.
    """
    expected = byte_count(dtype, shape)
    if len(data) != expected:
        raise UserError("blob.bad", f"An array of {len(data)} bytes came where {expected} were announced.")
    return np.frombuffer(data, dtype="<" + dtype).reshape(shape)
