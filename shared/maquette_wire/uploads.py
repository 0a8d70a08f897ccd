"""Blobs on their way to the server: ask what it lacks, send that in chunks, never more than eight unanswered.

An *upload* is a set of blobs under one request id; a *sending* is one blob with the offset that was confirmed
and the offset that was sent. Two uploads with the same blob share its sending. Nothing is copied: chunks are
views.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import codec, happenings, messages
from .codec import Part

BLOBS_A_QUESTION = 4096  # a HaveBlobs of these stays far below the header limit
RESTARTS = 8  # of one blob, before it is given up


class Blob(Protocol):
    """Bytes that are read when they are needed, such as a file's."""

    @property
    def size(self) -> int:
        """bytes"""

    def read(self, offset: int, length: int) -> Part:
        """Exactly that many bytes; raises OSError when they are not there."""


Source = Any
"""a `Blob`, or anything contiguous with the buffer protocol: bytes, bytearray, memoryview, numpy array"""


@dataclass(frozen=True)
class Memory:
    """A Blob over bytes that are in memory."""

    view: memoryview

    @property
    def size(self) -> int:
        """bytes"""
        return self.view.nbytes

    def read(self, offset: int, length: int) -> memoryview:
        """A slice; no copy."""
        return self.view[offset : offset + length]


def blob_of(source: Source) -> Blob:
    """The source as a Blob. Raises TypeError when it is neither a Blob nor a contiguous buffer."""
    if hasattr(source, "read") and hasattr(source, "size"):
        return source  # type: ignore[no-any-return]
    view = memoryview(source)
    # A view with a zero in its shape cannot be cast.
    return Memory(view.cast("B") if view.nbytes else memoryview(b""))


@dataclass
class _Sending:
    blob: Blob
    confirmed: int
    sent: int
    opened: bool = False
    """at least one chunk was sent: an empty blob needs one too"""
    restarts: int = 0


@dataclass
class _Upload:
    blobs: dict[str, Blob]
    asked: bool = False
    questions: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    sent: int = 0
    total: int = 0


