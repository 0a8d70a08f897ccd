"""The check as Markdown, from its JSON alone."""

from collections.abc import Mapping
from typing import Any

from . import parts
from .figures import Confusion, Figure

_INTRODUCTION = """# Check of the pocket models

Written by `python -m maquette_server.pocket check`; from the weights it can be had again in minutes, and
`check.json` beside it holds what was found for every prompt. The prompts are fixed
(`pocket/checking/prompts.json`), with four seeds of noise each for text to image and one for an edit. Colours
are named in CIELAB, stripes and checks are found by their spectra, materials by a classifier that shares
nothing with the models but the code that drew the pictures.
"""
_SAMPLED = "\nOnly one case of {every}, drawn at random once and for all, was measured here.\n"
_OTHER_NOISE = "\nThe seeds of the noise are the list's and {noise} more.\n"


def markdown(check: Mapping[str, Any]) -> str:
    """The whole page."""
    cases = check["parts"]
    said = _INTRODUCTION
    said += _SAMPLED.format(**check) if check["every"] > 1 else ""
    said += _OTHER_NOISE.format(**check) if check["noise"] else ""
    text = [said, "## Figures\n", *_figures(parts.figures(cases))]
    own = parts.own_figures(cases)
    if own:
        text += ["\n## The judges themselves, on true renders, whose truth is known\n", *_figures(own)]
    text += ["\n## What was taken for what\n"]
    for table in parts.tables(cases):
        text += [f"**{table.title[0].upper()}{table.title[1:]}**\n", *_table(table), ""]
    settings = "; ".join(
        f"{name}: " + ", ".join(f"{key.replace('_', ' ')} {value:g}" for key, value in each.items())
        for name, each in check["settings"].items()
    )
    text += [f"Settings: {settings}.\n", "| weights | SHA-256 |\n| --- | --- |"]
    text += [f"| {name} | `{digest[:16]}` |" for name, digest in check["weights"].items()]
    return "\n".join(text) + "\n"


def shown(figure: Figure) -> str:
    """The value as it is printed."""
    if figure.value is None:
        return "not measurable"
    return f"{figure.value:+.2f} dB" if figure.unit == "dB" else f"{figure.value:.1%}"


def _figures(rows: list[Figure]) -> list[str]:
    bars = any(figure.bar is not None for figure in rows)
    lines = ["| | figure | of | bar | | |\n| --- | --- | --- | --- | --- | --- |"]
    if not bars:
        lines = ["| | figure | of | |\n| --- | --- | --- | --- |"]
    for figure in rows:
        met = {None: "", True: "met", False: "**not met**"}[figure.met]
        bar = (
            ""
            if figure.bar is None
            else f"≤ {figure.bar:g} dB"
            if figure.unit == "dB"
            else f"{figure.bar:.0%}"
        )
        middle = f" {bar} | {met} |" if bars else ""
        lines.append(f"| {figure.name} | {shown(figure)} | {figure.of} |{middle} {figure.note} |")
    return lines


def _table(table: Confusion) -> list[str]:
    lines = ["| asked or true | right | else |\n| --- | --- | --- |"]
    for truth, row in table.rows.items():
        right = table.right_word.get(truth, truth)
        others = sorted(((count, found) for found, count in row.items() if found != right), reverse=True)
        said = ", ".join(f"{found or 'nothing'} {count}" for count, found in others)
        lines.append(f"| {truth} | {table.hits(truth)} of {sum(row.values())} | {said} |")
    return lines
