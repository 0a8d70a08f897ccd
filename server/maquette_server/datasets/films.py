"""Films as data sets: frames drawn from one film or a rig of them, written as pictures with their times.

Pictures lie in `images` (one film) or `images/CAMERA` (several), numbered by instant: frames of equal number
were taken at one time. Where cameras are known there is a `transforms.json` with poses and times, otherwise a
`times.json` that waits for them.
"""

import io
import math
import shutil
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from PIL import Image

from ..cameras.lens import Lens
from ..media import video
from . import nerfstudio, times, writing
from .base import DataSet, Frame, bad
from .rig import Rig

MAX_PICTURES = 10_000  # what a data set may have on its way to a server
MAX_BYTES = 4 << 30  # of all pictures; what one job may bring along
HOLD_OUT_FROM = 4  # as many cameras are needed before one is held out
_JPEG = {"quality": 95, "subsampling": 0}
_OURS = {"images", nerfstudio.FILE, times.FILE}


@dataclass(frozen=True)
class Choice:
    """Which frames are drawn, and how large. Raises UserError `params.bad` for what excludes itself."""

    every: int = 1  # each so many-th frame
    fps: float | None = None  # or so many a second
    start: float = 0.0  # seconds from the first frame
    end: float | None = None
    reduce: int = 1  # divides the sides: means of whole pixels, the rest is cut off
    longest: int | None = None  # or the long side in pixels
    lossless: bool = False  # PNG instead of JPEG

    def __post_init__(self) -> None:
        if self.every > 1 and self.fps is not None:
            raise _params("Every so many frames and so many a second were both asked for.", "Give one.")
        if self.reduce > 1 and self.longest is not None:
            raise _params("A size and a divisor of sizes were both asked for.", "Give one of them.")
        if not 0 <= self.start < (math.inf if self.end is None else self.end):
            raise _params("The end does not come after the start.", "Give seconds from the first frame.")
        if self.fps is not None and not 0 < self.fps <= video.FASTEST:
            raise _params(f"{self.fps:g} pictures a second cannot be drawn.", "Give a number such as 5.")

    def lens(self, lens: Lens) -> Lens:
        """The lens of a film's frames, for the pictures that are made of them."""
        if self.reduce > 1:
            return lens.divided(self.reduce)
        return lens.resized(*self._size(lens.width, lens.height))

    def sized(self, picture: NDArray[np.uint8]) -> Image.Image:
        """A frame u8 [H, W, 3] as a picture of the size that is wanted."""
        image = Image.fromarray(picture)
        if self.reduce > 1:
            width, height = (side // self.reduce * self.reduce for side in image.size)
            if not width or not height:
                raise _params(
                    f"Frames of {image.width} x {image.height} pixels cannot be divided by {self.reduce}.",
                    "Divide by less.",
                )
            return image.crop((0, 0, width, height)).reduce(self.reduce)
        size = self._size(*image.size)
        return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)

    def _size(self, width: int, height: int) -> tuple[int, int]:
        factor = 1.0 if self.longest is None else min(1.0, self.longest / max(width, height))
        return max(1, round(width * factor)), max(1, round(height * factor))


@dataclass(frozen=True)
class Told:
    """How far the work is."""

    camera: str
    pictures: int  # of this camera so far
    of: int  # as far as the film says; 0 where it does not


@dataclass(frozen=True)
class Made:
    """What was written."""

    pictures: int
    cameras: int
    posed: bool
    notes: tuple[str, ...]


def write(rig: Rig, destination: Path, choice: Choice, overwrite: bool = False) -> Iterator[Told | Made]:
    """Writes the data set; yields after every picture, and `Made` at the end.

    The folder appears when it is whole. It must not exist, or be empty; with `overwrite` it may hold what an
    earlier run wrote and nothing else. Raises UserError `output.unusable`, `video.bad`, `dataset.bad`,
    `params.bad`.
    """
    _check_place(destination, overwrite)
    draft: Path | None = None
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", dir=destination.parent))
        made = yield from _written(rig, draft, choice)
        draft.chmod(0o755)  # a temporary folder is its owner's alone
        if destination.is_dir():
            shutil.rmtree(destination)
        draft.rename(destination)
    except OSError as error:
        raise UserError(
            "output.unusable",
            f"{str(destination)!r} cannot be written: {error.strerror or error}.",
            hint="Name another folder, or free some space.",
        ) from error
    finally:
        if draft is not None:
            shutil.rmtree(draft, ignore_errors=True)
    yield made


def _check_place(destination: Path, overwrite: bool) -> None:
    if not destination.exists():
        return
    inside = {path.name for path in destination.iterdir()} if destination.is_dir() else {destination.name}
    if destination.is_dir() and (not inside or (overwrite and inside <= _OURS)):
        return
    other = sorted(inside - _OURS)
    if overwrite:
        raise UserError(
            "output.unusable",
            f"{str(destination)!r} holds {other[0]!r}, which is no part of earlier frames."
            if destination.is_dir()
            else f"{str(destination)!r} is a file.",
            hint="Name a new folder.",
        )
    raise UserError(
        "output.unusable",
        f"{str(destination)!r} is not empty." if destination.is_dir() else f"{str(destination)!r} is a file.",
        hint="Name a new folder, or add --overwrite to replace earlier frames.",
    )


