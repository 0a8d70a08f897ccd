"""The server on this computer: its command, starting it, and stopping the one that answers.

Started detached, so that it survives Blender; its words go into `blender-serve.log` in the data folder.
"""

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import folders
from .wire import errors, messages

LOG = "blender-serve.log"
DEFAULT_PORT = 5577
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True)
class Address:
    """Where a server listens."""

    host: str
    port: int

    @property
    def endpoint(self) -> str:
        """As ZeroMQ wants it."""
        return f"tcp://{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """True for this computer."""
        return self.host in LOOPBACK or self.host.startswith("127.")


@dataclass(frozen=True)
class Started:
    """A server that was asked to start."""

    process: "subprocess.Popen[bytes]"
    log: Path


def read_address(text: str) -> Address:
    """`tcp://HOST:PORT`, `HOST:PORT`, `:PORT` or `HOST`. Raises UserError `address.bad`."""
    bare = text.strip().removeprefix("tcp://")
    host, colon, port = bare.rpartition(":")
    if not colon or bare.endswith("]"):
        host, port = bare, str(DEFAULT_PORT)
    host = host or "127.0.0.1"
    good_host = all(c.isalnum() or c in ".-_[]:" for c in host)
    if not bare or not good_host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise errors.UserError(
            "address.bad",
            f"'{text}' is not a server address.",
            hint="Write HOST:PORT, such as 127.0.0.1:5577.",
            fix="address",
        )
    return Address(host, int(port))


def find_command(wanted: str) -> str:
    """The `maquette` program: the path in the preferences, else the one on PATH. Raises UserError
    `server.start`.
    """
    found = shutil.which(wanted or "maquette")
    if not found:
        named = f"'{wanted}'" if wanted else "The command 'maquette'"
        raise errors.UserError(
            "server.start",
            f"{named} was not found, so no server can be started.",
            hint="Install the server and enter the path of its maquette command in the preferences.",
            fix="preferences",
        )
    return found


def start(command: str, address: Address, data_dir: str) -> Started:
    """Starts a server; whether it comes up is seen later. Raises UserError `server.start`."""
    if not address.loopback:
        raise errors.UserError(
            "server.start",
            f"{address.host} is another computer, and a server can be started on this one only.",
            hint="Set the address to 127.0.0.1:5577, or start the server there.",
            fix="address",
        )
    folder = Path(data_dir) if data_dir else folders.data_folder()
    arguments = [command, "serve", "--listen", f"{address.host}:{address.port}"]
    arguments += ["--data-dir", str(folder)] if data_dir else []
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (folder / LOG).open("wb") as log:
            process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=sys.platform != "win32",
                creationflags=flags,
                env=_environment(),
            )
    except OSError as error:
        raise errors.UserError(
            "server.start",
            f"The server could not be started: {error.strerror or error}.",
            hint="See the path of the maquette command in the preferences.",
            fix="preferences",
        ) from error
    return Started(process, folder / LOG)


def stop(port: int) -> None:
    """Asks the server that has that port on this computer to end. Raises UserError `address.no_answer`."""
    server = folders.local_server(port)
    try:
        if server is None:
            raise ProcessLookupError
        os.kill(server.pid, signal.SIGTERM)
    except (ProcessLookupError, PermissionError) as error:
        raise errors.UserError(
            "address.no_answer", f"No server of yours runs on port {port} of this computer."
        ) from error


def last_words(log: Path) -> str:
    """The last line that a server wrote, for the error line; empty when there is none."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].strip()[:300] if lines else ""


def _environment() -> dict[str, str]:
    """Ours without what Blender set for its own Python."""
    return {k: v for k, v in os.environ.items() if k not in {"PYTHONHOME", "PYTHONPATH", "PYTHONNOUSERSITE"}}


def silent(address: Address) -> messages.Fault:
    """What there is to say when nobody answers there."""
    return messages.Fault(
        code="address.no_answer",
        sentence=f"No server answers at {address.host}:{address.port}.",
        hint="Start one, or change the address in the preferences.",
        fix="server_start",
    )


def ended(started: Started) -> messages.Fault:
    """What there is to say of a server that never came up, with its own last words."""
    said = last_words(started.log)
    sentence = f"The server ended at once: {said}" if said else "The server ended at once."
    return messages.Fault(code="server.start", sentence=sentence, hint=f"Its log is {started.log}.")
