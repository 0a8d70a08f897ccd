"""A folder becomes a data set, whichever of the known formats it holds."""

from collections.abc import Callable
from pathlib import Path

from maquette_wire.errors import UserError

from . import blender, colmap, llff, multiscale, nerfstudio, times
from .base import PICTURE_SUFFIXES, SPLITS, DataSet
from .rig import SUFFIXES as FILM_SUFFIXES

# the first that fits is taken: what a user edits before what a solver left beside it
_FORMATS: tuple[tuple[Callable[[Path], bool], Callable[[Path], DataSet]], ...] = (
    (lambda folder: (folder / nerfstudio.FILE).is_file(), nerfstudio.read),
    (lambda folder: any((folder / blender.file_of(s)).is_file() for s in SPLITS), blender.read),
    (lambda folder: (folder / multiscale.FILE).is_file(), multiscale.read),
    (lambda folder: (folder / llff.FILE).is_file(), llff.read),
    (lambda folder: colmap.model_of(folder) is not None, colmap.read),
)
_SUFFIXES = (".json", ".npy", ".bin", ".txt")  # of the formats' own files
_KNOWN = (
    "transforms.json, transforms_train.json, metadata.json, poses_bounds.npy or a COLMAP model in sparse/0"
)


def read(folder: str | Path) -> DataSet:
    """The data set of a folder, or of the folder of one of its files.

    Raises UserError `dataset.not_found` where there is none, `dataset.bad` where it cannot be read.
    """
    folder = Path(folder)
    try:
        if folder.is_file():
            if folder.suffix.lower() not in _SUFFIXES:
                raise UserError(
                    "dataset.not_found",
                    f"{folder.name!r} is a file, and none that a data set has.",
                    hint="Name the folder of a data set.",
                )
            folder = folder.parent
        if not folder.is_dir():
            raise UserError(
                "dataset.not_found",
                f"There is no folder {str(folder)!r}.",
                hint="Check the path and its spelling.",
            )
        reader = _reader(folder)
        if reader is None:
            raise UserError("dataset.not_found", f"{_name(folder)!r} is no data set.", hint=_way_out(folder))
        return times.attached(reader(folder))
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            "dataset.not_found", f"{_name(folder)!r} cannot be read: {reason}.", hint="Check its permissions."
        ) from error


def _reader(folder: Path) -> Callable[[Path], DataSet] | None:
    return next((reader for fits, reader in _FORMATS if fits(folder)), None)


def _way_out(folder: Path) -> str:
    inside = [path for path in sorted(folder.iterdir())[:200] if path.is_dir() and _reader(path) is not None]
    if inside:
        return f"{inside[0].name!r} in it is one; name that folder."
    places = [place for place in (folder, folder / "images") if place.is_dir()]
    pictured = (p.suffix.lower() in PICTURE_SUFFIXES for place in places for p in place.iterdir())
    if (folder / times.FILE).is_file() or any(pictured):
        return f"It holds pictures without cameras: solve them, for example with COLMAP ({_KNOWN} is needed)."
    if any(p.suffix.lower() in FILM_SUFFIXES for p in folder.iterdir()):
        return "It holds films; maquette dataset frames makes pictures of them."
    return f"Name a folder that holds {_KNOWN}."


def _name(folder: Path) -> str:
    return folder.name or str(folder)
