"""`maquette doctor`: what works here, found by trying it. Status 0 when jobs can run."""

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from maquette_wire.errors import UserError

from . import endings
from .launch import Json, Server

if TYPE_CHECKING:
    from .. import config as configuration

LEAST_MEMORY = 2 * 2**30  # bytes; what painting with the embedded model takes
LEAST_DISK = 2**30
BLENDER_LIMIT = 60.0  # s for one Blender module to say its version


@dataclass(frozen=True)
class Finding:
    """One line. `needed`: without it no job runs."""

    about: str
    ok: bool
    text: str
    needed: bool = False


@endings.ended
def doctor(server: Server = "", as_json: Json = False) -> None:
    """Say what works here; status 0 when jobs can run."""
    findings = []
    for finding in examine(server):
        findings.append(finding)
        if as_json:
            typer.echo(json.dumps(asdict(finding)))
        else:
            mark = "ok" if finding.ok else "MISSING" if finding.needed else "-"
            typer.echo(f"{mark:8}{finding.about:12}{finding.text}")
    ready = all(finding.ok for finding in findings if finding.needed)
    if as_json:
        typer.echo(json.dumps({"about": "jobs", "ok": ready, "text": "", "needed": True}))
    else:
        typer.echo("Jobs can run here." if ready else "Jobs cannot run here: see MISSING above.")
    if not ready:
        raise typer.Exit(endings.MENDABLE)


def examine(server: str) -> Iterator[Finding]:
    """All findings, in the order in which a newcomer needs them."""
    from .. import config

    version = platform.python_version()
    yield Finding(
        "python", (3, 11) <= sys.version_info[:2] <= (3, 13), f"{version} at {sys.executable}", True
    )
    yield from _memory()
    folder = config.data_folder()
    yield from _data_folder(folder)
    yield from _compute()
    try:
        settings = config.load(folder)
    except UserError as error:
        yield Finding("models", False, error.line(), True)
    else:
        yield from _models(settings)
    yield from _blender()
    yield _server(server)


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    text = (
        f"{memory.total / 2**30:.1f} GiB, {memory.available / 2**30:.1f} GiB free, {psutil.cpu_count()} cores"
    )
    yield Finding("memory", memory.available >= LEAST_MEMORY, text)


def _data_folder(folder: Path) -> Iterator[Finding]:
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    free = shutil.disk_usage(place).free
    yield Finding("disk", free >= LEAST_DISK, f"{free / 2**30:.1f} GiB free for {folder}")


def _compute() -> Iterator[Finding]:
    from . import trials

    found = trials.run("torch")
    yield Finding("torch", found["ok"], found["text"], True)
    devices = list(found.get("devices", {"cpu": ""}))
    usable = False
    for name, device in (
        ("embree", "cpu"),
        ("torch", devices[-1]),
        ("nvdiffrast", devices[1] if len(devices) > 1 else "cpu"),
    ):
        drawn = trials.run("rasteriser", name, device)
        usable = usable or drawn["ok"]
        yield Finding("rasteriser", drawn["ok"], f"{name} {drawn['text']}")
    yield Finding("rasteriser", usable, "at least one draws" if usable else "none draws", True)
    grid = trials.run("hash_grid")
    yield Finding("hash grid", grid["ok"], grid["text"])


def _models(settings: "configuration.Config") -> Iterator[Finding]:
    from .. import config
    from ..model_folders import checking

    for name, entry in config.models_of(settings).items():
        chosen = name in config.defaults(settings).values()
        title = f"{name}{' (default)' if chosen else ''}"
        try:
            found = checking.check(name, Path(entry.path))
        except UserError as error:
            yield Finding("model", False, f"{title}: {error.line()}", chosen)
        else:
            yield Finding("model", True, f"{title}: {found.kind}, {found.prediction}", chosen)


def _blender() -> Iterator[Finding]:
    """Blender on PATH, and its modules in `.venv-blender/<version>` here or beside our own environment."""
    found = False
    if program := shutil.which("blender"):
        found = True
        yield _asked("blender", [program, "--version"])
    for root in (Path.cwd(), Path(sys.prefix).parent):
        for python in sorted(root.glob(".venv-blender/*/bin/python")):
            found = True
            yield _asked(
                "blender", [str(python), "-c", "import bpy; print('module', bpy.app.version_string)"], python
            )
        if found:
            return
    if not found:
        yield Finding("blender", False, "not found on PATH nor in .venv-blender; painting works without it")


def _asked(about: str, command: list[str], place: Path | None = None) -> Finding:
    where = place or command[0]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=BLENDER_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(about, False, f"{where}: {error}")
    words = (done.stdout.strip() or done.stderr.strip()).splitlines() or ["no word"]
    text = words[0] if done.returncode == 0 else words[-1][:200]
    return Finding(about, done.returncode == 0, f"{text} at {where}")


def _server(server: str) -> Finding:
    from .. import addresses
    from . import connection

    address = server or addresses.DEFAULT_ADDRESS
    try:
        with connection.Connection(address, "doctor") as asked:
            welcome = asked.connect(2.0)
    except UserError as error:
        return Finding("server", False, error.line())
    return Finding("server", True, f"{welcome.version} at {address}, device {welcome.device}")
