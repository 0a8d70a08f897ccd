"""Runs the check and writes check.json, check.md, samples.png and edits.png.

check.json holds what was found for every case; figures, tables and Markdown follow from it alone. So a few of
its cases, measured anew, show whether the report still belongs to the weights.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...training import seeds
from ..learning import files
from ..refusals import Refused
from . import judges, parts, report, sheets
from .kit import Kit

WEIGHTS = Path(__file__).parents[1] / "weights"
SHEETS = "sheets"
PARTS = (*parts.NAMES, SHEETS)
_CHUNK = 8  # prompts at once, four pictures each


def check(kit: Kit, out: Path, chosen: Sequence[str] = PARTS, every: int = 1) -> Iterator[dict[str, Any]]:
    """Measures the chosen parts, or one case of n of them, and writes the report; yields after each piece.

    The judges are measured whole even so: the verdicts rest on them. The last piece says whether all bars
    were met; None when no chosen part has a bar. Raises Refused for a part that there is not.
    """
    unknown = set(chosen) - set(PARTS)
    if unknown:
        raise Refused(f"There is no part '{sorted(unknown)[0]}'. Parts are {', '.join(PARTS)}.")
    if every < 1:
        raise Refused("Every how many cases must be 1 or more.")
    wanted = {*chosen, judges.NAME} if {*chosen} & {*parts.JUDGED} else {*chosen}
    asked = {
        name: sample(parts.keys(name, kit), 1 if name == judges.NAME else every)
        for name in parts.NAMES
        if name in wanted
    }
    if not any(asked.values()) and SHEETS not in wanted:
        raise Refused("There is nothing to measure: the part photographs needs --photographs DIR.")
    found: dict[str, dict[str, list[Any]]] = {}
    for name, cases in asked.items():
        found[name] = {}
        for first in range(0, len(cases), _CHUNK):
            found[name] |= parts.measure(name, kit, cases[first : first + _CHUNK])
            yield {"part": name, "step": min(first + _CHUNK, len(cases)), "steps": len(cases)}
    out.mkdir(parents=True, exist_ok=True)
    written = assembled(kit, found, every)
    (out / "check.json").write_text(_lines(written), encoding="utf-8")
    (out / "check.md").write_text(report.markdown(written), encoding="utf-8")
    if SHEETS in wanted:
        sheets.write(kit, out)
        yield {"part": SHEETS, "step": 1, "steps": 1}
    barred = [figure for figure in parts.figures(found) if figure.met is not None]
    missed = [figure for figure in barred if not figure.met]
    yield {
        "met": not missed if barred else None,
        "missed": {figure.name: report.shown(figure) for figure in missed},
        "figures": {figure.name: report.shown(figure) for figure in parts.figures(found)},
        "written": str(out / "check.md"),
    }


def sample(cases: Sequence[str], every: int) -> list[str]:
    """One of `every` cases, drawn at random but always the same ones, in their order."""
    if every == 1:
        return list(cases)
    drawn = seeds.generator(0, "sample of cases").permutation(len(cases))
    return [cases[k] for k in sorted(drawn[: -(-len(cases) // every)])]


def assembled(kit: Kit, found: Mapping[str, Mapping[str, list[Any]]], every: int) -> dict[str, Any]:
    """What check.json holds."""
    figures = [*parts.figures(found), *parts.own_figures(found)]
    return {
        "every": every,
        "noise": kit.noise,
        "weights": digests(kit),
        "settings": {"sampling": kit.painter.settings, "editing": kit.editing.settings},
        "figures": [asdict(figure) | {"met": figure.met} for figure in figures],
        "parts": found,
    }


def digests(kit: Kit) -> dict[str, str]:
    """SHA-256 of every weights file, by folder and place in it."""
    folders = {"model": kit.model, "editor": kit.editor, "judge": kit.judge_folder}
    return {
        f"{name}/{place}": digest
        for name, folder in folders.items()
        for place, digest in files.digests(folder).items()
    }


def shipped(
    model: Path | None = None,
    editor: Path | None = None,
    judge: Path | None = None,
    photographs: Path | None = None,
    noise: int = 0,
) -> Kit:
    """The shipped weights for what is not named."""
    return Kit(
        model or WEIGHTS / "pocket-t2i",
        editor or WEIGHTS / "pocket-edit",
        judge or WEIGHTS / "judge",
        photographs,
        noise,
    )


def _lines(value: dict[str, Any]) -> str:
    """JSON with one case a line, so that changes can be read."""
    text = []
    for name, each in value.items():
        if name == "parts":
            inner = []
            for part, cases in each.items():
                rows = ",\n".join(f"   {json.dumps(key)}: {json.dumps(row)}" for key, row in cases.items())
                inner.append(f"  {json.dumps(part)}: {{\n{rows}\n  }}")
            text.append(' "parts": {\n' + ",\n".join(inner) + "\n }")
        elif isinstance(each, list):
            rows = ",\n".join(f"  {json.dumps(row)}" for row in each)
            text.append(f" {json.dumps(name)}: [\n{rows}\n ]")
        else:
            text.append(f" {json.dumps(name)}: {json.dumps(each, indent=1)}")
    return "{\n" + ",\n".join(text) + "\n}\n"
