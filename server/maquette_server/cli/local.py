"""A job in this process's own engine, with a private folder `OUT/.job` that is removed when the job succeeds.

Beside the engine's files the folder holds `ticket.json`: what `jobs resume OUT` needs to go on.
"""

import errno
import os
import shutil
import signal
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from maquette_wire import messages
from maquette_wire.arrays import digest_of
from maquette_wire.errors import UserError

from .. import config
from ..engine import engine as engines
from . import endings, file_outputs, outputs, results
from .progress import Reporter
from .request import Request

FOLDER = ".job"
TICKET = "ticket.json"
KEPT_AFTER = frozenset({"disk.full", "output.unusable"})
"""faults after which the private folder stays, for its checkpoint or its result"""


class Ticket(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the job was started."""

    mesh_path: str
    mesh_digest: str
    device: str
    threads: int
    models: dict[str, str]
    """models by name -> folder that the configuration does not have"""
    files: file_outputs.FileOutputs | None = None
    """what is brought out of the folder once the job is done; None: the folder is the result"""


def check(out: Path) -> None:
    """Raises UserError `output.unusable` when the folder holds an unfinished job."""
    if outputs.exists(out / FOLDER / TICKET):
        raise _unfinished(out)


def _unfinished(out: Path) -> UserError:
    return UserError(
        "output.unusable",
        f"'{out}' holds an unfinished job.",
        hint=f"Go on with: maquette jobs resume {out}, or give it up with: maquette jobs delete {out}",
    )


def start(
    out: Path, request: Request, ticket: Ticket, settings: config.Config, notice: str, show: Reporter
) -> None:
    """Runs a new job to its end and leaves its result in `out`. A job that is refused leaves nothing behind.

    notice: what the model says of itself, shown once the job is accepted.

    Raises UserError, JobFault, Stopped.
    """
    check(out)
    made = _lacking(out)
    job_id = ""
    with _interrupted_once() as shield:
        _prepare(out, ticket, made)  # from here on the folder is this command's
        try:
            with _running(out / FOLDER, ticket, settings, shield) as engine:
                for blob in request.blobs.values():
                    engine.put_bytes(blob)
                job_id = engine.submit(request.submit, "command line").job_id
                show.remark(notice)
                for note in request.notes:
                    show.remark(note, "mesh.note", job_id)
                _see_through(engine, job_id, out, ticket, show)
        except endings.JobFault as error:
            if error.fault.code not in KEPT_AFTER:
                remove(out, made)
            raise
        except BaseException as error:
            # Before the submission there is nothing to go on with, unless somebody else took the ticket and
            # works in the folder; after it the job stays whatever happens.
            if not job_id:
                if not (isinstance(error, UserError) and error.code == "data.in_use"):
                    remove(out, made)
            elif isinstance(error, KeyboardInterrupt):
                raise _stopped(out, job_id, show) from None
            raise
        remove(out)


def resume(out: Path, settings: config.Config, show: Reporter) -> None:
    """Goes on with the unfinished job of `out`. Raises UserError `job.unknown`, and what `start` raises.

    Brings out the files of a command whose `--out` was a file.
    """
    ticket = read_ticket(out)
    failed: endings.JobFault | None = None
    job_id = ""
    with _interrupted_once() as shield:
        try:
            with _running(out / FOLDER, ticket, settings, shield) as engine:
                jobs = engine.list()
                if not jobs:
                    raise UserError(
                        "job.unknown",
                        f"The job in '{out}' was never started.",
                        hint=f"Remove it with: maquette jobs delete {out}, then start again.",
                    )
                job_id = jobs[0].job_id
                if jobs[0].state == "paused":
                    engine.control(job_id, "resume")
                _see_through(engine, job_id, out, ticket, show)
        except KeyboardInterrupt:
            raise _stopped(out, job_id, show) from None
        except endings.JobFault as error:
            failed = error
        if failed is None or failed.fault.code not in KEPT_AFTER:
            remove(out, (out,) if failed is not None else ())
    if failed is not None:
        raise failed
    if ticket.files is not None:
        ticket.files.bring_out(out)


def read_ticket(out: Path) -> Ticket:
    """The ticket of an unfinished job. Raises UserError `job.unknown`."""
    try:
        return msgspec.json.decode((out / FOLDER / TICKET).read_bytes(), type=Ticket)
    except OSError as error:
        raise UserError(
            "job.unknown", f"There is no unfinished job in '{out}'.", hint="Name the folder that --out named."
        ) from error
    except msgspec.MsgspecError as error:
        raise UserError(
            "job.unknown",
            f"The unfinished job in '{out}' cannot be read.",
            hint=f"Remove it with: maquette jobs delete {out}",
        ) from error


def give_up(out: Path) -> None:
    """Throws the unfinished job of `out` away. Raises UserError `job.unknown`, `data.in_use`."""
    if not (out / FOLDER).is_dir():
        raise UserError(
            "job.unknown", f"There is no unfinished job in '{out}'.", hint="Name the folder that --out named."
        )
    engines.JobEngine(out / FOLDER, devices=()).close()  # refuses when somebody works in it
    remove(out, (out,))


def remove(out: Path, made: Sequence[Path] = ()) -> None:
    """Removes the private folder, and of those `made` for the job (the deepest first) the empty ones."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    _remove_empty(made)


def _remove_empty(folders: Sequence[Path]) -> None:
    """Removes those of the folders that are there and empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _lacking(out: Path) -> tuple[Path, ...]:
    """The folder and those above it that do not exist yet, the deepest first."""
    return tuple(folder for folder in (out, *out.parents) if not outputs.exists(folder))


def _prepare(out: Path, ticket: Ticket, made: Sequence[Path]) -> None:
    """The private folder with its ticket. The ticket is made by one command only, whose the folder then is.
    Whatever goes wrong, nothing of it stays, nor those of the folders `made` for it that are empty.

    Raises UserError `output.unusable`, `disk.full`.
    """
    folder = out / FOLDER
    ours = False
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / TICKET).open("xb") as file:
            ours = True
            file.write(msgspec.json.encode(ticket))
            file.flush()
            os.fsync(file.fileno())
    except BaseException as error:
        if ours:
            remove(out, made)
        else:
            _remove_empty((folder, *made))
        if not isinstance(error, OSError):
            raise
        if isinstance(error, FileExistsError) and (folder / TICKET).exists():
            raise _unfinished(out) from error
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            sentence = f"The disk is full: '{out}' cannot be written."
            raise UserError("disk.full", sentence, hint="Make room, or choose another --out.") from error
        raise outputs.unusable(out, error) from error


def ticket_for(
    mesh_path: Path | None,
    device: str,
    settings: config.Config,
    models: dict[str, str],
    files: file_outputs.FileOutputs | None = None,
) -> Ticket:
    """The ticket of a new job. Raises OSError when the mesh file is gone."""
    return Ticket(
        mesh_path=str(mesh_path.absolute()) if mesh_path else "",
        mesh_digest=digest_of(mesh_path.read_bytes()) if mesh_path else "",
        device=device,
        threads=settings.torch_threads,
        models=models,
        files=files,
    )


@contextmanager
def _running(
    folder: Path, ticket: Ticket, settings: config.Config, shield: Callable[[], None]
) -> Iterator[engines.JobEngine]:
    settings = msgspec.structs.replace(settings, torch_threads=ticket.threads)
    engine = engines.JobEngine(folder, settings, devices=(ticket.device,), models=ticket.models)
    try:
        yield engine
    finally:
        shield()  # closing takes the last checkpoint, for some seconds at the most
        engine.close(sentence="The command was stopped.")


@contextmanager
def _interrupted_once() -> Iterator[Callable[[], None]]:
    """Ctrl-C and SIGTERM raise KeyboardInterrupt, the first time; nothing more disturbs what follows it.

    Gives a function after which not even the first one does.
    """
    heard: list[int] = []

    def interrupt(number: int, frame: types.FrameType | None) -> None:
        if not heard:
            heard.append(number)
            raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield lambda: heard.append(0)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _stopped(out: Path, job_id: str, show: Reporter) -> endings.Stopped:
    show.pause()
    return endings.Stopped("Stopped; the work so far is kept.", f"maquette jobs resume {out}", job_id)


def _see_through(engine: engines.JobEngine, job_id: str, out: Path, ticket: Ticket, show: Reporter) -> None:
    """Shows the job until it ends, then writes its result."""
    result = _result(engine, job_id, out, show)
    try:
        files = results.write(
            out,
            result,
            lambda item: engine.blob_path(item.digest),
            Path(ticket.mesh_path) if ticket.mesh_path else None,
            ticket.mesh_digest,
        )
    except (UserError, OSError) as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if isinstance(error, OSError) and not full:
            raise
        fault = messages.Fault(
            code="disk.full" if full else "output.unusable",
            sentence=f"The job is done, but its result cannot be written into '{out}': "
            + ("the disk is full." if full else str(error)),
            hint=f"Mend that, then: maquette jobs resume {out}",
        )
        raise endings.JobFault(fault, job_id) from error
    show.result(job_id, out, files, result.report, result.kept)


def _saved_log(folder: Path, job_id: str) -> str:
    """Copies the worker's log out of the private folder; its new place, or empty when there is none."""
    logs = sorted(folder.glob("workers/*/worker.log"))
    if not logs:
        return ""
    place = endings.log_folder() / f"job-{job_id}.log"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(logs[0], place)
    return str(place)


def _result(engine: engines.JobEngine, job_id: str, out: Path, show: Reporter) -> messages.ResultBody:
    """Waits for the result. Raises JobFault if the job failed or paused, UserError if it was cancelled."""
    events = engine.follow(job_id=job_id)
    seen = 0
    while True:
        for event in events:
            if event.number <= seen or event.job_id != job_id:
                continue
            seen = event.number
            body = event.body
            show.body(job_id, body)
            if isinstance(body, messages.ResultBody):
                return body
            if isinstance(body, messages.FailedBody):
                raise endings.JobFault(body.fault, job_id, _saved_log(out / FOLDER, job_id))
            if isinstance(body, messages.StateBody):
                if body.state == "cancelled":
                    raise UserError("job.wrong_state", "The job was cancelled.", hint="Start it again.")
                if body.state == "paused":
                    # Nobody else can pause a job of this engine; it pauses by itself when the disk is full.
                    fault = messages.Fault(
                        code="disk.full",
                        sentence=body.sentence or "The job is paused.",
                        hint=f"Make room, then go on with: maquette jobs resume {out}",
                    )
                    raise endings.JobFault(fault, job_id)
        events = engine.pump(0.2)
