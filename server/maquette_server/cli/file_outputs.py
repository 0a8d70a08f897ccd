"""The result of a command whose `--out` is a file: made in a folder beside it, then brought out."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from maquette_wire.errors import UserError


def beside(target: Path) -> Path:
    """The folder in which the job works. Raises UserError `output.unusable` when the target is a folder."""
    if target.is_dir():
        raise UserError("output.unusable", f"'{target}' is a folder.", hint="Name a file with --out.")
    return target.with_name(f"{target.name}.job")


def placed(target: Path, endings_of: dict[str, str]) -> Callable[[Sequence[str]], tuple[Path, list[str]]]:
    """Folder and names that `moved` gives to files of a job."""
    return lambda names: (target.parent, [target.name + endings_of[n] for n in names if n in endings_of])


def moved(place: Path, target: Path, endings_of: dict[str, str], left: Sequence[str] = ()) -> None:
    """Brings the files out of the working folder: each by the ending that its name gets after TARGET's.

    left: files of the job that the command does not give.
    """
    for name, ending in endings_of.items():
        if (place / name).is_file():
            (place / name).replace(target.with_name(target.name + ending))
    for name in left:
        (place / name).unlink(missing_ok=True)
    with suppress(OSError):  # whatever else lies there is not ours
        place.rmdir()
