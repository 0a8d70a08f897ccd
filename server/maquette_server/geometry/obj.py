"""Wavefront OBJ, read in whole arrays and written back with its own polygons.

Only `v`, `vt`, `f` and the colour of the first material used are read. Numbers of a kind are parsed together;
a file of half a million faces takes a few seconds.
"""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from .polygons import Polygons

MAX_LINES = 30_000_000
MAX_LOOPS = 16_000_000
_MAX_MATERIAL = 16 << 20
_LONGEST_NUMBER = 64


@dataclass(frozen=True)
class ObjFile:
    """What an OBJ file holds. `loop_uvs` is None when no loop, or not every loop, has one."""

    positions: NDArray[np.float64]  # [V, 3]
    polygons: Polygons
    loop_uvs: NDArray[np.float32] | None  # [L, 2], v up
    base_colour: tuple[float, float, float] | None
    notes: tuple[str, ...]


def read(data: bytes, folder: Path, name: str) -> ObjFile:
    """The contents of an OBJ file. folder: where material libraries are looked for, and nowhere else.

    Raises UserError `mesh.bad`, `mesh.empty` or `mesh.too_large` that names the line.
    """
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\t", b" ").replace(b"\\\n", b" ")
    if b"\0" in data[:4096]:
        raise _bad(name, "it holds binary data")
    if data.count(b"\n") > MAX_LINES:
        raise UserError("mesh.too_large", f"{name!r} has too many lines.", hint="Reduce the mesh first.")
    lines = _sorted_lines(data)
    positions = _floats(lines.v, 3, name, "vertex")
    texture = _floats(lines.vt, 2, name, "texture coordinate") if lines.vt else np.zeros((0, 2))
    if not lines.f:
        raise UserError("mesh.empty", f"{name!r} has no faces.", hint="Export the mesh with its faces.")
    counts, indices = _face_indices(lines.f, name)
    keep = counts >= 3
    notes = []
    if not keep.all():
        notes.append(f"{int((~keep).sum())} faces with fewer than three corners were left out.")
        indices = indices[np.repeat(keep, counts)]
    face_lines = np.asarray(lines.f_at, np.int64)[keep]
    counts = counts[keep]
    if len(counts) == 0:
        raise UserError("mesh.empty", f"{name!r} has no faces.", hint="Export the mesh with its faces.")
    starts = np.concatenate([[0], np.cumsum(counts)])
    vertices = _absolute(indices[:, 0], face_lines, counts, lines.v_at, len(positions), name, "vertex")
    loop_uvs = None
    given = indices[:, 1] != 0
    if given.all() and len(texture):
        corner = _absolute(
            indices[:, 1], face_lines, counts, lines.vt_at, len(texture), name, "texture coordinate"
        )
        loop_uvs = texture[corner].astype(np.float32)
    elif given.any():
        without = int((~np.logical_and.reduceat(given, starts[:-1])).sum())
        notes.append(f"{without} of {len(counts)} faces have no texture coordinates, so none are used.")
    polygons = Polygons(starts, vertices.astype(np.int32), b"\n".join(lines.v))
    return ObjFile(positions, polygons, loop_uvs, _base_colour(lines, folder), tuple(notes))


def write_polygons(
    path: Path,
    positions_of: Polygons,
    loop_uvs: NDArray[np.floating],
    texture: str,
    *,
    material: str = "maquette",
) -> None:
    """Writes `path` (.obj) and the .mtl beside it: the polygons and vertex lines as given, new UVs, a
    texture.

    positions_of: polygons that `read` gave.  loop_uvs: [L, 2], v up.  texture: file name beside the .obj.
    """
    if positions_of.vertex_lines is None:
        raise ValueError("only polygons that came from an OBJ have vertex lines")
    uvs, which = np.unique(np.asarray(loop_uvs, np.float32), axis=0, return_inverse=True)
    which = which.reshape(-1)
    library = path.with_suffix(".mtl").name
    pairs = list(
        map("%d/%d".__mod__, zip((positions_of.vertices + 1).tolist(), (which + 1).tolist(), strict=True))
    )
    bounds = positions_of.starts.tolist()
    faces = ["f " + " ".join(pairs[a:b]) for a, b in itertools.pairwise(bounds)]
    text = [f"vt {u:.9g} {v:.9g}" for u, v in uvs.tolist()]
    with path.open("wb") as file:
        file.write(f"mtllib {library}\n".encode())
        file.write(positions_of.vertex_lines + b"\n")
        file.write("\n".join([*text, f"usemtl {material}", *faces, ""]).encode())
    path.with_suffix(".mtl").write_text(
        f"newmtl {material}\nKa 1 1 1\nKd 1 1 1\nKs 0 0 0\nillum 1\nmap_Kd {texture}\n", encoding="utf-8"
    )


@dataclass
class _Lines:
    v: list[bytes]
    v_at: list[int]
    vt: list[bytes]
    vt_at: list[int]
    f: list[bytes]
    f_at: list[int]
    libraries: list[bytes]
    material: bytes


def _sorted_lines(data: bytes) -> _Lines:
    found = _Lines([], [], [], [], [], [], [], b"")
    for number, raw in enumerate(data.split(b"\n"), 1):
        line = raw.lstrip()
        start = line[:2]
        if start == b"v ":
            found.v.append(raw)
            found.v_at.append(number)
        elif start == b"f ":
            found.f.append(line[2:])
            found.f_at.append(number)
        elif start == b"vt" and line[2:3] == b" ":
            found.vt.append(line)
            found.vt_at.append(number)
        elif start == b"mt" and line.startswith(b"mtllib "):
            found.libraries.append(line[7:].strip())
        elif start == b"us" and not found.material and line.startswith(b"usemtl "):
            found.material = line[7:].strip()
    return found


