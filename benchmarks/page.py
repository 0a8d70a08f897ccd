"""The page of all recorded figures: a table a benchmark, and its plots."""

import importlib
import json
import re
from pathlib import Path
from typing import Any

from benchmarks import frame, plots

PAGE = frame.ROOT / "docs" / "benchmarks.md"

HEAD = """# Figures

Written by `make bench` from `benchmarks/results/`; `python -m benchmarks --redraw` writes it again without
measuring.
How the figures are taken stands at the top of `benchmarks/frame.py`.
Ratios are medians over pairs of runs taken turn about, unless their row says otherwise; quartiles in
brackets, and as bands in the plots.
A floor, dashed, is the least that the work needs, done plainly, one thing after the other: what does two of
them at once may stay below it, and so may noise. Each benchmark's module says what its floor is.
"""


def write(results: Path = frame.RESULTS, page: Path = PAGE) -> None:
    """Writes the page, and beside it a folder of its name with the plots; stale ones are removed.

    Raises ModuleNotFoundError, before anything is written, without matplotlib.
    """
    importlib.import_module("matplotlib")
    records = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(results.glob("*.json"))]
    folder = page.with_suffix("")
    drawn: set[Path] = set()
    parts = [HEAD]
    for record in records:
        parts += [f"## {record['title']}\n", _circumstances(record) + "\n"]
        if record["figures"]:
            rows = [_row(frame.Figure(**figure)) for figure in record["figures"]]
            parts.append(
                "\n".join(["| what | measured | goal | met |", "| --- | --- | --- | --- |", *rows]) + "\n"
            )
        for series in map(read_series, record.get("series", [])):
            picture = folder / f"{record['name']}-{slug(series.name)}.png"
            plots.draw(series, picture)
            drawn.add(picture)
            parts.append(f"![{series.name}]({folder.name}/{picture.name})\n")
    for stale in set(folder.glob("*.png")) - drawn:
        stale.unlink()
    page.write_text("\n".join(parts), encoding="utf-8")


def read_series(record: dict[str, Any]) -> frame.Series:
    """A series as it was recorded."""
    lines = tuple(
        frame.Line(line["name"], tuple(frame.Point(**point) for point in line["points"]), line["floor"])
        for line in record["lines"]
    )
    return frame.Series(record["name"], record["x"], record["y"], record["unit"], lines)


def slug(name: str) -> str:
    """The name as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def _circumstances(record: dict[str, Any]) -> str:
    where, load = record["machine"], record["load"]
    device = f", {where['device']}" if "device" in where else ""
    text = (
        f"{record['date']}; {where['cores']} cores ({where['processor']}), {where['memory_gib']} GiB, "
        f"{where['system']}{device}, Python {where['python']}, torch {where['torch']}; "
        f"load {load['load_before']} before and {load['load_after']} after, "
        f"others used {load['foreign_during']:.0%} of the machine."
    )
    return text + (" **Taken on a busy machine: not to be relied on.**" if load["busy"] else "")


def _row(figure: frame.Figure) -> str:
    spread = "" if figure.low is None or figure.samples < 2 else f" [{figure.low:.3g}, {figure.high:.3g}]"
    bound = ">=" if figure.least else "<="
    goal = "" if figure.goal is None else f"{bound} {figure.goal:g} {figure.unit}"
    met = {None: "", True: "yes", False: "**no**"}[figure.met]
    note = f" ({figure.note})" if figure.note else ""
    return f"| {figure.name}{note} | {figure.value:.3g} {figure.unit}{spread} | {goal} | {met} |"
