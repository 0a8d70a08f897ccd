"""Where a local server leaves its token and its data, on Linux, macOS and Windows.

The extension has no platformdirs. The server writes `<port>.json` (token, pid, data folder) into its runtime
folder. On Linux that folder depends on what the session offers, so there are several candidates; the first
that holds the file counts.
"""

import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NAME = "maquette"
LARGEST = 64 * 1024  # bytes of a token file; a bigger one is not ours


@dataclass(frozen=True)
class LocalServer:
    """What a server on this computer says about itself."""

    token: str
    pid: int
    data_folder: str


def local_server(port: int) -> LocalServer | None:
    """The server that has that port on this computer, or None when none has left its file."""
    for folder in runtime_folders():
        path = folder / f"{port}.json"
        try:
            if not _ours(path) or path.stat().st_size > LARGEST:
                continue
            fields = json.loads(path.read_text(encoding="utf-8"))
            return LocalServer(str(fields["token"]), int(fields["pid"]), str(fields.get("data_folder", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue  # being written, or not of this program: as good as absent; the caller asks again
    return None


def runtime_folders(
    platform: str = sys.platform, environment: Mapping[str, str] | None = None
) -> tuple[Path, ...]:
    """The candidates, best first."""
    env = os.environ if environment is None else environment
    if platform == "win32":
        local = env.get("LOCALAPPDATA", "") or str(Path.home() / "AppData" / "Local")
        return (Path(local) / "Temp" / NAME / NAME,)
    named = [Path(env["XDG_RUNTIME_DIR"]) / NAME] if env.get("XDG_RUNTIME_DIR") else []
    if platform == "darwin":
        return (*named, Path.home() / "Library" / "Caches" / "TemporaryItems" / NAME)
    user = os.getuid() if hasattr(os, "getuid") else 0
    return (
        *named,
        Path(f"/run/user/{user}") / NAME,
        Path(tempfile.gettempdir()) / f"runtime-{user}" / NAME,
    )


def data_folder(platform: str = sys.platform, environment: Mapping[str, str] | None = None) -> Path:
    """The data folder that a server takes when it is told none."""
    env = os.environ if environment is None else environment
    if env.get("MAQUETTE_DATA_DIR"):
        return Path(env["MAQUETTE_DATA_DIR"])
    if platform == "win32":
        local = env.get("LOCALAPPDATA", "") or str(Path.home() / "AppData" / "Local")
        return Path(local) / NAME / NAME
    if env.get("XDG_DATA_HOME"):
        return Path(env["XDG_DATA_HOME"]) / NAME
    if platform == "darwin":
        return Path.home() / "Library" / "Application Support" / NAME
    return Path.home() / ".local" / "share" / NAME


def _ours(path: Path) -> bool:
    """False for a file that another user could have put there."""
    if not hasattr(os, "getuid"):
        return path.exists()
    about = path.lstat()
    return stat.S_ISREG(about.st_mode) and about.st_uid == os.getuid()
