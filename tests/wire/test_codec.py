"""Whatever is sent comes back the same; whatever else comes is refused with one sentence."""

import contextlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some
from maquette_wire import PROTOCOL, codec, messages
from maquette_wire.errors import UserError

ids = some.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)
digests = some.from_regex("[0-9a-f]{64}", fullmatch=True)
counts = some.integers(0, 2**53)
texts = some.text(max_size=40)
values = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**63), 2**64 - 1) | texts | some.floats(allow_nan=False),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
blobs = some.builds(messages.BlobRef, digest=digests, size=counts)
client_messages = some.one_of(
    some.builds(messages.Hello, request_id=ids, protocol=some.integers(0, 99), version=texts, token=texts),
    some.builds(messages.HaveBlobs, request_id=ids, blobs=some.lists(blobs, max_size=5).map(tuple)),
    some.builds(messages.PutChunk, request_id=ids, digest=digests, size=counts, offset=counts),
    some.builds(messages.GetBlob, request_id=ids, digest=digests, offset=counts),
    some.builds(
        messages.Submit,
        request_id=ids,
        method=texts,
        label=texts,
        params=some.dictionaries(texts, values, max_size=4),
        inputs=some.lists(some.builds(messages.TextureInput, image=blobs), max_size=3).map(tuple),
        seed=some.integers(0, 2**63 - 1),
    ),
    some.builds(messages.Control, request_id=ids, job_id=ids, action=some.sampled_from(["cancel", "move"])),
    some.builds(messages.ListScenes, request_id=ids),
)
parts_lists = some.lists(some.binary(max_size=100), max_size=5)


@given(client_messages, some.lists(some.binary(max_size=50), max_size=4))
def test_a_message_comes_back_with_its_frames(message: Any, frames: list[bytes]) -> None:
    parts = codec.encode(message, list(frames))
    assert codec.decode_client(parts) == (message, frames)
    assert codec.request_id_of(parts) == message.request_id


@given(client_messages, some.integers(0, 10_000), some.integers(0, 255))
def test_a_flipped_byte_is_a_message_or_a_user_error(message: Any, where: int, byte: int) -> None:
    header = bytearray(codec.encode(message)[0])
    header[where % len(header)] = byte
    with contextlib.suppress(UserError):
        codec.decode_client([bytes(header)])
    codec.request_id_of([bytes(header)])


@given(parts_lists)
def test_garbage_is_refused(parts: list[bytes]) -> None:
    for decode in (codec.decode_client, codec.decode_server):
        with pytest.raises(UserError) as refused:
            decode(list(parts))
        assert refused.value.code == "protocol.bad"
    assert codec.request_id_of(list(parts)) == "none"


@pytest.mark.parametrize(
    "parts",
    [
        [b"x" * (codec.MAX_HEADER + 1)],
        [b"x", *[b""] * (codec.MAX_FRAMES + 1)],
        [b"x", bytes(codec.MAX_FRAME + 1)],
        [b"x", *[bytes(codec.MAX_FRAME)] * (codec.MAX_MESSAGE // codec.MAX_FRAME), b"x"],
        [b"\x91" * 100_000],
    ],
    ids=["header", "frames", "frame", "whole", "depth"],
)
def test_what_is_over_a_limit_is_refused(parts: list[Any]) -> None:
    with pytest.raises(UserError) as refused:
        codec.decode_client(parts)
    assert refused.value.code == "protocol.bad"


@given(some.sampled_from([b"\xdd", b"\xdf", b"\xc6", b"\xdb"]), some.integers(2**20, 2**32 - 1), ids)
def test_a_length_that_is_only_announced_is_refused(kind: bytes, length: int, name: str) -> None:
    bomb = kind + length.to_bytes(4, "big")  # so many items or bytes, none of which follow
    head = msgspec.msgpack.encode({"type": "Submit", "request_id": name, "method": "m", "params": {}})
    for header in (bomb, head[:-1] + bomb):
        with pytest.raises(UserError) as refused:
            codec.decode_client([header])
        assert refused.value.code == "protocol.bad"


def test_what_is_over_a_limit_is_not_sent() -> None:
    message = messages.ListJobs(request_id="a")
    with pytest.raises(UserError):
        codec.encode(message, [bytes(codec.MAX_FRAME + 1)])
    with pytest.raises(UserError):
        codec.encode(messages.Submit(request_id="a", method="m", params={"x": "y" * codec.MAX_HEADER}))


def test_an_unknown_field_is_refused_except_in_a_hello() -> None:
    def encoded(**fields: Any) -> list[Any]:
        return [msgspec.msgpack.encode({"request_id": "a", "new": 1} | fields)]

    with pytest.raises(UserError):
        codec.decode_client(encoded(type="ListJobs"))
    hello, _ = codec.decode_client(encoded(type="Hello", protocol=PROTOCOL + 1, version="9"))
    assert isinstance(hello, messages.Hello)
    assert hello.protocol == PROTOCOL + 1
    refused, _ = codec.decode_server(encoded(type="Refused", protocol=9, version="9", fault={"why": "?"}))
    assert isinstance(refused, messages.Refused)
    assert refused.fault.code == "protocol.mismatch"


def test_a_servers_message_is_none_of_a_client() -> None:
    with pytest.raises(UserError):
        codec.decode_client(codec.encode(messages.Jobs(request_id="a", jobs=())))
    with pytest.raises(UserError):
        codec.decode_server(codec.encode(messages.ListJobs(request_id="a")))
