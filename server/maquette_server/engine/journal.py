"""What must outlive a crash: jobs, their states, results, warnings and failures, in one SQLite file.

Progress is not in it. *Event numbers* are one counter per data folder; numbers are reserved in blocks, so
after a `kill -9` the counter may jump but never goes back. Only the front process opens the file.
"""

import contextlib
import errno
import os
import secrets
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from maquette_wire import messages
from maquette_wire.errors import UserError

from . import drives

FORMAT = 1
BLOCK = 1000  # event numbers reserved at a time
RESERVE = 4 * 2**20  # bytes kept aside so that a full disk still lets a state be written

MAY_BECOME: dict[str, frozenset[str]] = {
    "queued": frozenset({"running", "paused", "cancelled", "failed"}),
    "running": frozenset({"paused", "stopping", "succeeded", "failed", "cancelled", "interrupted"}),
    "paused": frozenset({"queued", "cancelled"}),
    "stopping": frozenset({"succeeded", "failed", "cancelled", "interrupted", "paused"}),
    "interrupted": frozenset({"queued", "cancelled", "failed"}),
    "succeeded": frozenset(),
    "failed": frozenset({"queued"}),  # resumed once the reason is mended
    "cancelled": frozenset(),
}
"""Which state may follow which."""


class Model(msgspec.Struct, frozen=True):
    """A model that was chosen for a job. `digest` is empty when it could not be made."""

    name: str
    digest: str


@dataclass
class Job:
    """A job as the journal knows it."""

    job_id: str
    request: messages.Submit
    client: str
    created_ms: int
    state: messages.JobState = "queued"
    attempt: int = 0
    place: int = 0
    """lower goes first"""
    stop_wished: bool = False
    """stop and keep was asked for; survives a restart"""
    crash_step: int = -1
    """step of the newest checkpoint when a worker crashed last; -1 when none did"""
    fault: messages.Fault | None = None
    results: tuple[messages.ResultItem, ...] = ()
    snapshots: list[tuple[int, tuple[messages.ResultItem, ...]]] = field(default_factory=list)
    """step and items of the last snapshots, oldest first"""
    models: dict[str, Model] | None = None
    """by kind, as they were when the job was queued or, if they changed since, at its newest attempt; None
    when an older version queued it
    """


class _Kept(msgspec.Struct):
    """The part of a job that is stored as one value."""

    request: messages.Submit
    client: str
    created_ms: int
    stop_wished: bool
    crash_step: int
    fault: messages.Fault | None
    results: tuple[messages.ResultItem, ...]
    snapshots: list[tuple[int, tuple[messages.ResultItem, ...]]]
    models: dict[str, Model] | None = None  # absent from what older versions wrote


@dataclass(frozen=True)
class Stored:
    """A stored event."""

    number: int
    job_id: str
    time_ms: int
    body: messages.EventBody


_TABLES = """
create table if not exists meta (name text primary key, value text not null) without rowid;
create table if not exists jobs (
    job_id text primary key, request_id text not null unique, state text not null, attempt integer not null,
    place integer not null, kept blob not null) without rowid;
create table if not exists events (
    number integer primary key, job_id text not null, time_ms integer not null, body blob not null);
create index if not exists events_of_job on events (job_id, number);
create table if not exists uses (
    digest text not null, job_id text not null, primary key (digest, job_id)) without rowid;
"""


