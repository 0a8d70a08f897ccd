"""The result of a command whose `--out` is a file: made in a folder beside it, then brought out."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from maquette_wire.errors import UserError

from . import outputs

_OF_A_SCENE = (outputs.SCENE, outputs.REPORT, "cameras.json", "preview.png")
SUFFIX = ".job"  # of the folder in which the job works


class FileOutputs(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What files of the job's folder are called once they lie beside it. Kept with an unfinished job."""

    name: str
    """of the file that `--out` names"""
    endings: dict[str, str]
    """by the name in the job's folder: what follows `name`"""
    left: tuple[str, ...] = ()
    """files of the job that the command does not give"""

    def placed(self, place: Path, names: Sequence[str]) -> tuple[Path, list[str]]:
        """Folder and names that `bring_out` gives to files of the job's folder `place`."""
        return place.parent, [self.name + self.endings[name] for name in names if name in self.endings]

    def bring_out(self, place: Path) -> None:
        """Moves the files out of the job's folder, which is removed unless something else lies there."""
        for name, ending in self.endings.items():
            if (place / name).is_file():
                (place / name).replace(place.with_name(self.name + ending))
        for name in self.left:
            (place / name).unlink(missing_ok=True)
        with suppress(OSError):  # whatever else lies there is not ours
            place.rmdir()


def beside(target: Path) -> Path:
    """The folder in which the job works. Raises UserError `output.unusable` when the target is a folder."""
    if target.is_dir():
        raise UserError("output.unusable", f"'{target}' is a folder.", hint="Name a file with --out.")
    if (target.parent / outputs.SCENE).is_file() and target.name in _OF_A_SCENE:
        raise UserError(
            "output.unusable", f"'{target}' belongs to the scene.", hint="Name another file with --out."
        )
    return target.with_name(target.name + SUFFIX)
