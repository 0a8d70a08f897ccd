"""The blob store: chunks in, files out, and nothing that does not fit its digest."""

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from maquette_server.engine import blobs
from maquette_wire.codec import CHUNK
from maquette_wire.errors import UserError

DATA = os.urandom(2 * CHUNK + 123)
DIGEST = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[blobs.BlobStore]:
    with opened(tmp_path / "blobs", 20 * CHUNK) as store:
        yield store


@contextlib.contextmanager
def opened(folder: Path, quota: int) -> Iterator[blobs.BlobStore]:
    store = blobs.BlobStore(folder, 10 * CHUNK, quota)
    yield store
    store.close()


def put(store: blobs.BlobStore, offset: int, data: bytes = DATA, digest: str = DIGEST) -> int:
    return store.put(digest, len(data), offset, data[offset : offset + CHUNK])


def test_chunks_become_a_file(store: blobs.BlobStore) -> None:
    assert store.lacks(DIGEST, len(DATA)) == 0
    assert [put(store, offset) for offset in (0, CHUNK, 2 * CHUNK)] == [CHUNK, 2 * CHUNK, len(DATA)]
    assert store.lacks(DIGEST, len(DATA)) is None
    assert store.read(DIGEST, CHUNK - 5, 10) == DATA[CHUNK - 5 : CHUNK + 5]
    assert store.path(DIGEST).read_bytes() == DATA


def test_a_chunk_after_a_gap_is_dropped_and_the_receipt_says_where_to_go_on(store: blobs.BlobStore) -> None:
    assert put(store, CHUNK) == 0
    assert put(store, 0) == CHUNK
    assert put(store, 0) == CHUNK
    assert put(store, 2 * CHUNK) == CHUNK


def test_an_upload_goes_on_in_another_process(store: blobs.BlobStore, tmp_path: Path) -> None:
    put(store, 0)
    store.close()
    with opened(tmp_path / "blobs", 20 * CHUNK) as again:
        assert again.lacks(DIGEST, len(DATA)) == CHUNK
        put(again, CHUNK)
        put(again, 2 * CHUNK)
        assert again.has(DIGEST)


def test_bytes_that_do_not_fit_their_digest_are_thrown_away(store: blobs.BlobStore) -> None:
    wrong = b"x" * len(DATA)
    put(store, 0, wrong)
    put(store, CHUNK, wrong)
    with pytest.raises(UserError) as refused:
        put(store, 2 * CHUNK, wrong)
    assert refused.value.code == "blob.bad"
    assert not store.has(DIGEST)
    assert store.lacks(DIGEST, len(DATA)) == 0


def test_an_empty_file_is_a_file(store: blobs.BlobStore) -> None:
    empty = hashlib.sha256(b"").hexdigest()
    assert store.put(empty, 0, 0, b"") == 0
    assert store.has(empty)


@pytest.mark.parametrize(
    ("size", "offset", "length"),
    [(CHUNK + 1, 0, CHUNK + 1), (10, 5, 6), (10, 0, 0), (10, 11, 1)],
    ids=["long chunk", "beyond the end", "empty", "after the end"],
)
def test_a_chunk_that_cannot_be_right_is_refused(
    store: blobs.BlobStore, size: int, offset: int, length: int
) -> None:
    with pytest.raises(UserError) as refused:
        store.put(DIGEST, size, offset, bytes(length))
    assert refused.value.code == "blob.bad"


def test_a_size_that_changes_is_refused(store: blobs.BlobStore) -> None:
    put(store, 0)
    with pytest.raises(UserError):
        store.put(DIGEST, len(DATA) + 1, CHUNK, DATA[CHUNK : 2 * CHUNK])


def test_a_file_that_is_too_large_is_refused_at_once(store: blobs.BlobStore) -> None:
    with pytest.raises(UserError) as refused:
        store.lacks(DIGEST, 10 * CHUNK + 1)
    assert refused.value.code == "blob.too_large"


def test_the_quota_counts_unfinished_uploads_too(tmp_path: Path) -> None:
    with opened(tmp_path, 2 * CHUNK) as store:
        put(store, 0)
        put(store, CHUNK)
        with pytest.raises(UserError) as refused:
            put(store, 2 * CHUNK)
    assert refused.value.code == "quota.disk"


def test_room_that_was_freed_can_be_used(tmp_path: Path) -> None:
    with opened(tmp_path, 2 * CHUNK) as store:
        for number in range(5):
            data = bytes([number]) * (CHUNK + 1)
            digest = hashlib.sha256(data).hexdigest()
            put(store, 0, data, digest)
            put(store, CHUNK, data, digest)
            store.drop(digest)


def test_a_file_is_adopted_by_renaming(store: blobs.BlobStore, tmp_path: Path) -> None:
    file = tmp_path / "made"
    file.write_bytes(DATA)
    store.adopt(file, DIGEST)
    assert not file.exists()
    file.write_bytes(DATA)
    store.adopt(file, DIGEST)
    assert store.read(DIGEST, 0, len(DATA)) == DATA
    assert store.copy(store.path(DIGEST)) == store.add(DATA) == DIGEST


def test_only_what_nobody_uses_or_wants_is_removed(store: blobs.BlobStore) -> None:
    used, unused = store.add(b"used"), store.add(b"unused")
    put(store, 0)
    store.close()
    later = time.time() + blobs.KEEP_SECONDS + 10
    assert store.remove_unused(lambda digest: digest == used) == 0
    assert store.remove_unused(lambda digest: digest == used, later) == 2
    assert (store.has(used), store.has(unused)) == (True, False)
    assert store.lacks(DIGEST, len(DATA)) == 0


def test_what_was_asked_for_is_wanted_again(store: blobs.BlobStore) -> None:
    digest = store.add(b"old")
    os.utime(store.path(digest), (0, 0))
    store.lacks(digest, 3)
    assert store.remove_unused(lambda _: False) == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(some.lists(some.integers(0, 6), min_size=1, max_size=40))
def test_chunks_in_any_order_never_make_a_wrong_file(tmp_path: Path, order: list[int]) -> None:
    data = os.urandom(6 * 100 + 50)
    digest = hashlib.sha256(data).hexdigest()
    received = 0
    with opened(tmp_path / digest, CHUNK) as store:
        for number in [*order, *range(7)]:
            now = store.put(digest, len(data), number * 100, data[number * 100 : number * 100 + 100])
            assert now >= received
            received = now
    assert store.read(digest, 0, CHUNK) == data


def test_a_name_that_is_no_digest_names_no_file(store: blobs.BlobStore) -> None:
    with pytest.raises(ValueError, match="digest"):
        store.path("../../../etc/passwd")
