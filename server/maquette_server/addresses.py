"""Where servers listen, and the file by which a client of this machine finds a server's token."""

import ipaddress
import os
import re
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path

import msgspec
import platformdirs
from maquette_wire.errors import UserError

DEFAULT_ADDRESS = "tcp://127.0.0.1:5577"
_ADDRESS = re.compile(r"(?:tcp://)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.*_-]*):(\d{1,5})")


@dataclass(frozen=True)
class Address:
    """Where a server listens. Port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"tcp://{self.host}:{self.port}"

    @property
    def loopback(self) -> bool:
        """True when only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def parse_address(text: str) -> Address:
    """`tcp://HOST:PORT`, `HOST:PORT` or `:PORT` (this machine). Raises UserError `address.bad`."""
    match = _ADDRESS.fullmatch(text.strip())
    if match is None or int(match[2]) > 65535:
        raise UserError(
            "address.bad",
            f"'{text}' is no server address.",
            hint="Write it as tcp://HOST:PORT, HOST:PORT or :PORT.",
        )
    return Address(match[1] or "127.0.0.1", int(match[2]))


class Running(msgspec.Struct, frozen=True):
    """What a running loopback server says about itself in the user's runtime folder."""

    token: str
    pid: int
    data_folder: str


def runtime_file(port: int) -> Path:
    """Where the server on that port of this machine leaves its token: `<user runtime folder>/<port>.json`."""
    with warnings.catch_warnings():
        # Without XDG_RUNTIME_DIR platformdirs takes a folder in /tmp, and says so on every call.
        warnings.simplefilter("ignore")
        return Path(platformdirs.user_runtime_dir("maquette")) / f"{port}.json"


def read_running(port: int) -> Running | None:
    """Token, process and data folder of the server on that port; None when none has said so."""
    try:
        path = runtime_file(port)
        return msgspec.json.decode(path.read_bytes(), type=Running) if _ours(path) else None
    except (OSError, msgspec.MsgspecError):
        return None


def _ours(path: Path) -> bool:
    """False for a file that another user could have put there: without a session folder it lies in /tmp."""
    if not hasattr(os, "getuid"):
        return path.exists()
    about = path.lstat()
    return stat.S_ISREG(about.st_mode) and about.st_uid == os.getuid()


def write_running(port: int, running: Running) -> None:
    """Leaves the token for clients of the same user. Raises OSError."""
    path = runtime_file(port)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chmod(path.parent, 0o700)
    temporary = path.with_suffix(f".{os.getpid()}")
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.encode(running))
    os.replace(temporary, path)


def remove_running(port: int) -> None:
    """Takes the file away, if it is this process's."""
    running = read_running(port)
    if running is not None and running.pid == os.getpid():
        runtime_file(port).unlink(missing_ok=True)