def _floats(lines: list[bytes], width: int, name: str, what: str) -> NDArray[np.float64]:
    """The first `width` numbers after the keyword of each line, [N, width]."""
    if not lines:
        return np.zeros((0, width))
    tokens = b"\n".join(lines).split()
    per_line = len(lines[0].split())
    # The usual file: every line has as many words as the first. Keywords at every step prove it.
    uniform = len(tokens) == per_line * len(lines) and set(tokens[::per_line]) <= {b"v", b"vt"}
    if not uniform or per_line < width + 1:
        words = [line.split(b"#")[0].split() for line in lines]
        if what == "texture coordinate":
            words = [[*word, b"0"] if len(word) == 2 else word for word in words]
        for number, word in enumerate(words, 1):
            if len(word) < width + 1:
                raise _bad(name, f"{what} {number} has too few numbers")
        tokens = [token for word in words for token in word[: width + 1]]
        per_line = width + 1
    try:
        return np.stack([numbers(tokens[column::per_line], np.float64) for column in range(1, width + 1)], 1)
    except ValueError as error:
        raise _bad(name, f"a {what} is not a number") from error


def numbers(words: list[bytes], dtype: type[np.generic]) -> NDArray[Any]:
    """Words as numbers. Raises ValueError for words that are none, or too long to be one."""
    # Fixed-width text: one endless word would make every row that wide.
    if words and max(map(len, words)) > _LONGEST_NUMBER:
        raise ValueError("a word is too long to be a number")
    return np.array(words, dtype=bytes).astype(dtype)


def _face_indices(lines: list[bytes], name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Corners of each face [P], and vertex and texture index [L, 2] of each corner as written (0 = not
    given).
    """
    if any(b"#" in line for line in lines):
        lines = [line.split(b"#")[0] for line in lines]
    corners = [line.split() for line in lines]
    counts = np.fromiter(map(len, corners), np.int64, len(corners))
    tokens = [token for face in corners for token in face]
    if len(tokens) > MAX_LOOPS:
        raise UserError(
            "mesh.too_large", f"{name!r} has too many face corners.", hint="Reduce the mesh first."
        )
    if not tokens:
        return counts, np.zeros((0, 2), np.int64)
    slashes = tokens[0].count(b"/")
    joined = b" ".join(tokens)
    try:
        if b"//" not in joined and joined.count(b"/") == slashes * len(tokens):
            # Every corner is written alike, provided that each has as many slashes as the first.
            words = joined.replace(b"/", b" ").split()
            if len(words) == (slashes + 1) * len(tokens) and {t.count(b"/") for t in tokens} == {slashes}:
                table = numbers(words, np.int64).reshape(-1, slashes + 1)
                second = table[:, 1] if slashes else np.zeros(len(table), np.int64)
                return counts, np.stack([table[:, 0], second], 1)
        split = [(*token.split(b"/"), b"")[:2] for token in tokens]
        first = numbers([pair[0] for pair in split], np.int64)
        second = numbers([pair[1] or b"0" for pair in split], np.int64)
    except (ValueError, OverflowError) as error:
        raise _bad(name, "a face names something that is not a number") from error
    return counts, np.stack([first, second], 1)


def _absolute(
    index: NDArray[np.int64],
    face_lines: NDArray[np.int64],
    counts: NDArray[np.int64],
    lines_of: list[int],
    total: int,
    name: str,
    what: str,
) -> NDArray[np.int64]:
    """Indices from 0; negative ones count back from the last element before the face's line."""
    negative = index < 0
    if negative.any():
        before = np.searchsorted(np.asarray(lines_of, np.int64), face_lines)
        index = np.where(negative, np.repeat(before, counts) + index + 1, index)
    wrong = (index < 1) | (index > total)
    if wrong.any():
        line = int(np.repeat(face_lines, counts)[int(np.argmax(wrong))])
        raise _bad(name, f"the face in line {line} names a {what} that does not exist")
    return index - 1


def _base_colour(lines: _Lines, folder: Path) -> tuple[float, float, float] | None:
    """Kd of the first material used, clipped to 0..1; None when it cannot be found in the file's own
    folder.
    """
    for raw in lines.libraries[:8]:
        path = folder / Path(raw.decode("utf-8", "replace")).name
        if not path.is_file() or path.stat().st_size > _MAX_MATERIAL:
            continue
        current = b""
        for line in path.read_bytes().splitlines():
            words = line.split()
            if words[:1] == [b"newmtl"]:
                current = b" ".join(words[1:])
            elif words[:1] == [b"Kd"] and len(words) >= 4 and current == lines.material:
                try:
                    colour = numbers(words[1:4], np.float64)
                except ValueError:
                    return None
                red, green, blue = np.clip(np.nan_to_num(colour), 0.0, 1.0).tolist()
                return (red, green, blue)
    return None


def _bad(name: str, why: str) -> UserError:
    return UserError(
        "mesh.bad",
        f"{name!r} cannot be read as an OBJ file: {why}.",
        hint="Export the mesh again, or use another format.",
    )
