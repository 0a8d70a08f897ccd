"""Files by content: SHA-256, received in chunks, kept while a job uses them and seven days longer.

    blobs/ab/abcdef...      complete, never modified
    blobs/partial/abcdef... bytes received so far; an upload goes on from their number, also after a restart

The time of a file's last change is when it was last wanted.
"""

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from maquette_wire.codec import CHUNK, Part
from maquette_wire.errors import UserError

from . import journal

KEEP_SECONDS = 7 * 24 * 3600
OPEN_UPLOADS = 32  # files held open at a time
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass
class _Upload:
    file: BinaryIO
    hash: Any
    received: int
    size: int


class BlobStore:
    """The folder `blobs`. `max_blob` and `quota` in bytes."""

    def __init__(self, folder: Path, max_blob: int, quota: int) -> None:
        self.folder = folder
        self.max_blob = max_blob
        self.quota = quota
        self._partial = folder / "partial"
        self._partial.mkdir(parents=True, exist_ok=True)
        self._uploads: dict[str, _Upload] = {}
        self._held = sum(path.stat().st_size for path in self._files())

    def close(self) -> None:
        """Closes the files of unfinished uploads; they can be gone on with."""
        for upload in self._uploads.values():
            upload.file.close()
        self._uploads.clear()

    # ---- reading -------------------------------------------------------------------------------------------

    def path(self, digest: str) -> Path:
        """Where a blob lies, complete or not yet there."""
        return path_of(self.folder, digest)

    def has(self, digest: str) -> bool:
        """Whether the blob is complete."""
        return self.path(digest).is_file()

    def size(self, digest: str) -> int:
        """Bytes of a blob. Raises UserError `blob.missing`."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError as error:
            raise missing(digest) from error

    def read(self, digest: str, offset: int, length: int) -> bytes:
        """At most `length` bytes of a blob from `offset`. Raises UserError `blob.missing`."""
        try:
            with self.path(digest).open("rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError as error:
            raise missing(digest) from error

    def lacks(self, digest: str, size: int) -> int | None:
        """From which byte the blob is to be sent; None when it is complete.

        Raises UserError `blob.bad` when another size is stored, `blob.too_large`.
        """
        if size > self.max_blob:
            raise UserError(
                "blob.too_large",
                f"A file of {size} bytes is larger than the server accepts ({self.max_blob}).",
            )
        path = self.path(digest)
        if path.is_file():
            if path.stat().st_size != size:
                raise UserError("blob.bad", f"A file of {size} bytes was announced by another file's digest.")
            with contextlib.suppress(FileNotFoundError):
                os.utime(path)
            return None
        if digest in self._uploads:
            return self._uploads[digest].received
        partial = self._partial / digest
        return min(partial.stat().st_size, size) if partial.is_file() else 0

    # ---- writing -------------------------------------------------------------------------------------------

    def put(self, digest: str, size: int, offset: int, data: Part) -> int:
        """Takes in a chunk; returns how many bytes are there. Bytes beyond a gap are dropped, known ones too.

        Raises UserError `blob.bad` (the upload starts anew), `blob.too_large`, `quota.disk`, `disk.full`.
        """
        received = self.lacks(digest, size)
        if received is None:
            return size
        if len(data) > CHUNK or offset + len(data) > size or (not data and size > 0):
            raise UserError("blob.bad", "A chunk of a file is larger than the file or than a chunk may be.")
        if offset != received:
            return received
        if self._held + len(data) > self.quota:
            raise UserError(
                "quota.disk",
                "The server's data folder has reached its quota.",
                hint="Delete jobs that are no longer needed.",
            )
        upload = self._open(digest, size)
        try:
            with _disk_full_said():
                upload.file.write(data)
                upload.hash.update(data)
                upload.received += len(data)
                self._held += len(data)
                if upload.received == size:
                    self._complete(digest, upload)
        except BaseException:  # Ctrl-C included: no half of it stays behind; raised again
            self._abandon(digest)
            raise
        return offset + len(data)

    def _open(self, digest: str, size: int) -> _Upload:
        upload = self._uploads.get(digest)
        if upload is not None and upload.size != size:
            self._abandon(digest)
            raise UserError("blob.bad", "The announced size of a file changed while it was sent.")
        if upload is None:
            while len(self._uploads) >= OPEN_UPLOADS:
                self._uploads.pop(next(iter(self._uploads))).file.close()
            with _disk_full_said():
                file = (self._partial / digest).open("a+b", buffering=0)
            file.seek(0)
            hashed = hashlib.sha256()
            received = 0
            while block := file.read(CHUNK):
                hashed.update(block)
                received += len(block)
            upload = self._uploads[digest] = _Upload(file, hashed, received, size)
        return upload

    def _complete(self, digest: str, upload: _Upload) -> None:
        if upload.hash.hexdigest() != digest:
            raise UserError(
                "blob.bad", "A transferred file does not match its digest.", hint="Send it again."
            )
        os.fsync(upload.file.fileno())
        upload.file.close()
        del self._uploads[digest]
        self._place(self._partial / digest, digest)

    def _abandon(self, digest: str) -> None:
        """Drops what there is of an upload, whatever happened to it."""
        if (upload := self._uploads.pop(digest, None)) is not None:
            upload.file.close()
        partial = self._partial / digest
        if partial.is_file():
            self._held -= partial.stat().st_size
            partial.unlink()

    def add(self, data: bytes) -> str:
        """Stores bytes of our own; returns their digest. Raises UserError `disk.full`."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.has(digest):
            temporary = self._partial / f"{digest}.own"
            with _disk_full_said():
                temporary.write_bytes(data)
            self._held += len(data)
            self._place(temporary, digest)
        return digest

    def copy(self, source: Path) -> str:
        """Stores a copy of a file of this machine; returns its digest. Raises UserError `disk.full`,
        OSError.
        """
        hashed = hashlib.sha256()
        temporary = self._partial / f"copy-{os.getpid()}-{time.monotonic_ns()}"
        try:
            with source.open("rb") as file, _disk_full_said(), temporary.open("wb") as target:
                while block := file.read(CHUNK):
                    hashed.update(block)
                    target.write(block)
            self._held += temporary.stat().st_size
            self._place(temporary, hashed.hexdigest())
        finally:
            temporary.unlink(missing_ok=True)
        return hashed.hexdigest()

    def adopt(self, file: Path, digest: str) -> None:
        """Takes over a file that a worker wrote, by renaming it."""
        self._held += file.stat().st_size
        self._place(file, digest)

    def _place(self, file: Path, digest: str) -> None:
        target = self.path(digest)
        if target.is_file():
            self._held -= file.stat().st_size
            file.unlink()
            os.utime(target)
            return
        with _disk_full_said():
            target.parent.mkdir(exist_ok=True)
            rename(file, target)

    # ---- removing ------------------------------------------------------------------------------------------

    def drop(self, digest: str) -> None:
        """Removes a blob now."""
        path = self.path(digest)
        if path.is_file():
            self._held -= path.stat().st_size
            path.unlink()

    def remove_unused(self, is_used: Callable[[str], bool], now: float | None = None) -> int:
        """Removes what no job uses and nobody wanted for seven days; returns how many files went. `now` in s
        UTC.
        """
        oldest = (time.time() if now is None else now) - KEEP_SECONDS
        gone = 0
        for path in list(self._files()):
            if path.name in self._uploads or path.stat().st_mtime >= oldest or is_used(path.name):
                continue
            self._held -= path.stat().st_size
            path.unlink()
            gone += 1
        return gone

    def _files(self) -> Iterator[Path]:
        return (path for path in self.folder.glob("*/*") if path.is_file())


def path_of(folder: Path, digest: str) -> Path:
    """Where the blob store in `folder` keeps a blob. Raises ValueError when `digest` is none."""
    if not _DIGEST.fullmatch(digest):
        raise ValueError("not a digest")
    return folder / digest[:2] / digest


def missing(digest: str) -> UserError:
    """The error that says that a blob is not there."""
    return UserError("blob.missing", f"The file {digest[:12]} is not on the server.", hint="Send it again.")


def rename(source: Path, target: Path) -> None:
    """os.replace that waits up to 2 s for a reader on systems where an open file cannot be replaced."""
    deadline = time.monotonic() + 2.0
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name != "nt" or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@contextlib.contextmanager
def _disk_full_said() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not journal.is_disk_full(error):
            raise
        raise UserError(
            "disk.full", "The disk of the data folder is full.", hint="Free some space, then try again."
        ) from error
