"""The editor on true renders: whether the instruction was followed, and whether the rest was kept.

A case is [found, error, error of the round trip]: mean squared errors of the part that the instruction does
not mention, against the input; for a background a fourth value, that error of the round trip of what a true
edit looks like; or for a grade [verdict, what is left, what was asked] in CIELAB (`grading`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ...metrics import colour_names
from ...training import seeds
from ..drawing import grades, looks, words
from ..drawing.looks import Look
from ..drawing.pictures import Stage
from . import colours, grading, judges, patterns, prompts, renders
from .figures import Cases, Confusion, Figure, confusion, rate
from .judge_training import alone
from .kit import SEED, Kit
from .painted import NOT_MEASURABLE
from .prompts import Instruction, Scene
from .renders import Renders

NAME = "edits"
SEED_OF_NOISE = 11
BARS = {"colour": 0.90, "material": 0.70, "grade": 0.90}
MOST_LOST = 1.0  # dB
_MARGIN = 2  # pixels about the outline that belong to neither side
_KINDS = ("colour", "material", "pattern", "grade", "background")


@dataclass(frozen=True)
class Case:
    """One instruction for one scene."""

    scene: Scene
    instruction: Instruction

    @property
    def key(self) -> str:
        """As it stands in the report's file."""
        return f"{self.scene.name}: {self.instruction.text}"


def asked() -> list[Case]:
    """Every instruction for every scene that is not so already."""
    return [
        Case(scene, instruction)
        for instruction in prompts.instructions()
        for scene in prompts.scenes()
        if instruction.target != scene.look or instruction.kind == "background"
    ]


def keys() -> list[str]:
    """Scene and instruction each."""
    return [case.key for case in asked()]


def inputs(kit: Kit) -> Renders:
    """The scenes' pictures, in their order."""
    stage = Stage(kit.scenes)
    rng = seeds.generator(SEED, "check scenes")
    where = renders.settings(kit.scenes, np.arange(len(kit.scenes)), len(kit.scenes), rng, clutter=0.0)
    where = [
        replace(each, clutter=scene.clutter) for each, scene in zip(where, prompts.scenes(), strict=True)
    ]
    drawn = renders.draw(stage, where, [_look(scene, rng) for scene in prompts.scenes()])
    return replace(drawn, pictures=(drawn.pictures * 255).round() / 255)


def _look(scene: Scene, rng: np.random.Generator) -> Look:
    if scene.look in words.MATERIALS:
        return looks.material(rng, scene.look)
    return looks.plain(rng, scene.look)


def measure(kit: Kit, chosen: Sequence[str]) -> dict[str, list[Any]]:
    """What the editor made of each case."""
    known = {case.key: case for case in asked()}
    cases = [known[key] for key in chosen]
    drawn = inputs(kit)
    names = [scene.name for scene in prompts.scenes()]
    rows = torch.tensor([names.index(case.scene.name) for case in cases])
    before = drawn.pictures[rows]
    after = kit.editing.edit(before, [case.instruction.text for case in cases], SEED_OF_NOISE + kit.noise)
    round_trips = kit.editing.round_trip(drawn.pictures)[rows]
    found: dict[str, list[Any]] = {}
    for k, (case, row) in enumerate(zip(cases, rows.tolist(), strict=True)):
        one = slice(k, k + 1)
        if case.instruction.kind == "grade":
            wanted = grades.graded(before[one], case.instruction.target)
            found[case.key] = list(grading.verdicts(before[one], after[one], wanted)[0])
            continue
        kept = rest(drawn.coverage[row].numpy(), inside=case.instruction.kind == "background")
        errors = (squared_error(each[k], before[k], kept) for each in (after, round_trips))
        found[case.key] = [
            _verdict(kit, case, after[k], drawn.coverage[row]),
            *(round(error, 7) for error in errors),
        ]
        if case.instruction.kind == "background":
            true = kit.editing.round_trip(_before_colour(drawn, row, case.instruction.target)[None])[0]
            found[case.key].append(round(squared_error(true, before[k], kept), 7))
    return found


def _before_colour(drawn: Renders, row: int, name: str) -> Tensor:
    """One of the things before a named colour, [3, S, S]."""
    colour = torch.tensor(colour_names.NAMES[name])[:, None, None]
    return drawn.things[row] + (1 - drawn.coverage[row]) * colour


