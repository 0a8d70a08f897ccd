"""The data folder: held by one server at a time, with a token that survives restarts.

    lock           locked by the holder; the system frees it when the process ends, however it ends
    holder.json    who holds it, for the text of the error
    token          what a client of a loopback server has to know
    config.json  journal.sqlite  blobs/  jobs/  workers/

A server's folder must lie on a drive of its own machine: other machines could open it, and the journal's
shared memory does not work over a network.
"""

import os
import secrets
from pathlib import Path

import filelock
import msgspec
from maquette_wire.errors import UserError

from . import drives


class Holder(msgspec.Struct, frozen=True):
    """Contents of holder.json."""

    pid: int
    address: str


class Hold:
    """Holds a data folder until `release`. Raises UserError `data.in_use`, `data.unusable`."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self._lock = filelock.FileLock(folder / "lock")
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock.acquire(blocking=False)
        except filelock.Timeout as error:
            raise _in_use(folder) from error
        except OSError as error:
            raise UserError(
                "data.unusable",
                f"The data folder '{folder}' cannot be used: {error.strerror or error}.",
                hint="Choose another one with --data-dir.",
            ) from error
        self.tell(address)

    def tell(self, address: str) -> None:
        """Writes who holds the folder."""
        holder = Holder(pid=os.getpid(), address=address)
        (self.folder / "holder.json").write_bytes(msgspec.json.encode(holder))

    def release(self) -> None:
        """Lets others hold the folder."""
        (self.folder / "holder.json").unlink(missing_ok=True)
        self._lock.release()


def refuse_network_drive(folder: Path) -> None:
    """Raises UserError `data.unusable` for a server's data folder that lies on a network drive."""
    kind = drives.network_type(folder)
    if kind:
        raise UserError(
            "data.unusable",
            f"The data folder '{folder}' lies on a network drive ({kind}), where its journal is not safe.",
            hint="Choose a folder on a disk of this machine with --data-dir.",
        )


def _in_use(folder: Path) -> UserError:
    try:
        holder = msgspec.json.decode((folder / "holder.json").read_bytes(), type=Holder)
        who = f"by process {holder.pid}" + (f", which listens at {holder.address}" if holder.address else "")
    except (OSError, msgspec.MsgspecError):
        who = "by another process"
    return UserError(
        "data.in_use",
        f"The data folder '{folder}' is in use {who}.",
        hint="Use that server, stop it, or choose another folder with --data-dir.",
    )


def token_of(folder: Path) -> str:
    """The folder's token, made when there is none. Raises OSError."""
    path = folder / "token"
    try:
        found = path.read_text(encoding="ascii").strip()
        if found:
            return found
    except FileNotFoundError:
        pass
    token = secrets.token_urlsafe(32)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(token)
    return token
