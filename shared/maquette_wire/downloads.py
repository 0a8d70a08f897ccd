"""Blobs on their way from the server: at most eight requests unanswered, hashed as the bytes come."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from . import codec, happenings, messages
from .arrays import digest_of
from .codec import Part

TRIES = 2  # of a blob whose digest does not fit


@dataclass
class _Download:
    data: bytearray
    asked: int = 0
    """bytes that were asked for"""
    received: int = 0
    """bytes that came without a gap, all of them hashed"""
    ahead: dict[int, int] = field(default_factory=dict)
    """offset -> end of bytes that came before those in front of them"""
    hash: Any = field(default_factory=hashlib.sha256)
    tries: int = 1


class Downloads:
    """All downloads of one connection. `fresh_id` makes request ids."""

    def __init__(self, fresh_id: Callable[[], str]) -> None:
        self._fresh_id = fresh_id
        self._downloads: dict[str, _Download] = {}
        self._in_flight: dict[str, tuple[str, int, int]] = {}
        """request id -> digest, offset, length"""

    @property
    def active(self) -> bool:
        """True while a download is unfinished."""
        return bool(self._downloads)

    @property
    def waiting(self) -> bool:
        """True while an answer of the server is due."""
        return bool(self._in_flight)

    def add(self, digest: str, size: int) -> list[happenings.Happening]:
        """Starts a download, unless it is on its way already."""
        if size == 0:
            if digest_of(b"") == digest:
                return [happenings.Downloaded(digest, bytearray())]
            return [happenings.RequestFailed(digest, _bad_digest())]
        if digest not in self._downloads:
            self._downloads[digest] = _Download(bytearray(size))
        return []

    def forget(self, digest: str) -> None:
        """Gives a download up."""
        self._downloads.pop(digest, None)
        for request_id in [name for name, (of, _, _) in self._in_flight.items() if of == digest]:
            del self._in_flight[request_id]

    def restart(self) -> None:
        """The connection is another one: what was asked for and did not come is asked for again."""
        self._in_flight.clear()
        for download in self._downloads.values():
            download.asked = download.received
            download.ahead.clear()

    def requests(self) -> Iterator[messages.GetBlob]:
        """Requests to send now, until eight are unanswered."""
        for digest, download in self._downloads.items():
            while len(self._in_flight) < codec.CHUNKS_IN_FLIGHT and download.asked < len(download.data):
                length = min(codec.CHUNK, len(download.data) - download.asked)
                request_id = self._fresh_id()
                self._in_flight[request_id] = (digest, download.asked, length)
                get = messages.GetBlob(
                    request_id=request_id, digest=digest, offset=download.asked, length=length
                )
                download.asked += length
                yield get

    def receipt(self, chunk: messages.Chunk, frames: list[Part]) -> list[happenings.Happening] | None:
        """Takes in bytes; None when they were not asked for here."""
        flight = self._in_flight.pop(chunk.request_id, None)
        if flight is None:
            return None
        digest, offset, length = flight
        download = self._downloads[digest]
        wrong = (chunk.digest, chunk.offset, chunk.size) != (digest, offset, len(download.data))
        if wrong or len(frames) != 1 or len(frames[0]) != length:
            return self._fail(
                digest, messages.Fault(code="blob.bad", sentence="Other bytes came than asked.")
            )
        download.data[offset : offset + length] = frames[0]
        download.ahead[offset] = offset + length
        while (end := download.ahead.pop(download.received, None)) is not None:
            with memoryview(download.data) as view:
                download.hash.update(view[download.received : end])
            download.received = end
        total = len(download.data)
        happened: list[happenings.Happening] = [happenings.DownloadProgress(digest, download.received, total)]
        if download.received < total:
            return happened
        if download.hash.hexdigest() == digest:
            del self._downloads[digest]
            return [*happened, happenings.Downloaded(digest, download.data)]
        if download.tries < TRIES:
            self._downloads[digest] = _Download(download.data, tries=download.tries + 1)
            return happened
        return self._fail(digest, _bad_digest())

    def refused(self, request_id: str, fault: messages.Fault) -> list[happenings.Happening] | None:
        """Takes in the refusal of a request; None when it is not ours."""
        if request_id not in self._in_flight:
            return None
        return self._fail(self._in_flight[request_id][0], fault)

    def _fail(self, digest: str, fault: messages.Fault) -> list[happenings.Happening]:
        self.forget(digest)
        return [happenings.RequestFailed(digest, fault)]


def _bad_digest() -> messages.Fault:
    return messages.Fault(code="blob.bad", sentence="A file came whose bytes do not fit its digest.")