def _written(rig: Rig, folder: Path, choice: Choice) -> Generator[Told, None, Made]:
    clock: dict[int, float] = {}  # seconds of each instant, by the first film
    written: dict[str, dict[int, Path]] = {}
    size = 0
    for name, path in rig.films.items():
        place = folder / "images" / name if len(rig.films) > 1 else folder / "images"
        place.mkdir(parents=True)
        found: dict[int, Path] = {}
        for instant, second, picture in _instants(path, rig.about[name], choice):
            _keep_time(clock, instant, second, not written, path.name, rig.about[name])
            data = _encoded(choice.sized(picture), choice.lossless)
            size += len(data)
            if sum(map(len, written.values())) + len(found) >= MAX_PICTURES:
                raise _too_much(f"more than {MAX_PICTURES} pictures")
            if size > MAX_BYTES:
                raise _too_much(f"more than {MAX_BYTES >> 30} GiB of pictures")
            found[instant] = place / f"{instant:05d}.{'png' if choice.lossless else 'jpg'}"
            found[instant].write_bytes(data)
            yield Told(name, len(found), _expected(rig.about[name], choice))
        if not found:
            raise _empty(path.name, choice)
        written[name] = found
    notes = _evened(written)
    posed = bool(rig.cameras)
    if posed:
        notes += _posed(rig, folder, choice, clock, written)
    else:
        every = [(p, i) for found in written.values() for i, p in found.items()]
        times.write({p.relative_to(folder).as_posix(): clock[i] for p, i in every}, folder)
    return Made(sum(map(len, written.values())), len(written), posed, tuple(notes))


def _instants(
    path: Path, about: video.Film, choice: Choice
) -> Iterator[tuple[int, float, NDArray[np.uint8]]]:
    """Number of the instant, its second and its picture."""
    if choice.fps is not None and 0 < about.fps < choice.fps * 0.999:
        raise _params(
            f"{path.name!r} has {about.fps:.4g} frames a second, fewer than {choice.fps:g}.", "Ask for less."
        )
    early = 0.5 / about.fps if about.fps else 0.0  # a frame is for the instants half a frame before and after
    first: list[int] = []
    due = 0

    def wanted(number: int, second: float) -> bool | None:
        if choice.end is not None and second >= choice.end - 1e-6:
            return None
        if second < choice.start - 1e-6:
            return False
        if choice.fps is not None:
            return second >= choice.start + due / choice.fps - early
        if not first:
            first.append(number)
        return (number - first[0]) % choice.every == 0

    for number, second, picture in video.chosen(path, wanted):
        if choice.fps is None:
            yield (number - first[0]) // choice.every, second, picture
            continue
        instant = max(due, math.floor((second + early - choice.start) * choice.fps + 1e-6))
        due = instant + 1
        yield instant, choice.start + instant / choice.fps, picture


def _keep_time(
    clock: dict[int, float], instant: int, second: float, first: bool, film: str, about: video.Film
) -> None:
    """Writes the time of an instant down; films that come later must agree to half a frame."""
    if first or instant not in clock:
        clock[instant] = round(second, 6)
    elif abs(second - clock[instant]) > (0.5 / about.fps if about.fps else 1e-3) + 1e-6:
        raise bad(
            f"Frame {instant} of {film!r} is shown after {second:.3f} s, in the first film after"
            f" {clock[instant]:.3f} s: the films do not run at one rate.",
            "Draw by time, with --fps.",
        )


def _evened(written: dict[str, dict[int, Path]]) -> list[str]:
    """Takes away what lies beyond the end of the shortest film, and says so."""
    ends = {name: max(found) for name, found in written.items()}
    last = min(ends.values())
    beyond = [(found, i) for found in written.values() for i in list(found) if i > last]
    for found, instant in beyond:
        found.pop(instant).unlink()
    if not beyond:
        return []
    shortest = min(ends, key=lambda name: ends[name])
    return [f"{shortest!r} is the shortest film; of the others, {len(beyond)} later pictures are left out."]


def _posed(
    rig: Rig, folder: Path, choice: Choice, clock: dict[int, float], written: dict[str, dict[int, Path]]
) -> list[str]:
    """Writes transforms.json."""
    assert rig.known is not None
    held = next(iter(written)) if len(written) >= HOLD_OUT_FROM else None
    frames = []
    for name, found in written.items():
        pose, lens = rig.cameras[name]
        lens, split = choice.lens(lens), "test" if name == held else "train"
        for instant, path in sorted(found.items()):
            label = path.relative_to(folder).as_posix()
            frames.append(Frame(label, path, pose, lens, time=clock[instant], split=split))
    known = rig.known
    made = DataSet(folder, "nerfstudio", tuple(frames), known.up, known.near, known.far, ndc=known.ndc)
    writing.write(made, folder)
    return [] if held is None else [f"The camera {held!r} is held out for testing."]


def _encoded(image: Image.Image, lossless: bool) -> bytes:
    file = io.BytesIO()
    if lossless:
        image.save(file, "PNG", compress_level=6)
    else:
        image.save(file, "JPEG", **_JPEG)
    return file.getvalue()


def _expected(about: video.Film, choice: Choice) -> int:
    """Pictures of a film, as far as its header says how long it is; 0 where it does not."""
    if not about.count or not about.fps:
        return 0
    length = about.count / about.fps
    seconds = max(0.0, min(length, choice.end or length) - choice.start)
    return math.ceil(seconds * (choice.fps or about.fps / choice.every) - 1e-6)


def _empty(film: str, choice: Choice) -> UserError:
    until = "" if choice.end is None else f" and before {choice.end:g} s"
    return bad(f"{film!r} has no frame from {choice.start:g} s on{until}.", "Start earlier, or end later.")


def _too_much(what: str) -> UserError:
    hint = "Draw fewer with --every or --fps, or smaller ones with --reduce or --size."
    return bad(f"The films make {what}.", hint)


def _params(sentence: str, hint: str) -> UserError:
    return UserError("params.bad", sentence, hint=hint)
