"""A job on a running server: sent, followed, fetched. Ctrl-C detaches; the server goes on.

A server that goes away and returns is waited for; the job is known to it by its request id, so nothing is
done twice.
"""

from pathlib import Path

from maquette_wire import happenings, messages
from maquette_wire.errors import UserError

from . import connection, endings, results
from .progress import Reporter
from .request import Request


def run(
    address: str,
    out: Path,
    request: Request,
    mesh_digest: str,
    show: Reporter,
    *,
    kind: str = "text_to_image",
) -> None:
    """Sends the job, waits for its end, leaves its result in `out`. Raises UserError, JobFault, Stopped.

    kind: of the model that the job loads, which may have something to say of itself; empty: it loads none.
    """
    asked = request.submit
    with connection.Connection(address, "command line") as server:
        server.connect()
        server.link.submit(
            asked.method,
            asked.inputs,
            request.blobs,
            params=asked.params,
            seed=asked.seed,
            model=asked.model,
            label=asked.label,
            request_id=asked.request_id,
        )
        accepted = server.ask(asked.request_id, happenings.SubmitAccepted)
        if kind:
            show.remark(_notice(server, asked.model, kind))
        for note in request.notes:
            show.remark(note, "mesh.note", accepted.job.job_id)
        watch(server, address, accepted.job.job_id, show, out, request.mesh_path, mesh_digest)


def watch(
    server: connection.Connection,
    address: str,
    job_id: str,
    show: Reporter,
    out: Path | None = None,
    mesh_path: Path | None = None,
    mesh_digest: str = "",
) -> None:
    """Shows a job until it ends; with `out`, fetches its result. Raises UserError, JobFault, Stopped."""
    try:
        result = _result(server, job_id, show)
        files: list[str] = []
        if out is not None:
            content = _fetched(server, result)
            files = results.write(out, result, lambda item: content[item.digest], mesh_path, mesh_digest)
    except KeyboardInterrupt:
        show.pause()
        back = f" --out {out}" if out is not None else ""
        way_on = f"maquette jobs watch {job_id} --server {address}{back}"
        raise endings.Stopped("Detached; the job goes on at the server.", way_on, job_id) from None
    show.result(job_id, out, files, result.report, result.kept)


def _notice(server: connection.Connection, model: str, kind: str) -> str:
    """What the model that will be used says of itself."""
    listed = server.ask(server.link.list_models(), happenings.ModelsListed)
    chosen = (
        info
        for info in listed.models
        if info.name == model or (not model and info.default and info.kind == kind)
    )
    return next((info.notice for info in chosen), "")


def _result(server: connection.Connection, job_id: str, show: Reporter) -> messages.ResultBody:
    follow = server.link.follow(job_id)
    while True:
        for one in server.pump(0.2):
            if isinstance(one, happenings.EventArrived):
                body = one.event.body
                show.body(job_id, body)
                if isinstance(body, messages.ResultBody):
                    return body
                if isinstance(body, messages.FailedBody):
                    place = f"in the server's data folder ({body.fault.log_id})" if body.fault.log_id else ""
                    raise endings.JobFault(body.fault, job_id, place)
                if isinstance(body, messages.StateBody) and body.state == "cancelled":
                    raise UserError("job.wrong_state", "The job was cancelled.", hint="Submit it again.")
            elif isinstance(one, happenings.Lost):
                show.remark("The server does not answer; waiting for it.")
            elif isinstance(one, happenings.RequestFailed) and one.request_id == follow:
                raise connection.user_error(one.fault)


def _fetched(server: connection.Connection, result: messages.ResultBody) -> dict[str, bytes]:
    """The bytes of the items that are written, by digest."""
    wanted = {item.digest: item.size for item in result.items if item.role in results.NEEDED}
    content: dict[str, bytes] = {}
    for digest, size in wanted.items():
        server.link.download(digest, size)
    while len(content) < len(wanted):
        for one in server.pump(0.2):
            if isinstance(one, happenings.Downloaded):
                content[one.digest] = bytes(one.data)
            elif isinstance(one, happenings.RequestFailed) and one.request_id in wanted:
                raise connection.user_error(one.fault)
    return content
