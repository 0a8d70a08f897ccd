"""A folder becomes a data set, whichever of the known formats it holds."""

from collections.abc import Callable
from pathlib import Path

from maquette_wire.errors import UserError

from . import blender, colmap, llff, multiscale, nerfstudio
from .base import PICTURE_SUFFIXES, SPLITS, DataSet

# the first that fits is taken: what a user edits before what a solver left beside it
_FORMATS: tuple[tuple[Callable[[Path], bool], Callable[[Path], DataSet]], ...] = (
    (lambda folder: (folder / nerfstudio.FILE).is_file(), nerfstudio.read),
    (lambda folder: any((folder / blender.file_of(s)).is_file() for s in SPLITS), blender.read),
    (lambda folder: (folder / multiscale.FILE).is_file(), multiscale.read),
    (lambda folder: (folder / llff.FILE).is_file(), llff.read),
    (lambda folder: colmap.model_of(folder) is not None, colmap.read),
)
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
        return reader(folder)
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
    places = [folder, folder / "images"]
    if any(
        p.suffix.lower() in PICTURE_SUFFIXES for place in places if place.is_dir() for p in place.iterdir()
    ):
        return f"It holds pictures without cameras: solve them, for example with COLMAP ({_KNOWN} is needed)."
    return f"Name a folder that holds {_KNOWN}."


def _name(folder: Path) -> str:
    return folder.name or str(folder)
