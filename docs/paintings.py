"""Paints meshes and measures what came out: `.venv/bin/python docs/paintings.py MESH ...`.

A ball and a cube are always painted, every MESH beside them too: each in the twelve colours, ball and cube
in stripes as well. A view of preview.png is right when more of the object's pixels are nearest to the colour
asked for (CIELAB) than to any other. Leaves OUT/paintings.json, OUT/paintings.md and the
sheets OUT/paintings.png, OUT/stripes.png; what is painted already is not painted again.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import trimesh
from maquette_server.metrics import colour_names
from numpy.typing import NDArray
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
BACKGROUND = (235, 235, 235)  # of preview.png
COLUMNS, VIEW = 4, 320  # of preview.png
THUMB = 96
SOLIDS = ("ball", "cube")
STRIPED = (
    "a red striped {}",
    "a blue and yellow striped {}",
    "a black and white striped {}",
    "a green {} with white stripes",
)
GOAL = 0.95  # of the views


def main() -> int:
    """0 when the share of right views reaches the goal, 1 when it does not."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("meshes", nargs="*", type=Path, metavar="MESH")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "paintings")
    parser.add_argument(
        "--front", action="append", default=[], metavar="NAME=AXIS", help="where a mesh looks"
    )
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--model", default="pocket")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="paintings at a time")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    fronts = dict(each.split("=", 1) for each in options.front)
    meshes = solids(options.out) + options.meshes
    with ThreadPoolExecutor(options.jobs) as pool:
        for made in [pool.submit(paint, *each, options) for each in wanted(meshes, fronts, options.out)]:
            made.result()
    models = {digest(path) for path in options.out.glob("*/*/report.json")}
    if len(models) > 1:
        sys.exit(f"{options.out} holds paintings of other weights too. Delete it, or give another --out.")
    rows = {mesh.stem: painted(mesh, options.out) for mesh in meshes}
    right = {name: float(np.mean([each["right"] for each in row])) for name, row in rows.items()}
    overall = float(np.mean([each["right"] for row in rows.values() for each in row]))
    facts = {
        "preset": options.preset,
        "model": models.pop(),
        "right": right,
        "overall": overall,
        "paintings": rows,
    }
    (options.out / "paintings.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    (options.out / "paintings.md").write_text(table(rows, overall), encoding="utf-8")
    sheet(options.out, list(rows), list(colour_names.NAMES), options.out / "paintings.png")
    stripes(options.out)
    sys.stdout.write(f"{overall:.1%} of the views have the colour that was asked for\n")
    return 0 if overall >= GOAL else 1


def solids(out: Path) -> list[Path]:
    """A ball and a cube as files."""
    made = (trimesh.creation.icosphere(4), trimesh.creation.box((1, 1, 1)))
    paths = []
    for name, mesh in zip(SOLIDS, made, strict=True):
        paths.append(out / f"{name}.ply")
        mesh.export(paths[-1])
    return paths


def wanted(meshes: list[Path], fronts: dict[str, str], out: Path) -> Iterator[tuple[Path, str, Path, str]]:
    """Mesh, prompt, folder and front of every painting."""
    for mesh in meshes:
        for colour in colour_names.NAMES:
            front = fronts.get(mesh.stem, "z")
            yield mesh, f"a {colour} {mesh.stem}", out / mesh.stem / colour, front
    for number, said in enumerate(STRIPED):
        for name in SOLIDS:
            yield out / f"{name}.ply", said.format(name), out / name / f"striped {number}", "z"


def painted(mesh: Path, out: Path) -> list[dict[str, object]]:
    """What each view of one mesh in twelve colours shows."""
    rows: list[dict[str, object]] = []
    for colour in colour_names.NAMES:
        shown = [named(view) for view in views(out / mesh.stem / colour)]
        right = float(np.mean([name == colour for name in shown]))
        rows.append({"colour": colour, "right": right, "views": shown})
    return rows


def paint(mesh: Path, prompt: str, folder: Path, front: str, options: argparse.Namespace) -> None:
    """`maquette paint`, unless its result is there."""
    if (folder / "preview.png").exists():
        return
    command = [sys.executable, "-m", "maquette_server.cli", "paint", str(mesh), "--prompt", prompt]
    command += ["--out", str(folder), "--preset", options.preset, "--front", front]
    command += ["--texture-size", "512", "--model", options.model]
    subprocess.run([*command, "--json"], check=True, stdout=subprocess.DEVNULL)
    sys.stderr.write(f"{mesh.stem}: {prompt}\n")


def digest(report: Path) -> str:
    """Of the weights that a painting was made with."""
    return str(json.loads(report.read_text(encoding="utf-8"))["model_digests"]["text_to_image"])


def views(folder: Path) -> list[NDArray[np.uint8]]:
    """The views of preview.png, [320, 320, 3] each."""
    preview = np.array(Image.open(folder / "preview.png").convert("RGB"))
    return [
        preview[top : top + VIEW, left : left + VIEW]
        for top in range(0, len(preview), VIEW)
        for left in range(0, COLUMNS * VIEW, VIEW)
    ]


def named(view: NDArray[np.uint8]) -> str:
    """The name that most of the object's pixels are nearest to."""
    pixels = view[(view != BACKGROUND).any(-1)] / 255
    found, count = np.unique(colour_names.nearest(pixels), return_counts=True)
    return str(found[count.argmax()])


def table(rows: dict[str, list[dict[str, object]]], overall: float) -> str:
    """Markdown: views right of each mesh and colour."""
    names = list(colour_names.NAMES)
    lines = ["| mesh | " + " | ".join(names) + " |", "| --- |" + " --- |" * len(names)]
    for mesh, row in rows.items():
        lines.append(f"| {mesh} | " + " | ".join(f"{each['right']:.0%}" for each in row) + " |")
    met = "met" if overall >= GOAL else "missed"
    lines += ["", f"All views: {overall:.1%} (goal {GOAL:.0%}: {met})."]
    return "\n".join(lines) + "\n"


def sheet(out: Path, meshes: list[str], names: list[str], path: Path) -> None:
    """The first view of each painting, meshes by rows."""
    board = Image.new("RGB", (THUMB * len(names), THUMB * len(meshes)), BACKGROUND)
    for row, mesh in enumerate(meshes):
        for column, name in enumerate(names):
            view = Image.fromarray(views(out / mesh / name)[0])
            board.paste(view.resize((THUMB, THUMB), Image.Resampling.LANCZOS), (column * THUMB, row * THUMB))
    board.save(path, optimize=True)


def stripes(out: Path) -> None:
    """Ball and cube in stripes, eight views of each under its prompt."""
    side = 2 * THUMB
    board = Image.new("RGB", (4 * side, 2 * len(STRIPED) * (side // 2 + 14)), "white")
    pen = ImageDraw.Draw(board)
    top = 0
    for number, said in enumerate(STRIPED):
        for name in SOLIDS:
            folder = out / name / f"striped {number}"
            pen.text((4, top + 1), said.format(name), fill="black")
            for column, view in enumerate(views(folder)):
                small = Image.fromarray(view).resize((THUMB, THUMB), Image.Resampling.LANCZOS)
                board.paste(small, (column * THUMB, top + 14))
            top += side // 2 + 14
    board.save(out / "stripes.png", optimize=True)


if __name__ == "__main__":
    sys.exit(main())
