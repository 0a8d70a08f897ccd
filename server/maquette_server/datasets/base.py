"""A data set: pictures with known cameras, as every format is read into it.

World coordinates are those of the files, untouched; camera axes are OpenGL. Reading opens no picture further
than its header, so a data set with missing or damaged pictures can be read; `check.py` tells what is wrong.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ..cameras.conventions import LARGEST
from ..cameras.lens import Lens

Floats = NDArray[np.float64]

SPLITS = ("train", "val", "test")
BACKGROUNDS = ("white", "black")
MAX_JSON_BYTES = 64 << 20
PICTURE_KINDS = ("PNG", "JPEG", "WEBP")
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture and its camera."""

    name: str  # path of the picture below the data set's folder, with `/` and its ending
    image: Path
    world_from_camera: Floats  # [4, 4], OpenGL axes
    lens: Lens
    mask: Path | None = None  # black = ignore
    depth: Path | None = None
    time: float | None = None  # in the data set's own unit
    split: str = "train"  # of SPLITS
    loss_weight: float = 1.0  # of each of its pixels; 4^level in a multi-scale set
    level: int = 0  # how many times the picture was halved


@dataclass(frozen=True, eq=False)
class DataSet:
    """Posed pictures. Distances are in the data set's own unit, directions in its own world axes."""

    folder: Path
    format: str
    frames: tuple[Frame, ...]
    up: Floats  # [3], unit
    near: float | None = None
    far: float | None = None
    background: str | None = None  # what transparent pixels show, of BACKGROUNDS; None: nothing is known
    ndc: bool = False  # a forward-facing capture, for normalised device coordinates
    aabb: Floats | None = None  # [2, 3], least and greatest corner of what matters, a hint
    applied_transform: Floats | None = None  # [3, 4], what the file says was done to the poses before
    notes: tuple[str, ...] = ()

    def of(self, *splits: str) -> tuple[Frame, ...]:
        """The frames of the named splits, in order."""
        return tuple(frame for frame in self.frames if frame.split in splits)


def split_evenly(frames: Sequence[Frame], every: int = 10, first: int = 5) -> tuple[Frame, ...]:
    """One of `every` frames for testing, evenly spread, the rest for training: where a file says nothing.

    The first and the last frame are trained on, since a test view beyond the others is a guess.
    """
    return tuple(
        replace(frame, split="test" if i % every == first else "train") for i, frame in enumerate(frames)
    )


def bad(sentence: str, hint: str = "Export the data set again.") -> UserError:
    return UserError("dataset.bad", sentence, hint=hint)


@contextmanager
def named(file: str) -> Iterator[None]:
    """Puts the file's name before the sentence of a refusal that does not know it."""
    try:
        yield
    except UserError as error:
        sentence = f"{file!r}: {error.sentence[:1].lower()}{error.sentence[1:]}"
        raise UserError(error.code, sentence, hint=error.hint) from error


def load_json(path: Path) -> dict[str, Any]:
    """The object of a JSON file of at most 64 MiB."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise bad(f"{path.name!r} is larger than 64 MiB.", "Split the data set.")
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise unreadable(path, error) from error
    except (ValueError, RecursionError) as error:
        raise bad(f"{path.name!r} cannot be read as JSON: {error}.") from error
    if not isinstance(content, dict):
        raise bad(f"{path.name!r} holds a JSON {type(content).__name__}, not an object.")
    return content


def unreadable(path: Path, error: OSError) -> UserError:
    reason = error.strerror or str(error)
    return UserError(
        "dataset.not_found",
        f"{path.name!r} cannot be read: {reason}.",
        hint="Check the path and its permissions.",
    )


def number(value: object, what: str) -> float:
    """A finite number of a file; `what` begins the sentence of the refusal."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise bad(f"{what} is {str(value)[:40]!r}, not a number.")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not abs(result) < LARGEST:
        raise bad(f"{what} is not a finite number.")
    return result


def numbers(value: object, shape: tuple[int, ...], what: str) -> Floats:
    """Finite numbers of a file in the given shape."""
    try:
        result = np.asarray(value, np.float64)
    except (TypeError, ValueError, OverflowError):
        result = np.zeros(0)
    if result.shape != shape or not (np.abs(result) < LARGEST).all():
        raise bad(f"{what} is not {' x '.join(map(str, shape))} finite numbers.")
    return result


def unit(value: object, what: str) -> Floats:
    """A direction [3] of a file, of length 1."""
    vector = numbers(value, (3,), what)
    length = float(np.linalg.norm(vector))
    if length < 1e-12:
        raise bad(f"{what} has no length.")
    # left as it stands when it is a unit vector already, so that it survives being written and read
    return vector if abs(length - 1) < 1e-12 else vector / length


def near_and_far(fields: Mapping[str, Any], what: str) -> tuple[float | None, float | None]:
    """`near` and `far` of a file, where it states both."""
    if fields.get("near") is None or fields.get("far") is None:
        return None, None
    near, far = number(fields["near"], f"near of {what}"), number(fields["far"], f"far of {what}")
    if not 0 <= near < far:
        raise bad(f"near {near:g} and far {far:g} of {what} are no range of distances.")
    return near, far


def relative(value: object, what: str) -> str:
    """A file's path below the folder as a data set names it, with `/` and without `./`."""
    if not isinstance(value, str) or not value.strip() or "\0" in value:
        raise bad(f"{what} names no file.")
    if value.startswith(("/", "\\")) or PureWindowsPath(value).drive:
        raise bad(
            f"{what} names the absolute path {value!r}.",
            "Write paths relative to the data set's folder, so that it can be moved.",
        )
    return Path(value.replace("\\", "/")).as_posix()


def found(folder: Path, path: str) -> tuple[str, Path]:
    """A picture's name and place: as named, else with the ending of a picture, `.png` if there is none."""
    if (folder / path).is_file() or path.lower().endswith(PICTURE_SUFFIXES):
        return path, folder / path
    for suffix in PICTURE_SUFFIXES:
        if (folder / (path + suffix)).is_file():
            return path + suffix, folder / (path + suffix)
    return path + ".png", folder / (path + ".png")


def header(path: Path) -> tuple[int, int, bool] | None:
    """Width, height and whether a picture has transparency, from its first bytes; None if unreadable."""
    try:
        with Image.open(path, formats=PICTURE_KINDS) as image:
            transparent = "A" in image.getbands() or "transparency" in image.info
            return image.width, image.height, transparent
    except (OSError, UnidentifiedImageError, ValueError, SyntaxError):
        return None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):  # told when it is loaded
        return None


def first_header(paths: Iterable[Path]) -> Callable[[], tuple[int, int, bool] | None]:
    """What asks, once and only if it is needed, for the header of the first picture that has one."""
    answer: list[tuple[int, int, bool] | None] = []

    def ask() -> tuple[int, int, bool] | None:
        if not answer:
            answer.append(next((head for path in paths if (head := header(path)) is not None), None))
        return answer[0]

    return ask
