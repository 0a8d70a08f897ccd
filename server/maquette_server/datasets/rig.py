"""Films of one scene and the cameras that took them: one film a camera, cameras that stand still.

The cameras lie beside the films, as a solver leaves them for one picture of each: `transforms.json` or a
COLMAP model whose pictures have the films' names (`cam00.jpg`, `cam00.mp4` or `cam00/00000.jpg` for
`cam00.mp4`), or LLFF's `poses_bounds.npy`, whose rows belong to the films in the order of their names.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from maquette_wire.errors import UserError

from ..cameras.lens import Lens
from ..media import video
from . import colmap, llff, nerfstudio, scale
from .base import DataSet, Floats, Frame, bad, load_json, near_and_far

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".flv", ".gif")
MAX_FILMS = 1000
Camera = tuple[Floats, Lens]  # world_from_camera [4, 4]; the lens in pixels of the film


@dataclass(frozen=True)
class Rig:
    """Films by the names of their cameras, in order, and what is known of the cameras."""

    films: Mapping[str, Path]
    about: Mapping[str, video.Film]
    cameras: Mapping[str, Camera] = field(default_factory=dict)  # of every film, or of none
    known: DataSet | None = None  # up, near, far and the like; its frames are the cameras


def read(source: Path, without: Sequence[str] = ()) -> Rig:
    """The films of a folder, or one film, and the cameras beside them.

    without: names of cameras that are left out, with their rows. Raises UserError `dataset.not_found` where
    there is no film, `video.bad` for a film that cannot be read, `dataset.bad` for cameras that do not fit.
    """
    films = _films(source)
    unknown = sorted(set(without) - films.keys())
    if unknown:
        raise bad(f"There is no film of the camera {unknown[0]!r} to leave out.", f"Name {_some(films)}.")
    about = {name: video.describe(path) for name, path in films.items()}
    found = _beside(source if source.is_dir() else source.parent, about)
    kept = {name: path for name, path in films.items() if name not in without}
    if not kept:
        raise bad("Every film is left out.", "Leave out fewer.")
    told = {name: about[name] for name in kept}
    if found is None or (not source.is_dir() and not kept.keys() <= found[0].keys()):
        return Rig(kept, told)
    missing = [name for name in kept if name not in found[0]]
    if missing:
        raise bad(
            f"There are cameras beside the films, but none of {kept[missing[0]].name!r}.",
            "Name the pictures that were solved like their films, or leave the film out with --without.",
        )
    return Rig(kept, told, {name: found[0][name] for name in kept}, found[1])


def _films(source: Path) -> dict[str, Path]:
    if source.is_file():
        return {source.stem: source}
    if not source.is_dir():
        raise UserError(
            "dataset.not_found", f"There is no film or folder {str(source)!r}.", hint="Check the path."
        )
    try:
        paths = sorted(p for p in source.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    except OSError as error:
        raise UserError(
            "dataset.not_found", f"{source.name!r} cannot be read: {error.strerror or error}."
        ) from error
    if not paths:
        raise UserError(
            "dataset.not_found",
            f"{source.name!r} holds no film.",
            hint="Name a film, or a folder with one film a camera, such as cam00.mp4, cam01.mp4.",
        )
    if len(paths) > MAX_FILMS:
        raise bad(f"{source.name!r} holds {len(paths)} films, more than {MAX_FILMS}.", "Take fewer.")
    films: dict[str, Path] = {}
    for path in paths:
        if path.stem in films:
            raise bad(
                f"{films[path.stem].name!r} and {path.name!r} have one name, so they would be one camera.",
                "Rename one, or move it away.",
            )
        films[path.stem] = path
    return films


def _beside(folder: Path, about: Mapping[str, video.Film]) -> tuple[dict[str, Camera], DataSet] | None:
    """Cameras by name, and the rest; None where the folder says nothing of cameras."""
    for present, reader in (
        ((folder / nerfstudio.FILE).is_file(), _nerfstudio),
        ((folder / llff.FILE).is_file(), _llff),
        (colmap.model_of(folder) is not None, _colmap),
    ):
        if present:
            return reader(folder, about)
    return None


def _nerfstudio(folder: Path, about: Mapping[str, video.Film]) -> tuple[dict[str, Camera], DataSet]:
    fields = load_json(folder / nerfstudio.FILE)
    frames: list[Frame] = []
    for path, entry in nerfstudio.rows_of(fields, nerfstudio.FILE):
        name = _film_of(path, about)
        if name is None:
            continue
        film = about[name]
        lens = nerfstudio.lens_of(fields, entry, nerfstudio.FILE, _size(film))
        frames.append(nerfstudio.frame_of(folder, path, entry, nerfstudio.FILE, lens))
    notes: list[str] = []
    near, far = near_and_far(fields, nerfstudio.FILE)
    up = nerfstudio.up_of(fields, frames, notes) if frames else np.array([0.0, 0.0, 1.0])
    ndc = fields.get("ndc") is True
    known = DataSet(folder, "nerfstudio", tuple(frames), up, near, far, ndc=ndc, notes=tuple(notes))
    return _cameras(frames, about), known


def _size(film: video.Film) -> Callable[[], tuple[int, int, bool]]:
    return lambda: (film.width, film.height, False)


def _llff(folder: Path, about: Mapping[str, video.Film]) -> tuple[dict[str, Camera], DataSet]:
    rows = llff.rows_of(folder)
    if len(rows) != len(about):
        raise bad(
            f"{llff.FILE!r} has {len(rows)} cameras, but there are {len(about)} films.",
            "Leave in the folder exactly the films that were solved; --without leaves some out.",
        )
    frames = []
    for row, (name, film) in zip(rows, about.items(), strict=True):
        pose, lens = llff.camera_of(row, name, (film.width, film.height))
        frames.append(Frame(name, folder / name, pose, lens))
    near, far = llff.range_of(rows)
    up, ndc = scale.up_of(frames), scale.one_way(frames)
    known = DataSet(folder, "llff", tuple(frames), up, near, far, ndc=ndc)
    return _cameras(frames, about), known


def _colmap(folder: Path, about: Mapping[str, video.Film]) -> tuple[dict[str, Camera], DataSet]:
    known = colmap.read(folder)
    return _cameras(known.frames, about), known


def _cameras(frames: Sequence[Frame], about: Mapping[str, video.Film]) -> dict[str, Camera]:
    """The poses with lenses in the pixels of the films. Raises UserError `dataset.bad` where these differ."""
    cameras: dict[str, Camera] = {}
    for frame in frames:
        name, lens = _film_of(frame.name, about), frame.lens
        if name is None:
            continue
        film = about[name]
        if name in cameras:
            raise bad(f"There are two cameras of the film {name!r} beside it.", "Leave one in the file.")
        if abs(film.width * lens.height - film.height * lens.width) > lens.width + lens.height:
            raise bad(
                f"The film {name!r} is {film.width} x {film.height} pixels, but its camera says"
                f" {lens.width} x {lens.height}.",
                "Solve the cameras for pictures of the films, reduced or not, but not cropped or turned.",
            )
        if (film.width, film.height) != (lens.width, lens.height):
            lens = lens.resized(film.width, film.height)
        cameras[name] = frame.world_from_camera, lens
    return cameras


def _film_of(path: str, about: Mapping[str, video.Film]) -> str | None:
    """The film that a picture's path means: by its name, with an ending or without, or by its folder's."""
    folder, _, name = path.rpartition("/")
    candidates = (name.rpartition(".")[0], name, folder.rpartition("/")[2])
    return next((each for each in candidates if each in about), None)


def _some(names: Mapping[str, Path]) -> str:
    first = ", ".join(list(names)[:5])
    return first if len(names) <= 5 else f"one of {first} ..."
