"""How kernels for a CPU are compiled (numba), and where what was compiled is kept.

numba keeps compiled functions by the file in which they stand. Ours take parts of each other in whole
(`inlined`), so a change of one file would leave others as they were: the folder is named by what all files of
kernels say.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba
from numba import njit

_PACKAGE = Path(__file__).resolve().parents[1]
_OPTIONS = {"fastmath": {"contract", "reassoc", "arcp"}, "nogil": True, "parallel": True}


def digest(files: Iterable[Path]) -> str:
    """A name for what files say, each under its own name."""
    found = hashlib.sha256()
    for path in sorted(files):
        data = path.read_bytes()
        found.update(f"{path.name} {len(data)}\n".encode())
        found.update(data)
    return found.hexdigest()[:16]


def folder() -> Path | None:
    """Where compiled kernels lie: beside the code, or in the user's cache where that cannot be written."""
    name = "kernels-" + digest([Path(__file__), *_PACKAGE.rglob("*_kernels.py")])
    places = [_PACKAGE / "__pycache__", Path.home() / ".cache" / "maquette"]
    if numba.config.CACHE_DIR:  # NUMBA_CACHE_DIR of the environment
        places.insert(0, Path(numba.config.CACHE_DIR))
    for place in places:
        try:
            (place / name).mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(place / name, os.W_OK):
            if place.parent == _PACKAGE:  # other places may be shared with other versions
                _forget(place, name)
            return place / name
    return None


def _forget(place: Path, name: str) -> None:
    """Removes what was compiled from earlier files."""
    for other in place.glob("kernels-*"):
        if other.name != name:
            shutil.rmtree(other, ignore_errors=True)


_FOLDER = folder()


def kernel(function: Callable[..., Any]) -> Any:
    """Compiles a function whose `prange` loops run on all threads."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(_FOLDER or before)
    try:
        return njit(cache=_FOLDER is not None, **_OPTIONS)(function)
    finally:
        numba.config.CACHE_DIR = before


inlined = njit(inline="always")
