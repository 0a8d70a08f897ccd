"""The folders of a job: one for each attempt, with its checkpoints.

    jobs/<job>/attempt-<n>/request.msgpack              what to do
    jobs/<job>/attempt-<n>/checkpoint-<step>/           state.safetensors, state.json
    jobs/<job>/attempt-<n>/kept/<digest>                files that checkpoints and results name
    jobs/<job>/attempt-<n>/out/                         files on their way to the blob store

An *attempt* is one start of a job in a worker. A worker writes only below its own attempt's folder, so one
that outlives its server cannot harm the next attempt. A *checkpoint* is the method's private state, only for
going on; it appears by renaming a complete folder, and its JSON holds the digest of its tensors. Used by the
front (folders, tidying) and the worker (writing, reading); imports no torch.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from . import blobs

KEPT = 2  # checkpoints of a job
TENSORS = "state.safetensors"
VALUES = "state.json"
KEEP = "kept"
_CHECKPOINT = re.compile(r"checkpoint-(\d{1,12})")
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_ATTEMPT = re.compile(r"attempt-(\d{1,9})")


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker itself has to remember beside the method's state."""

    step: int
    seconds: float = 0.0
    """worked on the job so far"""
    stages: dict[str, float] = {}
    """seconds by stage"""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Contents of state.json. Written by the standard library: the state of a random generator has large
    integers.
    """

    progress: Progress
    values: dict[str, Any]
    framework: str
    """whose tensors they are: "torch" or "numpy" """
    tensors_digest: str


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read: `tensors` are the bytes of the safetensors file."""

    folder: Path
    record: Record
    tensors: bytes


def attempt_folder(job_folder: Path, attempt: int) -> Path:
    """The folder of an attempt."""
    return job_folder / f"attempt-{attempt}"


def write_checkpoint(
    folder: Path, progress: Progress, values: dict[str, Any], framework: str, tensors: bytes
) -> int:
    """Writes a checkpoint into an attempt's folder, flushed and then renamed; returns its size in bytes.

    One of the same step gives way to it. Raises OSError; nothing half-written is left where it could be read.
    """
    target = folder / f"checkpoint-{progress.step:08d}"
    former = folder / "checkpoint.former"
    digest = hashlib.sha256(tensors).hexdigest()
    record = Record(progress=progress, values=values, framework=framework, tensors_digest=digest)
    text = json.dumps(msgspec.structs.asdict(record) | {"progress": msgspec.structs.asdict(progress)})
    temporary = folder / "checkpoint.new"
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        _write(temporary / TENSORS, tensors)
        _write(temporary / VALUES, text.encode())
        if target.exists():
            shutil.rmtree(former, ignore_errors=True)
            blobs.rename(target, former)
        blobs.rename(temporary, target)
        _flush_folder(folder)
    except BaseException:  # Ctrl-C included: no half of it stays behind; raised again
        shutil.rmtree(temporary, ignore_errors=True)
        if former.exists() and not target.exists():
            blobs.rename(former, target)
        raise
    shutil.rmtree(former, ignore_errors=True)
    return len(tensors) + len(text)


def keep(folder: Path, data: bytes) -> Path:
    """Writes a file into an attempt's folder for its checkpoints and results to name; its name is its
    digest. Raises OSError; nothing half-written is left under that name.
    """
    target = folder / KEEP / hashlib.sha256(data).hexdigest()
    try:
        os.utime(target)  # it is of use again, whatever it was kept for before
    except FileNotFoundError:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_suffix(".new")
        try:
            _write(temporary, data)
            blobs.rename(temporary, target)
        except BaseException:  # Ctrl-C included: no half of it stays behind; raised again
            temporary.unlink(missing_ok=True)
            raise
    return target


def kept(job_folder: Path, digest: str) -> Path | None:
    """Where an attempt of the job has kept a file, if one has."""
    places = (folder / KEEP / digest for _, folder in numbered(job_folder, _ATTEMPT))
    return next((place for place in places if place.is_file()), None)


def newest_checkpoint(job_folder: Path, damaged: Callable[[str], None]) -> Checkpoint | None:
    """The newest readable checkpoint of any attempt; `damaged` is told the name of each that cannot be
    read.
    """
    for folder in checkpoints(job_folder):
        try:
            record = msgspec.convert(json.loads((folder / VALUES).read_bytes()), Record)
            tensors = (folder / TENSORS).read_bytes()
        except (OSError, ValueError):
            damaged(folder.name)
            continue
        if hashlib.sha256(tensors).hexdigest() == record.tensors_digest:
            return Checkpoint(folder, record, tensors)
        damaged(folder.name)
    return None


def checkpoints(job_folder: Path) -> list[Path]:
    """Folders of all checkpoints of a job, the newest first: later attempts first, then later steps."""
    found = []
    for attempt in numbered(job_folder, _ATTEMPT):
        found += [folder for _, folder in numbered(attempt[1], _CHECKPOINT)]
    return found


def newest_step(job_folder: Path) -> int:
    """Step of the newest checkpoint, readable or not; 0 when there is none."""
    return max(
        (step for _, folder in numbered(job_folder, _ATTEMPT) for step, _ in numbered(folder, _CHECKPOINT)),
        default=0,
    )


def remove_old_checkpoints(job_folder: Path) -> None:
    """Keeps the newest two of all attempts; with the others go the kept files that only they named. What no
    checkpoint has named, the method may hold for its result.
    """
    found = checkpoints(job_folder)
    if len(found) <= KEPT:
        return
    try:
        dropped = set().union(*map(_named, found[KEPT:])).difference(*map(_named, found[:KEPT]))
        since = min((folder / VALUES).stat().st_mtime for folder in found[:KEPT])
    except (OSError, ValueError):
        dropped, since = set(), 0.0  # one cannot be read, so nobody knows what is of no use
    for folder in found[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)
    for name in dropped:
        for _, folder in numbered(job_folder, _ATTEMPT):
            with contextlib.suppress(OSError):
                if (folder / KEEP / name).stat().st_mtime < since:
                    (folder / KEEP / name).unlink()


def _named(checkpoint: Path) -> set[str]:
    """Digests in the values of a checkpoint. Raises OSError, ValueError."""
    return set(_DIGEST.findall((checkpoint / VALUES).read_text("utf-8")))


def remove_checkpoints(job_folder: Path) -> None:
    """Removes all of a job's attempts."""
    shutil.rmtree(job_folder, ignore_errors=True)


def numbered(folder: Path, pattern: re.Pattern[str]) -> list[tuple[int, Path]]:
    """Entries of a folder whose whole name fits, by falling number."""
    if not folder.is_dir():
        return []
    matches = [(pattern.fullmatch(entry.name), entry) for entry in folder.iterdir()]
    return sorted(((int(match[1]), entry) for match, entry in matches if match), reverse=True)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Makes the rename itself durable, where folders can be opened."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
