"""Text to image: colours, materials and patterns of what the prompts of the fixed list gave."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from . import colours, judges, patterns, prompts, things
from .figures import Cases, Confusion, Figure, confusion, rate
from .kit import Kit
from .prompts import Prompt

COLOURS, MATERIALS, PATTERNS = "colours", "materials", "patterns"
NOT_THERE = ", all over"  # after a colour: no thing stands out from the border, or it fills the frame
BARS = {COLOURS: 0.98, MATERIALS: 0.75, "stripes": 0.70, "checks": 0.70}
NOT_MEASURABLE = "not measurable: the judge is below 95 % on true renders"
_ASKED: dict[str, Callable[[], list[Prompt]]] = {
    COLOURS: prompts.colours,
    MATERIALS: prompts.materials,
    PATTERNS: prompts.patterns,
}


def keys(part: str) -> list[str]:
    """The prompts of a part."""
    return [prompt.text for prompt in _ASKED[part]()]


def measure(part: str, kit: Kit, asked: Sequence[str]) -> dict[str, list[str]]:
    """What each prompt gave, in the order of the seeds."""
    seeds = [seed + kit.noise for seed in prompts.seeds()]
    pictures = kit.painter.paint([text for text in asked for _ in seeds], [*seeds] * len(asked))
    known = {prompt.text: prompt for prompt in _ASKED[part]()}
    found = _found(part, kit, pictures, [known[text] for text in asked for _ in seeds])
    return {text: found[k * len(seeds) : (k + 1) * len(seeds)] for k, text in enumerate(asked)}


def _found(part: str, kit: Kit, pictures: Tensor, asked: list[Prompt]) -> list[str]:
    if part == MATERIALS:
        return kit.judge.materials(pictures)
    pixels: NDArray[np.float32] = pictures.permute(0, 2, 3, 1).numpy()
    if part == PATTERNS:
        return patterns.verdicts(pixels, [prompt.pair for prompt in asked])
    seen = things.find(pixels)
    rows = zip(pixels, things.middles(seen.pixels), seen.there, strict=True)
    return [colours.named(picture, where) + ("" if there else NOT_THERE) for picture, where, there in rows]


def table(part: str, cases: Cases, unseen: bool | None = None) -> Confusion:
    """Targets by what was found; of nouns that the training lacks or has, or of all."""
    known = {prompt.text: prompt for prompt in _ASKED[part]()}
    rows = [
        (known[text].target, found.removesuffix(NOT_THERE))
        for text, row in cases.items()
        for found in row
        if unseen is None or (known[text].noun in prompts.unseen()) == unseen
    ]
    return confusion(part, rows)


def figures(part: str, cases: Cases, judging: Cases) -> list[Figure]:
    """Shares that came out as asked, with their bars. `judging`: the cases of the judges."""
    if part == PATTERNS:
        rows = table(part, cases).rows
        made = []
        for pattern, row in rows.items():
            of = sum(row.values())
            loose = sum(count for found, count in row.items() if found.startswith(pattern)) / of
            note = f"the pattern in whatever colours: {loose:.0%}"
            made.append(Figure(pattern, row.get(pattern, 0) / of, of, BARS.get(pattern), note=note))
        return made
    whole = rate(part, table(part, cases), BARS[part])
    if part == MATERIALS and not judges.measurable(judging):
        right, of = table(part, cases).right()
        said = f"{NOT_MEASURABLE} (it says {right / max(of, 1):.0%})"
        return [Figure(part, None, of, BARS[part], note=said)]
    if part == COLOURS:
        bare = sum(found.endswith(NOT_THERE) for row in cases.values() for found in row)
        whole = replace(
            whole, note=f"of the thing's middle; in {bare} it fills the frame or does not stand out"
        )
    unseen = rate(f"{part} of nouns never seen", table(part, cases, unseen=True))
    return [whole, unseen] if unseen.of else [whole]
