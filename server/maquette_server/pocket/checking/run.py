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
from . import judges, parts, report, sharing, sheets
from .kit import Kit

WEIGHTS = Path(__file__).parents[1] / "weights"
SHEETS = "sheets"
PARTS = (*parts.NAMES, SHEETS)


def check(
    kit: Kit, out: Path, chosen: Sequence[str] = PARTS, every: int = 1, workers: int = 1
) -> Iterator[dict[str, Any]]:
    """Measures the chosen parts, or one case of n of them, and writes the report; yields after each piece.

    What is found does not depend on how many workers share the work.

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
    found: dict[str, dict[str, list[Any]]] = {name: {} for name in asked}
    for name, measured in sharing.measured(kit, asked, workers):
        found[name] |= measured
        yield {"part": name, "step": len(found[name]), "steps": len(asked[name])}
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


def differing(out: Path, reported: Path) -> tuple[list[str], int]:
    """The cases of a folder's check with other verdicts than in an earlier check.json, and how many it has.

    Raises Refused for a file that is no check, or of other weights or other noise.
    """
    now = json.loads((out / "check.json").read_text(encoding="utf-8"))
    before = _read(reported)
    for name, said in (
        ("weights", "other weights"),
        ("noise", "other noise"),
        ("settings", "other settings"),
    ):
        if before[name] != now[name]:
            raise Refused(f"'{reported}' is of {said}: its cases cannot be expected to come out the same.")
    other, count = [], 0
    for part, cases in now["parts"].items():
        known = before["parts"].get(part, {})
        for key in cases.keys() & known.keys():
            count += 1
            if _verdicts(cases[key]) != _verdicts(known[key]):
                other.append(f"{part}: {key}")
    return sorted(other), count


def _read(reported: Path) -> dict[str, Any]:
    try:
        read = json.loads(reported.read_text(encoding="utf-8"))
        if isinstance(read, dict) and {"weights", "noise", "settings", "parts"} <= read.keys():
            return read
    except (OSError, ValueError) as error:
        raise Refused(f"'{reported}' cannot be read: {error}") from error
    raise Refused(f"'{reported}' is no check.json.")


def _verdicts(case: Any) -> list[Any]:
    """What was found, in words: numbers differ in their last places from processor to processor."""
    return [each for each in case if isinstance(each, str)] if isinstance(case, list) else [case]


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
