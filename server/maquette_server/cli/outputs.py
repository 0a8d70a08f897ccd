"""The folder that a command leaves: checked before, written whole or not at all.

Every file is written beside its place under a name that ends in `.part`; the renames come last, `report.json`
at the very end, so a folder with a report is complete.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maquette_wire.errors import UserError

REPORT = "report.json"
_BENEATH = "x" * 120  # as long as what the private folder of a job has beneath --out
_LONGEST_SHOWN = 120  # characters of a path in a sentence


def check(out: Path) -> None:
    """Raises UserError `output.unusable` when the folder cannot be made or written; makes nothing."""
    place = out
    while not exists(place) and place != place.parent:
        place = place.parent
    for name in out.relative_to(place).parts:
        exists(place / name)  # refuses a name that is too long before there is a folder to put it in
    exists(out.absolute() / _BENEATH)
    if not place.is_dir():
        raise UserError(
            "output.unusable", f"'{place}' is not a folder.", hint="Choose another place with --out."
        )
    if not os.access(place, os.W_OK | os.X_OK):
        raise UserError(
            "output.unusable",
            f"The folder '{place}' cannot be written.",
            hint="Choose another place with --out, or change its permissions.",
        )


def folder(name: str) -> Path:
    """The folder of that name. Raises UserError `output.unusable` when the name is empty: that is a variable
    of a script without a value rather than the current folder.
    """
    if not name.strip():
        raise UserError(
            "output.unusable", "The name of the folder for the result is empty.", hint="Name one with --out."
        )
    return Path(name)


def exists(path: Path) -> bool:
    """Whether there is such a file or folder. Raises UserError `output.unusable` when nobody can say."""
    try:
        return path.exists()
    except OSError as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: OSError) -> UserError:
    """The error in words for the user; of a long name both ends."""
    name = str(path)
    if len(name) > _LONGEST_SHOWN:
        name = f"{name[: _LONGEST_SHOWN // 2]}...{name[-_LONGEST_SHOWN // 2 :]}"
    why = error.strerror or error
    return UserError("output.unusable", f"'{name}' cannot be used: {why}.", hint="Choose another --out.")


def write(out: Path, files: Mapping[str, bytes | Path], report: Mapping[str, Any]) -> list[str]:
    """Writes files (bytes, or a file to copy) and the report; returns their names, the report's last.

    Raises UserError `output.unusable`, OSError when the disk is full. Nothing half-written stays behind.
    """
    for name in files:
        if any(part in ("", "..") or part.startswith(".") for part in name.split("/")) or "\\" in name:
            raise UserError("protocol.bad", f"A result came with the file name {name!r}.")
    made = not out.exists()
    contents = {**files, REPORT: json.dumps(report, indent=2, ensure_ascii=False).encode() + b"\n"}
    parts = {name: (out / name).with_name(f".{Path(name).name}.part") for name in contents}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            parts[name].parent.mkdir(parents=True, exist_ok=True)
            with parts[name].open("wb") as file:
                _fill(file.fileno(), content)
        for name, part in parts.items():
            os.replace(part, out / name)
    except BaseException as error:
        for part in parts.values():
            part.unlink(missing_ok=True)
        if made and out.is_dir() and not any(out.iterdir()):
            out.rmdir()
        if isinstance(error, PermissionError | NotADirectoryError | FileExistsError | IsADirectoryError):
            raise UserError(
                "output.unusable",
                f"'{out}' cannot be written: {error.strerror}.",
                hint="Choose another --out.",
            ) from error
        raise
    return list(contents)


def _fill(target: int, content: bytes | Path) -> None:
    """Writes and flushes to the disk."""
    if isinstance(content, Path):
        with content.open("rb") as source:
            while block := source.read(1 << 20):
                _write_all(target, block)
    else:
        _write_all(target, content)
    os.fsync(target)


def _write_all(target: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(target, view) :]