class Uploads:
    """All uploads of one connection. `fresh_id` makes request ids."""

    def __init__(self, fresh_id: Callable[[], str]) -> None:
        self._fresh_id = fresh_id
        self._uploads: dict[str, _Upload] = {}
        self._sendings: dict[str, _Sending] = {}
        self._in_flight: dict[str, tuple[str, int]] = {}
        """request id of a chunk -> digest and offset of the byte after it"""
        self._unreadable: list[tuple[str, OSError]] = []

    @property
    def active(self) -> bool:
        """True while an upload is unfinished."""
        return bool(self._uploads)

    @property
    def waiting(self) -> bool:
        """True while an answer of the server is due."""
        return bool(self._in_flight) or any(upload.questions for upload in self._uploads.values())

    def add(self, request_id: str, blobs: Mapping[str, Source]) -> None:
        """Starts an upload. Raises TypeError for a source that cannot be read."""
        self._uploads[request_id] = _Upload({digest: blob_of(source) for digest, source in blobs.items()})

    def forget(self, request_id: str) -> None:
        """Gives an upload up; blobs that no other upload wants are not sent any further."""
        gone = self._uploads.pop(request_id, None)
        for digest in gone.waiting if gone else ():
            if not any(digest in upload.waiting for upload in self._uploads.values()):
                self._drop(digest)

    def restart(self) -> None:
        """The connection is another one: every unfinished upload asks again what is missing."""
        self._sendings.clear()
        self._in_flight.clear()
        for upload in self._uploads.values():
            upload.asked = False
            upload.questions.clear()
            upload.waiting.clear()
            upload.sent = upload.total = 0

    def questions(self, max_blob: int) -> tuple[list[messages.HaveBlobs], list[happenings.Happening]]:
        """What to ask now, and what happened to uploads that need no question."""
        asks: list[messages.HaveBlobs] = []
        happened: list[happenings.Happening] = []
        for request_id, upload in list(self._uploads.items()):
            if upload.asked:
                continue
            largest = max((blob.size for blob in upload.blobs.values()), default=0)
            if largest > max_blob:
                fault = messages.Fault(
                    code="blob.too_large",
                    sentence=f"A file of {largest} bytes is larger than the server accepts ({max_blob}).",
                )
                happened += self._fail(request_id, fault)
                continue
            upload.asked = True
            refs = [messages.BlobRef(digest=d, size=blob.size) for d, blob in upload.blobs.items()]
            for start in range(0, len(refs), BLOBS_A_QUESTION):
                question = self._fresh_id()
                upload.questions.add(question)
                some = tuple(refs[start : start + BLOBS_A_QUESTION])
                asks.append(messages.HaveBlobs(request_id=question, blobs=some))
            happened += self._finish(request_id)
        return asks, happened

    def chunks(self) -> Iterator[tuple[messages.PutChunk, Part]]:
        """Chunks to send now, until eight are unanswered. What cannot be read fails in `unreadable`."""
        for digest, sending in self._sendings.items():
            while len(self._in_flight) < codec.CHUNKS_IN_FLIGHT:
                offset, size = sending.sent, sending.blob.size
                if offset >= size and sending.opened:
                    break
                length = min(codec.CHUNK, size - offset)
                try:
                    part = sending.blob.read(offset, length)
                    if len(part) != length:
                        raise OSError(f"{len(part)} bytes came where {length} were asked for")
                except OSError as error:
                    self._unreadable.append((digest, error))
                    break
                sending.opened = True
                sending.sent = offset + length
                request_id = self._fresh_id()
                self._in_flight[request_id] = (digest, offset + length)
                put = messages.PutChunk(request_id=request_id, digest=digest, size=size, offset=offset)
                yield put, part
            if len(self._in_flight) >= codec.CHUNKS_IN_FLIGHT:
                break

    def unreadable(self) -> list[happenings.Happening]:
        """The uploads that failed in the last `chunks` because their source could not be read."""
        happened: list[happenings.Happening] = []
        for digest, error in self._unreadable:
            fault = messages.Fault(code="input.bad", sentence=f"A file could not be read: {error}.")
            happened += self._fail_digest(digest, fault)
        self._unreadable = []
        return happened

    def answered(self, answer: messages.MissingBlobs) -> list[happenings.Happening] | None:
        """Takes in the answer to a question; None when the question is not ours."""
        asked = [name for name, upload in self._uploads.items() if answer.request_id in upload.questions]
        if not asked:
            return None
        request_id, upload = asked[0], self._uploads[asked[0]]
        upload.questions.discard(answer.request_id)
        for missing in answer.missing:
            blob = upload.blobs.get(missing.digest)
            if blob is None or missing.offset > blob.size:
                fault = messages.Fault(code="protocol.bad", sentence="The server asked for other blobs.")
                return self._fail(request_id, fault)
            upload.waiting.add(missing.digest)
            sending = self._sendings.setdefault(
                missing.digest, _Sending(blob, confirmed=missing.offset, sent=missing.offset)
            )
            upload.total += blob.size - sending.confirmed
        return self._finish(request_id)

    def receipt(self, chunk: messages.Chunk) -> list[happenings.Happening] | None:
        """Takes in the receipt of a chunk; None when the chunk is not ours."""
        flight = self._in_flight.pop(chunk.request_id, None)
        if flight is None:
            return None
        digest, end = flight
        sending = self._sendings[digest]
        if chunk.offset < end:
            return self._send_again(digest, chunk.offset)
        gained = max(0, min(chunk.offset, sending.blob.size) - sending.confirmed)
        sending.confirmed += gained
        sending.sent = max(sending.sent, sending.confirmed)
        complete = sending.confirmed >= sending.blob.size
        if complete:
            self._drop(digest)
        happened: list[happenings.Happening] = []
        for request_id, upload in list(self._uploads.items()):
            if digest in upload.waiting:
                upload.sent += gained
                happened.append(happenings.UploadProgress(request_id, upload.sent, upload.total))
                if complete:
                    upload.waiting.discard(digest)
                    happened += self._finish(request_id)
        return happened

    def refused(self, request_id: str, fault: messages.Fault) -> list[happenings.Happening] | None:
        """Takes in the refusal of a question or of a chunk; None when it is not ours."""
        if request_id in self._in_flight:
            return self._fail_digest(self._in_flight[request_id][0], fault)
        for upload_id, upload in self._uploads.items():
            if request_id in upload.questions:
                return self._fail(upload_id, fault)
        return None

    def _send_again(self, digest: str, offset: int) -> list[happenings.Happening]:
        """The server lost a chunk: what follows it on the way is void, and sending goes on from `offset`."""
        sending = self._sendings[digest]
        sending.restarts += 1
        if sending.restarts > RESTARTS:
            fault = messages.Fault(code="blob.bad", sentence="The server does not take a file's bytes.")
            return self._fail_digest(digest, fault)
        self._void_flights(digest)
        lost = sending.confirmed - offset
        sending.confirmed = sending.sent = offset
        sending.opened = False
        for upload in self._uploads.values():
            if digest in upload.waiting:
                upload.sent -= lost
        return []

    def _finish(self, request_id: str) -> list[happenings.Happening]:
        upload = self._uploads[request_id]
        if upload.questions or upload.waiting:
            return []
        del self._uploads[request_id]
        return [happenings.Uploaded(request_id, tuple(upload.blobs))]

    def _fail(self, request_id: str, fault: messages.Fault) -> list[happenings.Happening]:
        self.forget(request_id)
        return [happenings.RequestFailed(request_id, fault)]

    def _fail_digest(self, digest: str, fault: messages.Fault) -> list[happenings.Happening]:
        wanting = [name for name, upload in self._uploads.items() if digest in upload.waiting]
        failed = [event for request_id in wanting for event in self._fail(request_id, fault)]
        self._drop(digest)
        return failed

    def _drop(self, digest: str) -> None:
        self._sendings.pop(digest, None)
        self._void_flights(digest)

    def _void_flights(self, digest: str) -> None:
        for request_id in [name for name, (of, _) in self._in_flight.items() if of == digest]:
            del self._in_flight[request_id]
