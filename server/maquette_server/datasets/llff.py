"""Forward-facing captures of LLFF: `poses_bounds.npy` [N, 17] beside the folder `images`.

A row is a 3 x 5 matrix (camera-to-world with columns down, right, backwards, place; then height, width,
focal) and the nearest and farthest distance seen. Pictures belong to the rows in the order of their names.
"""

import re
import tokenize
from pathlib import Path

import numpy as np

from ..cameras import conventions
from ..cameras.lens import Lens
from . import scale
from .base import (
    MAX_JSON_BYTES,
    PICTURE_SUFFIXES,
    DataSet,
    Floats,
    Frame,
    bad,
    header,
    named,
    split_evenly,
    unreadable,
)

FILE = "poses_bounds.npy"
TEST_EVERY = 8  # the customary hold-out of this format: rows 0, 8, 16 ...
NEAR_FACTOR = 0.9  # of the nearest point seen, as in NeRF
# what NumPy raises for a damaged header, which it reads as Python
_DAMAGED = (ValueError, TypeError, SyntaxError, EOFError, OverflowError, RecursionError, tokenize.TokenError)


def read(folder: Path, factor: int | None = None) -> DataSet:
    """The data set of a folder with poses_bounds.npy.

    factor: 4 takes the pictures of `images_4`; None those of `images`, or of the largest that are there.
    Raises UserError `dataset.bad`, `dataset.not_found` or `dataset.picture`.
    """
    rows = rows_of(folder)
    place, files = _pictures(folder, factor)
    if len(files) != len(rows):
        raise bad(
            f"{FILE!r} has {len(rows)} cameras, but {place.name!r} holds {len(files)} pictures.",
            "Leave in the folder exactly the pictures that were solved.",
        )
    frames = [_frame(folder, row, file) for row, file in zip(rows, files, strict=True)]
    forward = scale.one_way(frames)
    near, far = range_of(rows)
    notes = (
        () if forward else ("The cameras do not all face one way, so no normalised coordinates are used.",)
    )
    return DataSet(
        folder,
        "llff",
        split_evenly(frames, TEST_EVERY, 0),
        scale.up_of(frames),
        near,
        far,
        ndc=forward,
        notes=notes,
    )


def rows_of(folder: Path) -> Floats:
    """The rows of a folder's poses_bounds.npy, [N, 17], finite. Raises as `read`."""
    path = folder / FILE
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise bad(f"{path.name!r} is larger than 64 MiB.")
        # mapped: a header that promises more than there is allocates nothing; objects (pickle) are refused
        rows = np.array(np.lib.format.open_memmap(path, mode="r"))
    except OSError as error:
        raise unreadable(path, error) from error
    except _DAMAGED as error:
        raise bad(f"{path.name!r} cannot be read as an array of numbers.") from error
    if rows.ndim != 2 or rows.shape[1] != 17 or rows.dtype.kind not in "fiu" or not len(rows):
        raise bad(f"{path.name!r} holds {rows.dtype} {list(rows.shape)} instead of N x 17 numbers.")
    if not (np.abs(rows) < conventions.LARGEST).all():
        raise bad(f"{path.name!r} holds numbers that are not finite.")
    return rows.astype(np.float64)


def range_of(rows: Floats) -> tuple[float, float]:
    """Near and far of all rows [N, 17] together."""
    bounds = rows[:, 15:]
    if not (bounds[:, 0] > 0).all() or not (bounds[:, 0] < bounds[:, 1]).all():
        raise bad(f"{FILE!r} has a row whose distances are no range.")
    return NEAR_FACTOR * float(bounds[:, 0].min()), float(bounds[:, 1].max())


def camera_of(row: Floats, name: str, size: tuple[int, int] | None) -> tuple[Floats, Lens]:
    """Pose [4, 4] and lens of a row.

    size: width and height of the picture as it is; the lens becomes that of its pixels where it shows the
    same, reduced or not. name: of the picture, for refusals.
    """
    matrix = row[:15].reshape(3, 5)
    height, width, focal = map(float, matrix[:, 4])
    if not (1 <= width < 1e6 and 1 <= height < 1e6):
        raise bad(f"{FILE!r} gives {name!r} a size of {width:g} x {height:g} pixels.")
    with named(FILE):
        lens = Lens(round(width), round(height), focal, focal, 0.5 * round(width), 0.5 * round(height))
        if size is not None and abs(size[0] * lens.height - size[1] * lens.width) <= lens.width + lens.height:
            lens = lens.resized(*size)  # reduced pictures: whole pixels, rounded either way
    return conventions.rigid(conventions.opengl_from_llff(matrix[:, :4]), repr(name)), lens


def _pictures(folder: Path, factor: int | None) -> tuple[Path, list[Path]]:
    if factor is None:
        reduced = [(int(m[1]), p) for p in folder.iterdir() if (m := re.fullmatch(r"images_(\d+)", p.name))]
        places = [folder / "images", *(path for _, path in sorted(reduced))]
    else:
        places = [folder / f"images_{factor}"] if factor > 1 else [folder / "images"]
    for place in places:
        if place.is_dir():
            files = sorted(p for p in place.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
            if files:
                return place, files
    raise bad(
        f"{folder.name!r} has no pictures in {places[0].name!r}.",
        "Put the pictures where the format has them.",
    )


def _frame(folder: Path, row: Floats, file: Path) -> Frame:
    name = file.relative_to(folder).as_posix()
    head = header(file)
    return Frame(name, file, *camera_of(row, name, None if head is None else head[:2]))
