"""`maquette jobs`: the jobs of a server, and the unfinished job in a folder that `--out` named."""

import datetime
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from maquette_wire.errors import UserError

from . import endings
from .launch import Json, Server

if TYPE_CHECKING:
    from maquette_wire import link, messages

app = typer.Typer(help="The jobs of a server, and unfinished jobs in folders.", no_args_is_help=True)

Target = Annotated[
    str, typer.Argument(metavar="ID|OUT", help="Id of a job, or the folder of an unfinished one.")
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="Id of a job.")]


@app.command("list")
@endings.ended
def list_jobs(
    folders: Annotated[
        list[Path] | None, typer.Argument(metavar="[OUT]...", help="Folders with unfinished jobs, no server.")
    ] = None,
    server: Server = "",
    as_json: Json = False,
) -> None:
    """List the jobs of a server, newest first, or the unfinished jobs in folders."""
    from . import local

    if folders:
        rows: list[dict[str, Any]] = [
            {"job": str(f), "mesh": local.read_ticket(f).mesh_path} for f in folders
        ]
        _show(rows, as_json, ("job", "mesh") if any(row["mesh"] for row in rows) else ("job",))
        return
    from maquette_wire import happenings

    with _connected(server) as connection:
        jobs = connection.ask(connection.link.list_jobs(), happenings.JobsListed).jobs
    _show([_row(job) for job in jobs], as_json, ("job", "state", "label", "progress", "created", "client"))


@app.command()
@endings.ended
def show(job_id: JobId, server: Server = "", as_json: Json = False) -> None:
    """Show one job with its settings and results."""
    job = _one(job_id, server)
    row = _row(job) | {
        "method": job.method,
        "attempt": job.attempt,
        "params": job.params,
        "results": [item.name for item in job.results],
        "fault": f"{job.fault.sentence} {job.fault.hint}".strip() if job.fault else "",
    }
    if as_json:
        typer.echo(json.dumps(row))
        return
    for key, value in row.items():
        if value not in ("", None, [], {}):
            shown = ", ".join(value) if isinstance(value, list) else value
            typer.echo(f"{key:10} {shown}")


@app.command()
@endings.ended
def watch(
    job_id: JobId,
    out: Annotated[str | None, typer.Option(metavar="PATH", help="Folder to fetch the result into.")] = None,
    server: Server = "",
    as_json: Json = False,
) -> None:
    """Follow a job until it ends; Ctrl-C leaves it running."""
    from . import outputs, progress, remote

    place = None if out is None else outputs.folder(out)
    if place is not None:
        outputs.check(place)
    with _connected(server) as connection, progress.Reporter(as_json) as reporter:
        remote.watch(connection, _address(server), job_id, reporter, place)


@app.command()
@endings.ended
def cancel(job_id: JobId, server: Server = "", as_json: Json = False) -> None:
    """Cancel a job; its work is thrown away."""
    _control(job_id, "cancel", server, as_json)


@app.command()
@endings.ended
def stop(job_id: JobId, server: Server = "", as_json: Json = False) -> None:
    """Stop a job and keep its newest snapshot as the result."""
    _control(job_id, "stop", server, as_json)


@app.command()
@endings.ended
def pause(job_id: JobId, server: Server = "", as_json: Json = False) -> None:
    """Pause a job after a checkpoint."""
    _control(job_id, "pause", server, as_json)


@app.command()
@endings.ended
def resume(target: Target, server: Server = "", as_json: Json = False) -> None:
    """Go on with a paused job of a server, or with the unfinished job in a folder."""
    if not _is_folder(target, server):
        _control(target, "resume", server, as_json)
        return
    from .. import config
    from . import local, outputs, progress

    outputs.check(Path(target))
    with progress.Reporter(as_json, local.read_ticket(Path(target)).files) as reporter:
        local.resume(Path(target), config.load(config.data_folder()), reporter)


@app.command()
@endings.ended
def delete(target: Target, server: Server = "", as_json: Json = False) -> None:
    """Delete a job and its files at a server, or give up the unfinished job in a folder."""
    if not _is_folder(target, server):
        _control(target, "delete", server, as_json)
        return
    from . import local

    local.give_up(Path(target))
    _say({"job": target, "action": "delete", "state": "deleted"}, as_json)


def _is_folder(target: str, server: str) -> bool:
    """Whether the target is a folder rather than an id. Raises UserError when it can be neither."""
    if Path(target).is_dir():
        return True
    if not server and re.fullmatch("[0-9a-f]{12}", target) is None:
        raise UserError(
            "job.unknown",
            f"'{target}' is neither a folder nor the id of a job.",
            hint="See: maquette jobs list",
        )
    return False


def _address(server: str) -> str:
    from .. import addresses

    return server or addresses.DEFAULT_ADDRESS


def _connected(server: str) -> "Any":
    """A connection to the server, as a context; the default address when none is named."""
    from contextlib import contextmanager

    from . import connection as connections

    @contextmanager
    def opened() -> Any:
        with connections.Connection(_address(server), "command line") as connection:
            connection.connect()
            yield connection

    return opened()


def _one(job_id: str, server: str) -> "messages.JobInfo":
    from maquette_wire import happenings

    with _connected(server) as connection:
        jobs = connection.ask(connection.link.list_jobs(job_id), happenings.JobsListed).jobs
    if not jobs:
        raise UserError(
            "job.unknown", f"There is no job '{job_id}'.", hint="See them with: maquette jobs list"
        )
    return jobs[0]


def _control(job_id: str, action: "link.Action", server: str, as_json: bool) -> None:
    from maquette_wire import happenings

    with _connected(server) as connection:
        job = connection.ask(connection.link.control(job_id, action), happenings.Done).job
    _say({"job": job_id, "action": action, "state": job.state if job else "deleted"}, as_json)


def _say(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"event": "done"} | row))
    else:
        typer.echo(f"{row['job']}: {row['state']}")


def _row(job: "messages.JobInfo") -> dict[str, Any]:
    created = datetime.datetime.fromtimestamp(job.created_ms / 1000)
    return {
        "job": job.job_id,
        "state": job.state,
        "label": job.label,
        "progress": f"{job.stage} {job.step}/{job.total}" if job.total else "",
        "created": created.isoformat(" ", "seconds"),
        "client": job.client,
    }


def _show(rows: Sequence[dict[str, Any]], as_json: bool, columns: Sequence[str]) -> None:
    """Rows as JSON lines or as a table."""
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    from . import table

    table.show(columns, [[str(row[column]) for column in columns] for row in rows])
