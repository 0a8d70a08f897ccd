"""The captures that fields learn from in the benchmarks, made when they are missing, in `build/benchmarks/`.

`lego` needs the real data of `frame.data_folder()`; the locomotive is a scene of our own that Blender renders
(`scenes/locomotive.py`, about six minutes on two cores for 125 pictures of 400 x 400 pixels).
"""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from maquette_server.datasets import base, opening, pictures
from maquette_server.media import png
from numpy.typing import NDArray

from benchmarks import frame

FOLDER = frame.ROOT / "build" / "benchmarks"
SCRIPT = frame.ROOT / "benchmarks" / "scenes" / "locomotive.py"
SIDE = 400  # pixels of what the smaller pictures are means of
SPLITS = ("train", "test")


def blender() -> Path:
    """The Python of the newest Blender that `make setup` has installed. Raises FileNotFoundError."""
    found = sorted((frame.ROOT / ".venv-blender").glob("*/bin/python"))
    found += sorted((frame.ROOT / ".venv-blender").glob("*/Scripts/python.exe"))
    if not found:
        raise FileNotFoundError("no Blender is in .venv-blender; make setup installs it")
    return found[-1]


def render(out: Path, **sizes: int) -> None:
    """Renders the locomotive; `sizes` are the options of its script. Raises RuntimeError with its output."""
    words = [word for name, value in sizes.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [str(blender()), str(SCRIPT), str(out), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"Blender ended with {done.returncode}: {(done.stdout + done.stderr)[-2000:]}")


def locomotive(side: int) -> Path:
    """The folder of the locomotive, 100 pictures to learn from and 25 held out, of so many pixels."""
    with made(f"locomotive-{SIDE}") as (whole, draft):
        if draft is not None:
            print("  Blender renders the locomotive: minutes, once", flush=True)
            render(draft, side=SIDE, threads=os.cpu_count() or 1)
    return whole if side == SIDE else smaller(whole, "locomotive", side)


def lego(side: int) -> Path:
    """The folder of lego, 100 pictures to learn from and 25 held out, of so many pixels."""
    source = frame.data_folder() / "lego"
    return source if side == SIDE else smaller(source, "lego", side)


def smaller(source: Path, name: str, side: int) -> Path:
    """A folder of Blender's form whose pictures are exact means, premultiplied, of those of another."""
    with made(f"{name}-{side}") as (folder, draft):
        if draft is not None:
            for split in SPLITS:
                file = f"transforms_{split}.json"
                shutil.copyfile(source / file, draft / file)
            for one in opening.read(source).of(*SPLITS):
                target = draft / one.name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(png.write(mean(pictures.load(one), SIDE // side)))
    return folder


def mean(picture: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """The means of factor x factor pixels of a picture u8 [H, W, 3 or 4], rounded once.

    Colours count by their opacity. Raises ValueError when the sides are no multiples of the factor.
    """
    height, width, channels = picture.shape
    if height % factor or width % factor:
        raise ValueError(f"{width} x {height} pixels cannot be divided by {factor}")
    values = picture.astype(np.float64)
    if channels == 4:
        values[..., :3] *= values[..., 3:] / 255
    found = values.reshape(height // factor, factor, width // factor, factor, channels).mean((1, 3))
    if channels == 4:
        found[..., :3] *= 255 / np.where(found[..., 3:] > 0, found[..., 3:], 1)
    result: NDArray[np.uint8] = (found + 0.5).clip(0, 255).astype(np.uint8)
    return result


def thinned(dataset: base.DataSet, every: int) -> base.DataSet:
    """The same data set with one of `every` pictures to learn from, and all that are held out."""
    kept = {one.name for one in dataset.of("train")[::every]}
    frames = tuple(one for one in dataset.frames if one.split != "train" or one.name in kept)
    return replace(dataset, frames=frames)


@contextlib.contextmanager
def made(name: str) -> Iterator[tuple[Path, Path | None]]:
    """A folder of that name, and a draft to be filled if it is not there; it takes its place at the end."""
    folder = FOLDER / name
    if folder.is_dir():
        yield folder, None
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=FOLDER) as draft:
        inside = Path(draft) / name
        inside.mkdir()
        yield folder, inside
        inside.rename(folder)
