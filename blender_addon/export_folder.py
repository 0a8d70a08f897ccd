"""A data set on its way into a folder: everything or nothing. No bpy.

Files are written into a folder of their own inside the target and take their places at the end, pictures
first, so that whoever finds `transforms.json` finds all of it.
"""

import os
import secrets
import shutil
from collections.abc import Iterable
from pathlib import Path

from . import steps
from .wire import errors

PICTURES = "images"


class Draft:
    """`with Draft(folder, replace) as draft`: without `commit`, nothing of it is left.

    Raises UserError `output.unusable`, at once when the folder cannot be written or holds a data set that is
    not to be replaced.
    """

    def __init__(self, folder: Path, last: str, *, replace: bool, originals: Iterable[Path] = ()) -> None:
        """originals: files that are never replaced, whatever `replace` says."""
        self.folder = folder
        self._originals = [path for path in originals if path.is_file()]
        self._last = last
        self._place = folder / f".export-{secrets.token_hex(4)}"
        self._made = not folder.is_dir()
        self._names: set[str] = set()
        if (folder / last).exists() and not replace:
            raise errors.UserError(
                "output.unusable",
                f"'{folder.name}' holds a data set already.",
                hint="Choose an empty folder, or allow that it is replaced.",
            )

    def __enter__(self) -> "Draft":
        with _told(self.folder):
            self._place.mkdir(parents=True)
        return self

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._place, ignore_errors=True)
        if self._made and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def path(self, name: str) -> Path:
        """Where a file of that name is to be written now; its folder is there."""
        place = self._place / name
        with _told(self.folder):
            place.parent.mkdir(parents=True, exist_ok=True)
        self._names.add(name)
        return place

    def copy_steps(self, source: Path, name: str) -> steps.Steps[None]:
        """Copies a file a piece at a time; one that is in its place already is left there."""
        if (self.folder / name).exists() and os.path.samefile(source, self.folder / name):
            return
        place = self.path(name)
        with _told(self.folder), source.open("rb") as old, place.open("wb") as new:
            while part := old.read(steps.BYTES):
                new.write(part)
                yield 0

    def write_steps(self, data: bytes | bytearray, name: str) -> steps.Steps[None]:
        """Writes a file a piece at a time."""
        place = self.path(name)
        with _told(self.folder), place.open("wb") as new, memoryview(data) as whole:
            for start in range(0, len(whole), steps.BYTES):
                new.write(whole[start : start + steps.BYTES])
                yield 0

    def commit(self, text: str) -> Path:
        """Puts all files in their places, that of the last name with this text at the end."""
        with _told(self.folder):
            with self.path(self._last).open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            self._refuse_originals()
            for name in [*sorted(self._names - {self._last}), self._last]:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                os.replace(self._place / name, self.folder / name)
        return self.folder / self._last

    def _refuse_originals(self) -> None:
        """Raises UserError `output.unusable` when a file would take the place of an original."""
        kept = {(found.st_dev, found.st_ino): path for path in self._originals for found in [path.stat()]}
        for name in sorted(self._names):
            place = self.folder / name
            if place.exists() and (found := place.stat()) and (found.st_dev, found.st_ino) in kept:
                raise errors.UserError(
                    "output.unusable",
                    f"'{name}' in '{self.folder.name}' is a photograph of the capture, which stays as it is.",
                    hint="Choose another folder.",
                )


class _told:
    """Turns an OSError into a sentence."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, OSError):
            raise errors.UserError(
                "output.unusable",
                f"'{self._folder}' cannot be written: {error.strerror or error}.",
                hint="Choose another folder, or free some space.",
            ) from error
