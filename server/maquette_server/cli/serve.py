"""`maquette serve`: the server that Blender and `--server` work with."""

import logging
import logging.handlers
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer
from maquette_wire.errors import UserError

from . import endings

if TYPE_CHECKING:
    from .. import addresses

LOG = "server.log"
LOG_BYTES = 5 * 2**20  # of one log file; three are kept
STOP_WITHIN = 30.0  # s that a server has for its checkpoints


@endings.ended
def serve(
    listen: Annotated[
        str, typer.Option(help="Address, HOST:PORT; this machine, port 5577 if not given.")
    ] = "",
    data_dir: Annotated[
        Path | None, typer.Option(envvar="MAQUETTE_DATA_DIR", help="Folder for jobs and files.")
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="auto, cpu, cuda or cuda:N; once for each worker.")
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, max=256, help="Threads of torch in a worker; remembered in the data folder."),
    ] = None,
    stop: Annotated[bool, typer.Option("--stop", help="End the server that runs at the address.")] = False,
) -> None:
    """Run the server until Ctrl-C, or end the one that runs with --stop."""
    from .. import addresses, config, transport

    address = addresses.parse_address(listen or addresses.DEFAULT_ADDRESS)
    if stop:
        _stop(address)
        return
    folder = config.data_folder(data_dir)
    devices = tuple(device or ["auto"])

    def ready(real: addresses.Address) -> None:
        typer.echo(f"Maquette listens at {real}, device {', '.join(devices)}, data in {folder}")

    _log_into(folder, logging.INFO)
    if threads is not None:
        config.save(folder, msgspec.structs.replace(config.load(folder), torch_threads=threads))
    transport.serve(folder, str(address), devices, ready=ready)


def _log_into(folder: Path, level: int) -> None:
    """Sends the log into the data folder. Raises UserError `data.unusable`."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handler = logging.handlers.RotatingFileHandler(
            folder / LOG, maxBytes=LOG_BYTES, backupCount=2, encoding="utf-8"
        )
    except OSError as error:
        raise UserError(
            "data.unusable",
            f"The data folder '{folder}' cannot be used: {error.strerror}.",
            hint="Choose another with --data-dir.",
        ) from error
    logging.basicConfig(
        level=level, handlers=[handler], format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )


def _stop(address: "addresses.Address") -> None:
    """Ends the server that answers there and has said that it is ours."""
    from .. import addresses
    from . import connection

    running = addresses.read_running(address.port) if address.loopback else None
    gone = UserError("address.no_answer", f"No server of yours runs at {address}.")
    if running is None:
        raise gone
    # The file may be left from a server that was killed, and its number belong to another process by now.
    with connection.Connection(str(address), "stop") as asked:
        asked.connect(2.0)
    try:
        os.kill(running.pid, signal.SIGTERM)
    except ProcessLookupError:
        raise gone from None
    until = time.monotonic() + STOP_WITHIN
    while addresses.read_running(address.port) is not None:
        if time.monotonic() > until:
            raise UserError(
                "address.in_use",
                f"The server at {address} (process {running.pid}) is still at work.",
                hint="Try again in a moment.",
            )
        time.sleep(0.1)
    typer.echo(f"The server at {address} has ended.")