class Journal:
    """The file `journal.sqlite` of a data folder. Raises UserError `data.unusable`, `disk.full`."""

    def __init__(self, folder: Path) -> None:
        self._reserve = folder / "reserve"
        self._body = msgspec.msgpack.Decoder(messages.EventBody)
        self._kept = msgspec.msgpack.Decoder(_Kept)
        path = folder / "journal.sqlite"
        try:
            self._base = sqlite3.connect(path, isolation_level=None)
            if drives.network_type(folder):
                # The private folder of a command may lie there: artists keep projects on NFS. A server's data
                # folder is refused before it comes to this. SQLite's older journal needs no shared memory.
                self._base.execute("pragma journal_mode = delete")
                self._base.execute("pragma synchronous = full")
            else:
                self._base.execute("pragma journal_mode = wal")
                self._base.execute("pragma synchronous = normal")
            self._base.executescript(_TABLES)
            stored = dict(self._base.execute("select name, value from meta").fetchall())
        except sqlite3.DatabaseError as error:
            if is_disk_full(error):
                raise _disk_full() from error
            raise UserError("data.unusable", f"The journal '{path}' cannot be used: {error}.") from error
        if int(stored.get("format", FORMAT)) != FORMAT:
            raise UserError(
                "data.unusable",
                f"The journal '{path}' has format {stored['format']}, this version has {FORMAT}.",
            )
        self.folder_id: str = stored.get("folder_id") or secrets.token_hex(16)
        self._next = int(stored.get("reserved", 0)) + 1
        self._reserved = self._next - 1
        self.keep_reserve()
        with self.write() as base:
            base.executemany(
                "insert or replace into meta values (?, ?)",
                [("format", str(FORMAT)), ("folder_id", self.folder_id)],
            )
        os.chmod(path, 0o600)

    def close(self) -> None:
        """Gives unused event numbers back and closes the file."""
        with self.write() as base:
            base.execute("insert or replace into meta values ('reserved', ?)", (str(self._next - 1),))
        self._base.close()

    @property
    def last_number(self) -> int:
        """The newest event number."""
        return self._next - 1

    def next_number(self) -> int:
        """A new event number, greater than every one before, also those of a killed server."""
        if self._next > self._reserved:
            reserved = self._next + BLOCK - 1
            with self.write() as base:
                base.execute("insert or replace into meta values ('reserved', ?)", (str(reserved),))
            self._reserved = reserved
        self._next += 1
        return self._next - 1

    @property
    def writing(self) -> bool:
        """True inside `write`."""
        return self._base.in_transaction

    @contextlib.contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction. On a full disk the reserve is given up first, so that what follows can be written.

        Raises UserError `disk.full`; nothing of the transaction is stored then.
        """
        if self._base.in_transaction:  # part of a greater one
            yield self._base
            return
        try:
            self._base.execute("begin immediate")
            yield self._base
            self._base.execute("commit")
        except BaseException as error:
            if self._base.in_transaction:
                self._base.execute("rollback")
            self._reserved = self._next - 1  # a reservation may have been rolled back too
            if not is_disk_full(error):
                raise
            self._reserve.unlink(missing_ok=True)
            raise _disk_full() from error

    def keep_reserve(self) -> None:
        """Sets the reserve aside again if it was given up and there is room."""
        try:
            if not self._reserve.exists():
                self._reserve.write_bytes(bytes(RESERVE))
        except OSError as error:
            self._reserve.unlink(missing_ok=True)
            if not is_disk_full(error):
                raise

    # ---- jobs ----------------------------------------------------------------------------------------------

    def save(self, job: Job) -> None:
        """Stores the job as it is now."""
        kept = _Kept(
            job.request,
            job.client,
            job.created_ms,
            job.stop_wished,
            job.crash_step,
            job.fault,
            job.results,
            job.snapshots,
            job.models,
        )
        with self.write() as base:
            base.execute(
                "insert or replace into jobs values (?, ?, ?, ?, ?, ?)",
                (
                    job.job_id,
                    job.request.request_id,
                    job.state,
                    job.attempt,
                    job.place,
                    msgspec.msgpack.encode(kept),
                ),
            )

    def jobs(self) -> list[Job]:
        """All jobs."""
        rows = self._base.execute("select job_id, state, attempt, place, kept from jobs").fetchall()
        return [self._job(*row) for row in rows]

    def _job(self, job_id: str, state: Any, attempt: int, place: int, kept: bytes) -> Job:
        stored = self._kept.decode(kept)
        values = {name: getattr(stored, name) for name in _Kept.__struct_fields__}
        return Job(job_id=job_id, state=state, attempt=attempt, place=place, **values)

    def remove(self, job_id: str) -> None:
        """Forgets a job, its events and what it uses."""
        with self.write() as base:
            for table in ("jobs", "events", "uses"):
                base.execute(f"delete from {table} where job_id = ?", (job_id,))

    # ---- events --------------------------------------------------------------------------------------------

    def record(self, job_id: str, body: messages.EventBody) -> Stored:
        """Stores an event of a job under a new number."""
        stored = Stored(self.next_number(), job_id, now_ms(), body)
        with self.write() as base:
            base.execute(
                "insert into events values (?, ?, ?, ?)",
                (stored.number, job_id, stored.time_ms, msgspec.msgpack.encode(body)),
            )
        return stored

    def events(self, after: int, job_id: str | None) -> list[Stored]:
        """Stored events with higher numbers, oldest first, of one job or of all."""
        rows = self._base.execute(
            "select number, job_id, time_ms, body from events where number > ? and (? is null or job_id = ?)"
            " order by number",
            (min(after, 2**63 - 1), job_id, job_id),
        )
        return [Stored(number, job, at, self._body.decode(body)) for number, job, at, body in rows]

    # ---- blobs ---------------------------------------------------------------------------------------------

    def use(self, job_id: str, digests: set[str]) -> None:
        """From now on the job uses these blobs, and no others."""
        with self.write() as base:
            base.execute("delete from uses where job_id = ?", (job_id,))
            base.executemany("insert into uses values (?, ?)", [(digest, job_id) for digest in digests])

    def used(self) -> set[str]:
        """Every blob that some job uses."""
        return {row[0] for row in self._base.execute("select distinct digest from uses")}

    def is_used(self, digest: str) -> bool:
        """Whether some job uses the blob."""
        return self._base.execute("select 1 from uses where digest = ?", (digest,)).fetchone() is not None


def _disk_full() -> UserError:
    sentence = "The disk of the data folder is full."
    return UserError("disk.full", sentence, hint="Free some space, then go on or start again.")


def now_ms() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


def is_disk_full(error: BaseException) -> bool:
    """Whether an error means that the disk (or the user's share of it) is full."""
    if isinstance(error, sqlite3.OperationalError):
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
