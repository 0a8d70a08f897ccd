"""The folder that a command leaves: checked before, written whole or not at all.

Every file is written beside its place under a name that ends in `.part`; the renames come last, `report.json`
at the very end, so a folder with a report is complete.
"""

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from maquette_wire.errors import UserError

REPORT, SCENE = "report.json", "scene.json"
# what else a method leaves as many of as there happen to be: those of an earlier result go
_NUMBERED = {
    "render": ("[0-9]*.png", "[0-9]*.exr"),
    "reconstruct": ("images/*", "masks/*", "checkpoints/*/*"),
    "latent_nerf": ("checkpoints/*/*",),
    "instruct_nerf2nerf": (
        *("images/*", "masks/*", "edited/*", "checkpoints/*/*", "moments/*/*"),
        *("scene.json", "cameras.json", "preview.png", "try.png"),
    ),
}
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


def check_free(out: Path, method: str, overwrite: bool | None = None) -> None:
    """Raises UserError `output.unusable` unless the folder is new, empty, or holds what `method` left there.

    overwrite: whether the user wants that replaced; None where nobody need be asked.
    """
    if not exists(out) or all(path.name == ".job" for path in out.iterdir()):
        return
    if _left_by(out) != method:
        raise UserError(
            "output.unusable",
            f"'{out}' holds other files, among which the result would be lost.",
            hint="Name a new folder with --out.",
        )
    if overwrite is False:
        raise UserError(
            "output.unusable",
            f"'{out}' holds an earlier result.",
            hint="Add --overwrite to replace it, or name a new folder with --out.",
        )


def _left_by(out: Path) -> str:
    """The method whose result a folder holds; empty when it holds none."""
    for name in (SCENE, REPORT):
        try:
            found = json.loads((out / name).read_bytes())
        except (OSError, ValueError):
            continue
        method = found.get("method") if isinstance(found, dict) else None
        if isinstance(method, str):
            return method
    return ""


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
    before = _left_by(out)
    parts = {name: (out / name).with_name(f".{Path(name).name}.part") for name in contents}
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in contents.items():
            parts[name].parent.mkdir(parents=True, exist_ok=True)
            with parts[name].open("wb") as file:
                _fill(file.fileno(), content)
        for name, part in parts.items():
            os.replace(part, out / name)
        if before == report.get("method"):
            _remove_others(out, _NUMBERED.get(before, ()), contents)
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


def _remove_others(out: Path, patterns: Iterable[str], kept: Iterable[str]) -> None:
    """Removes files of those patterns but for the ones that are kept, and the folders that this empties."""
    remaining = {out / name for name in kept}
    for path in [path for pattern in patterns for path in out.glob(pattern)]:
        if path.is_file() and path not in remaining:
            path.unlink()
            with suppress(OSError):  # it holds more, or is the folder of the result itself
                path.parent.rmdir()


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
