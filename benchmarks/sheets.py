"""Makes the pictures of `docs/scenes/`: `.venv/bin/python -m benchmarks.sheets [NAME ...] [--seconds 300]`.

Each scene is learnt, evaluated and rendered by the `maquette` command. NAME.png is the sheet of three
held-out pictures (truth, render, error) that `maquette evaluate` writes, NAME-turntable.png what `maquette
render` shows from all round. The locomotive is rendered by Blender first (`scenes/locomotive.py`); the
hand-held sequence is looked for in the folder of real data, and its licence stands in NAME.LICENSE.txt.
"""

import argparse
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from benchmarks import captures, frame

HERE = frame.ROOT / "docs" / "scenes"
WORK = frame.ROOT / "build" / "scenes"
LARGEST = 300_000  # bytes of a picture
COLOURS = 128
ROWS = 3
FRAMES, COLUMNS = 6, 3  # of a turntable, and how many in a row


@dataclass(frozen=True)
class Shown:
    """A scene that may be shown."""

    name: str
    reduce: int  # of its pictures' sides
    turntable: bool
    licence: Path | None = None

    @property
    def folder(self) -> Path:
        """Its pictures; those of the locomotive are made when they are missing."""
        return captures.locomotive(200) if self.name == "locomotive" else frame.data_folder() / self.name


SCENES = {
    one.name: one
    for one in (
        Shown("locomotive", 1, turntable=True),
        Shown(
            "dynamic_monocular",
            2,
            turntable=False,
            licence=frame.data_folder() / "LICENSES" / "dynamic_monocular_MIT.txt",
        ),
    )
}


def main(words: Sequence[str] | None = None) -> int:
    """Makes what was asked for; prints the PSNR of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENES)}; else all")
    parser.add_argument("--seconds", type=float, default=300.0, help="of learning, each")
    parser.add_argument("--steps", type=int, help="of learning, each, instead")
    parser.add_argument("--kept", action="store_true", help="take the scenes as they were learnt before")
    options = parser.parse_args(words)
    if unknown := set(options.names) - set(SCENES):
        parser.error(f"there is no scene {', '.join(sorted(unknown))}")
    budget = ["--steps", options.steps] if options.steps else ["--seconds", options.seconds]
    for name in options.names or SCENES:
        if not options.kept:
            learn(SCENES[name], budget)
        draw(SCENES[name])
    return 0


def learn(shown: Shown, budget: Sequence[object]) -> None:
    """Learns a scene anew."""
    WORK.mkdir(parents=True, exist_ok=True)
    scene = WORK / shown.name
    shutil.rmtree(scene, ignore_errors=True)
    maquette("reconstruct", shown.folder, "--out", scene, "--reduce", shown.reduce, *budget)


def draw(shown: Shown) -> None:
    """Writes the pictures of a scene that was learnt."""
    HERE.mkdir(exist_ok=True)
    scene, report = WORK / shown.name, WORK / f"{shown.name}.json"
    maquette("evaluate", scene, "--out", report, "--most", ROWS)
    found = json.loads(report.read_text(encoding="utf-8"))
    print(f"{shown.name}: {found['psnr']:.2f} dB over the {ROWS} pictures of the sheet")
    save(Image.open(WORK / f"{report.name}.sheet.png"), HERE / f"{shown.name}.png")
    if shown.turntable:
        frames = WORK / f"{shown.name}-turntable"
        shutil.rmtree(frames, ignore_errors=True)
        maquette("render", scene, "--cameras", f"turntable:{FRAMES}", "--out", frames)
        pictures = [Image.open(path).convert("RGB") for path in sorted(frames.glob("0*.png"))]
        save(tiled(pictures), HERE / f"{shown.name}-turntable.png")
    if shown.licence is not None:
        text = shown.licence.read_text(encoding="utf-8")
        (HERE / f"{shown.name}.LICENSE.txt").write_text(text.rstrip() + "\n", encoding="utf-8")


def maquette(*words: object) -> None:
    """Runs the command line; what it says is shown."""
    print("maquette", *words, flush=True)
    subprocess.run([sys.executable, "-m", "maquette_server.cli", *map(str, words)], check=True)


def tiled(pictures: Sequence[Image.Image]) -> Image.Image:
    """Pictures of one size, row by row."""
    width, height = pictures[0].size
    rows = -(-len(pictures) // COLUMNS)
    page = Image.new("RGB", (COLUMNS * width, rows * height), "white")
    for number, picture in enumerate(pictures):
        page.paste(picture, (number % COLUMNS * width, number // COLUMNS * height))
    return page


def save(picture: Image.Image, path: Path) -> None:
    """Writes a PNG of few colours. Raises ValueError when it is too large all the same."""
    held = io.BytesIO()
    picture.convert("RGB").quantize(COLOURS).save(held, "PNG", optimize=True)
    if held.tell() > LARGEST:
        raise ValueError(f"{path.name} would take {held.tell()} bytes")
    path.write_bytes(held.getvalue())


if __name__ == "__main__":
    sys.exit(main())
