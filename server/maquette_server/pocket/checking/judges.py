"""The judges themselves on true renders of the list's nouns, whose truth is known.

Colours and patterns are asked twice: where the thing truly is, and where it is found as in a generated
picture. Materials are asked on renders and on what the model's autoencoder makes of them.
"""

from collections.abc import Sequence

import numpy as np

from ...training import seeds
from ..drawing import looks, words
from . import colours, patterns, prompts, renders, things
from .figures import Cases, Confusion, Figure, confusion, rate
from .judge import CLASSES, NO_MATERIAL
from .kit import SEED, Kit

NAME = "judges"
COLOURS, COLOURS_FOUND = "colours", "colours where found"
MATERIALS, MATERIALS_DECODED = "materials", "materials decoded"
PATTERNS, PATTERNS_FOUND = "patterns", "patterns where found"
PATTERN_TRUTHS = (*words.PATTERNS, "plain", "blotches")
MEASURABLE = 0.95  # of true renders; below this the judge of materials says nothing
_COUNT = {COLOURS: 18, MATERIALS: 36, PATTERNS: 48}
_NONE_OF_THEM = {"plain": NO_MATERIAL, "pattern": NO_MATERIAL}
_NO_PATTERN = {"plain": patterns.NONE, "blotches": patterns.NONE}
_RIGHT_WORDS = {
    MATERIALS: _NONE_OF_THEM,
    MATERIALS_DECODED: _NONE_OF_THEM,
    PATTERNS: _NO_PATTERN,
    PATTERNS_FOUND: _NO_PATTERN,
}
_CLUTTER = 0.12  # share of pictures before an invented scene


def keys(kit: Kit) -> list[str]:
    """A judge and a truth each."""
    return [
        *(f"{COLOURS}/{name}" for name in words.COLOURS),
        *(f"{MATERIALS}/{name}" for name in CLASSES),
        *(f"{PATTERNS}/{name}" for name in PATTERN_TRUTHS),
    ]


def measure(kit: Kit, asked: Sequence[str]) -> dict[str, list[str]]:
    """What was found for each truth; two rows a truth."""
    found: dict[str, list[str]] = {}
    for key in asked:
        judge, truth = key.split("/")
        rng = seeds.generator(SEED, key)
        chosen = rng.permutation(len(kit.nouns))
        where = renders.settings(kit.nouns, chosen, _COUNT[judge], rng, _CLUTTER)
        if judge == COLOURS:
            drawn = renders.draw(kit.stage, where, [looks.plain(rng, truth) for _ in where])
            found[key] = _colours(drawn.pixels, drawn.where)
            middles = things.middles(things.find(drawn.pixels).pixels)
            found[f"{COLOURS_FOUND}/{truth}"] = _colours(drawn.pixels, middles)
        elif judge == MATERIALS:
            drawn = renders.draw(kit.stage, where, [renders.look(truth, rng) for _ in where])
            found[key] = kit.judge.materials(drawn.pictures)
            found[f"{MATERIALS_DECODED}/{truth}"] = kit.judge.materials(
                kit.painter.round_trip(drawn.pictures)
            )
        else:
            pairs = [tuple(prompts.listed()["pairs"][k % 4]) for k in range(len(where))]
            drawn = _patterned(kit, truth, where, pairs, rng)
            found[key] = patterns.verdicts(drawn.pixels, pairs, drawn.where)
            found[f"{PATTERNS_FOUND}/{truth}"] = patterns.verdicts(drawn.pixels, pairs)
    return found


def _colours(pixels: np.ndarray, where: np.ndarray) -> list[str]:
    return [colours.named(picture, place) for picture, place in zip(pixels, where, strict=True)]


def _patterned(
    kit: Kit,
    truth: str,
    where: list[renders.Setting],
    pairs: list[tuple[str, str]],
    rng: np.random.Generator,
) -> renders.Renders:
    if truth == "blotches":
        return renders.blotched(kit.stage, where, pairs, SEED)
    if truth == "plain":
        return renders.draw(kit.stage, where, [looks.plain(rng, first) for first, _ in pairs])
    return renders.draw(kit.stage, where, [looks.pattern(rng, truth, *pair) for pair in pairs])


def table(cases: Cases, judge: str) -> Confusion:
    """Of one judge, its truths by what it found."""
    pairs = [key.split("/") for key in cases]
    rows = [(truth, found) for name, truth in pairs if name == judge for found in cases[f"{name}/{truth}"]]
    return confusion(f"Judge: {judge}", rows, _RIGHT_WORDS.get(judge))


def measurable(cases: Cases) -> bool:
    """Whether the judge of materials is good enough to be asked."""
    right, of = table(cases, MATERIALS).right()
    return of > 0 and right / of >= MEASURABLE


def figures(cases: Cases) -> list[Figure]:
    """Rates of the judges; false alarms of the spectrum test."""
    rows = [
        rate("colour namer, thing known", table(cases, COLOURS)),
        rate("colour namer, thing found", table(cases, COLOURS_FOUND)),
        rate("judge of materials, renders", table(cases, MATERIALS)),
        rate("judge of materials, decoded renders", table(cases, MATERIALS_DECODED)),
    ]
    for judge, place in ((PATTERNS, "known"), (PATTERNS_FOUND, "found")):
        for pattern in words.PATTERNS:
            rows += _pattern_figures(table(cases, judge), pattern, place)
    return [row for row in rows if row.of]


def _pattern_figures(seen: Confusion, pattern: str, place: str) -> list[Figure]:
    """How often a pattern is found on things that have it, and on things that have not."""

    def found(truths: Sequence[str]) -> tuple[int, int]:
        rows = [seen.rows.get(truth, {}) for truth in truths]
        hits = sum(count for row in rows for name, count in row.items() if name.startswith(pattern))
        return hits, sum(sum(row.values()) for row in rows)

    hits, of = found([pattern])
    alarms, others = found([truth for truth in seen.rows if truth != pattern])
    on_blotches, blotches = found(["blotches"])
    return [
        Figure(
            f"{pattern}, thing {place}: found on true ones",
            hits / max(of, 1),
            of,
            note=f"both colours named rightly too: {seen.hits(pattern) / max(of, 1):.0%}",
        ),
        Figure(
            f"{pattern}, thing {place}: false alarms",
            alarms / max(others, 1),
            others,
            note=f"on blotches {on_blotches} of {blotches}",
        ),
    ]


def tables(cases: Cases) -> list[Confusion]:
    """One a judge."""
    every = (COLOURS, COLOURS_FOUND, MATERIALS, MATERIALS_DECODED, PATTERNS, PATTERNS_FOUND)
    return [table(cases, judge) for judge in every]
