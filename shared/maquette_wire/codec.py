"""A message and its binary frames as a list of byte parts, and back. No sockets, no pickle, bounded sizes."""

from typing import Any

import msgspec

from . import messages
from .errors import UserError

MAX_HEADER = 1024 * 1024  # bytes of the msgpack header
MAX_FRAMES = 64
MAX_FRAME = 8 * 1024 * 1024  # bytes of one binary frame
MAX_MESSAGE = 32 * 1024 * 1024  # bytes of all frames of a message: twice what the largest, a Frame, has
CHUNK = 1024 * 1024  # bytes of a blob in one message
CHUNKS_IN_FLIGHT = 8  # so that a cancel never waits behind a texture

Part = bytes | bytearray | memoryview


class _Envelope(msgspec.Struct):
    """What every version of every message has."""

    type: str
    request_id: str = "none"


class _AnyHello(msgspec.Struct, tag="Hello"):
    """A Hello of any version."""

    request_id: str
    protocol: int
    version: str
    client: str = ""
    token: str = ""


class _AnyRefused(msgspec.Struct, tag="Refused"):
    """A Refused of any version."""

    request_id: str
    protocol: int
    version: str
    fault: dict[str, Any] = {}


_encoder = msgspec.msgpack.Encoder()
_envelope = msgspec.msgpack.Decoder(_Envelope)
_any_hello = msgspec.msgpack.Decoder(_AnyHello)
_any_refused = msgspec.msgpack.Decoder(_AnyRefused)
_client = msgspec.msgpack.Decoder(messages.ClientMessage)
_server = msgspec.msgpack.Decoder(messages.ServerMessage)


def encode(message: messages.Message, frames: list[Part] | None = None) -> list[Part]:
    """Header part followed by the frames.

    Raises UserError `protocol.bad` when a limit is exceeded.
    """
    header = _encoder.encode(message)
    parts: list[Part] = [header, *(frames or [])]
    _check_sizes(parts)
    return parts


def decode_client(parts: list[Part]) -> tuple[messages.ClientMessage, list[Part]]:
    """The message a client sent and its frames. Raises UserError `protocol.bad`."""
    return _decode(parts, _client)  # type: ignore[return-value]


def decode_server(parts: list[Part]) -> tuple[messages.ServerMessage, list[Part]]:
    """The message a server sent and its frames. Raises UserError `protocol.bad`."""
    return _decode(parts, _server)  # type: ignore[return-value]


def request_id_of(parts: list[Part]) -> str:
    """The request id of parts that may be otherwise unreadable; "none" when there is none."""
    try:
        name = _envelope.decode(parts[0]).request_id
        msgspec.convert(name, messages.Id)
    except (IndexError, msgspec.MsgspecError, UnicodeDecodeError):
        return "none"
    return name


def _decode(
    parts: list[Part], decoder: "msgspec.msgpack.Decoder[Any]"
) -> tuple[messages.Message, list[Part]]:
    if not parts:
        raise UserError("protocol.bad", "An empty message came.")
    _check_sizes(parts)
    try:
        kind = _envelope.decode(parts[0]).type
        if kind == "Hello" and decoder is _client:
            hello = _any_hello.decode(parts[0])
            message: messages.Message = msgspec.convert(msgspec.to_builtins(hello), messages.Hello)
        elif kind == "Refused" and decoder is _server:
            message = _read_refused(_any_refused.decode(parts[0]))
        else:
            message = decoder.decode(parts[0])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UserError("protocol.bad", f"A message could not be read: {error}.") from error
    return message, parts[1:]


def _read_refused(refused: _AnyRefused) -> messages.Refused:
    known = {k: str(v) for k, v in refused.fault.items() if k in messages.Fault.__struct_fields__}
    fault = messages.Fault(**({"code": "protocol.mismatch", "sentence": "The server refused."} | known))
    return messages.Refused(
        request_id=refused.request_id, protocol=refused.protocol, version=refused.version, fault=fault
    )


def _check_sizes(parts: list[Part]) -> None:
    if len(parts[0]) > MAX_HEADER:
        raise UserError("protocol.bad", f"A message header of {len(parts[0])} bytes is over the limit.")
    if len(parts) - 1 > MAX_FRAMES:
        raise UserError("protocol.bad", f"A message of {len(parts) - 1} frames is over the limit.")
    largest = max((len(p) for p in parts[1:]), default=0)
    if largest > MAX_FRAME:
        raise UserError("protocol.bad", f"A frame of {largest} bytes is over the limit.")
    whole = sum(len(p) for p in parts[1:])
    if whole > MAX_MESSAGE:
        raise UserError("protocol.bad", f"A message of {whole} bytes is over the limit.")
