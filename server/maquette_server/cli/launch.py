"""Starts a job of a command and leaves its result in a folder: in this process, or at a server."""

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from maquette_wire import messages
from maquette_wire.errors import UserError

if TYPE_CHECKING:
    from . import file_outputs

Server = Annotated[
    str, typer.Option("--server", envvar="MAQUETTE_SERVER", help="Address of a running server, HOST:PORT.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line instead of a progress bar.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N; without --server only.")]
Guidance = Annotated[float | None, typer.Option(help="How closely the prompt is followed.")]
Model = Annotated[str, typer.Option(help="Name of the list, folder, or hub name fetched before.")]
TextureSize = Annotated[
    int | None, typer.Option(help="Side of the texture in texels: 64 to 4096, 1024 if not given.")
]
Up = Annotated[str, typer.Option(help="Upward direction in the file: y, -z, or 0,0,1.")]
Front = Annotated[str, typer.Option(help="Direction in which the object looks; z, or -y where z is up.")]
Moment = Annotated[int | None, typer.Option(help="Step of a moment of an edited scene.")]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1)]


def check(place: Path, server: str, device: str) -> None:
    """What can be refused before anything is read. Raises UserError `output.unusable`, `params.bad`."""
    from . import local, outputs

    outputs.check(place)
    if server and device:
        raise UserError(
            "params.bad",
            "--device is the server's to choose.",
            hint="Start the server with --device, or leave it out.",
        )
    if not server:
        local.check(place)


def run(
    place: Path,
    method: str,
    label: str,
    params: dict[str, Any],
    inputs: tuple[messages.Input, ...],
    blobs: dict[str, bytes],
    *,
    server: str,
    device: str,
    as_json: bool,
    seed: int = 0,
    model: str = "",
    notes: tuple[str, ...] = (),
    files: "file_outputs.FileOutputs | None" = None,
) -> None:
    """Runs the job to its end. params: None stands for the default.  model: as in `model_names.resolve`.
    files: what is brought out of `place`.

    Raises as `local` and `remote` do.
    """
    from .. import config
    from ..methods import base
    from . import local, model_names, progress, remote, request

    settings = config.load(config.data_folder())
    given = {name: value for name, value in params.items() if value is not None}
    found = base.discover(settings.method_packages)[method]
    found.read_params(given)
    models: dict[str, str] = {}
    notice = ""
    if found.models and not server:
        model, models = model_names.resolve(model, settings, found.models[0])
        notice = config.describe(model, config.models_of(settings, models)[model], default=False).notice
    asked = request.Request(
        messages.Submit(
            request_id=secrets.token_hex(16),
            method=method,
            label=label,
            params=given,
            inputs=inputs,
            seed=seed,
            model=model,
        ),
        blobs,
        None,
        notes,
    )
    with progress.Reporter(as_json, files) as show:
        if server:
            remote.run(server, place, asked, "", show, kind=found.models[0] if found.models else "")
        else:
            ticket = local.ticket_for(None, device or "auto", settings, models, files)
            local.start(place, asked, ticket, settings, notice, show)
    if files is not None:
        files.bring_out(place)