def _verdict(kit: Kit, case: Case, after: Tensor, coverage: Tensor) -> str:
    pixels = after.permute(1, 2, 0).numpy()
    where = coverage.numpy() > 0.5
    kind = case.instruction.kind
    if kind == "material":
        return kit.judge.materials(alone(after[None], coverage[None]))[0]
    if kind == "pattern":
        base = case.scene.look if case.scene.look in words.COLOURS else "gray"
        return patterns.verdicts(pixels[None], [(base, looks.companion(base))], where[None])[0]
    if kind == "background":
        return colours.named(pixels, rest(coverage.numpy(), inside=False), light=1.0)
    return colours.named(pixels, where)


def rest(coverage: NDArray[np.floating], inside: bool) -> NDArray[np.bool_]:
    """The thing, or all but the thing, each two pixels away from the outline, [S, S]."""
    side = coverage > 0.98 if inside else coverage < 0.02
    away = ndimage.binary_erosion(side, np.ones((3, 3)), iterations=_MARGIN, border_value=1)
    return away if away.any() else side


def squared_error(first: Tensor, second: Tensor, where: NDArray[np.bool_]) -> float:
    """Mean over pixels and channels of pictures [3, S, S] where a mask [S, S] is true."""
    return float((first - second).square()[:, torch.from_numpy(where)].mean())


def psnr(error: float) -> float:
    """Decibels, of a mean squared error of values in 0..1; 100 at most."""
    return -10 * math.log10(max(error, 1e-10))


def lost(rows: Sequence[Sequence[Any]]) -> float:
    """Decibels by which edits are worse than the round trip, of the errors' mean over all edits."""
    return psnr(float(np.mean([row[2] for row in rows]))) - psnr(float(np.mean([row[1] for row in rows])))


def rows_of(cases: Cases, kind: str) -> list[tuple[Case, list[Any]]]:
    """Cases of one kind of instruction with what was found."""
    known = {case.key: case for case in asked()}
    return [(known[key], row) for key, row in cases.items() if known[key].instruction.kind == kind]


def table(cases: Cases, kind: str) -> Confusion:
    """Targets by what was found; grades by whether they were done, without those that asked for nothing."""
    rows = [(case.instruction.target, str(row[0])) for case, row in rows_of(cases, kind)]
    if kind == "grade":
        rows = [(target, target if found == grading.DONE else found) for target, found in rows]
        rows = [(target, found) for target, found in rows if found != grading.IDLE]
    return confusion(f"edits: {kind}", rows)


def figures(cases: Cases, judging: Cases) -> list[Figure]:
    """Obedience by kind, then what the rest lost. `judging`: the cases of the judges."""
    made = []
    for kind in _KINDS:
        figure = rate(f"edits: {kind}", table(cases, kind), BARS.get(kind))
        if not figure.of:
            continue
        if kind == "material" and not judges.measurable(judging):
            said = f"{NOT_MEASURABLE} (it says {figure.value or 0:.0%})"
            figure = replace(figure, value=None, note=said)
        made.append(figure)
    kinds = [kind for kind in _KINDS if kind != "grade"]
    made.append(_loss("edits: all but grades, loss of the rest", cases, kinds))
    made += [_loss(f"edits: {kind}, loss of the rest", cases, [kind]) for kind in kinds]
    return [figure for figure in made if figure.of]


def _loss(name: str, cases: Cases, kinds: Sequence[str]) -> Figure:
    rows = [row for kind in kinds for _, row in rows_of(cases, kind)]
    if not rows:
        return Figure(name, None, 0)
    within = sum(psnr(row[2]) - psnr(row[1]) <= MOST_LOST for row in rows)
    note = f"{within} of {len(rows)} edits within {MOST_LOST:.0f} dB by themselves"
    if kinds == ["background"]:  # the autoencoder lets what is new behind a thing into its rim
        true = lost([[row[0], row[3], row[2]] for row in rows])
        note += f"; the round trip of true edits: {true:+.2f} dB"
    return Figure(name, lost(rows), len(rows), MOST_LOST, "dB", note)


def tables(cases: Cases) -> list[Confusion]:
    """One a kind."""
    return [table(cases, kind) for kind in _KINDS]
