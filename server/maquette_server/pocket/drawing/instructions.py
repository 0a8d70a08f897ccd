"""Edits: a picture, an instruction, and the picture that follows it.

The thing is drawn twice from the same view, light, background and dice, or a whole picture is graded by a
formula, so that all that the instruction does not name stays exactly as it was.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...training import seeds
from . import backdrops, grades, looks, pictures, words
from .buffers import Views
from .looks import Look
from .pictures import Setting, Stage

_COLOUR_SAYINGS = (
    *(
        "make it {}",
        "make it {}",
        "turn it {}",
        "paint it {}",
        "change the color to {}",
        "make the object {}",
    ),
    *("color it {}", "turn it into {}", "make it look {}", "change it to {}"),
)
_MATERIAL_SAYINGS = (
    *("turn it into {noun}", "make it out of {noun}", "make it look like {noun}", "make it {adjective}"),
    *("as if it were made of {noun}", "turn it {adjective}", "make the object {adjective}"),
)
_PATTERN_SAYINGS = {
    "stripes": ("make it striped", "add stripes", "give it stripes"),
    "checks": ("make it checkered", "turn it into a checkerboard", "make it checked"),
    "dots": ("add dots", "make it polka dot", "make it spotted"),
}
_BACKGROUND_SAYINGS = ("make the background {}", "change the background to {}", "{} background")


@dataclass(frozen=True)
class Edit:
    """What one instruction asks for."""

    text: str
    kind: str  # "colour", "material", "pattern", "grade" or "background"
    target: str  # the colour, material, pattern or grade


@dataclass(frozen=True)
class Edited:
    """N edits."""

    before: Tensor  # [N, 3, 64, 64] uint8
    after: Tensor  # [N, 3, 64, 64] uint8
    edits: list[Edit]


def colour(rng: np.random.Generator, target: str) -> Edit:
    """Paint the thing in one of the twelve colours."""
    return Edit(str(rng.choice(_COLOUR_SAYINGS)).format(target), "colour", target)


def material(rng: np.random.Generator, target: str) -> Edit:
    """Make the thing of a material."""
    said = str(rng.choice(_MATERIAL_SAYINGS))
    noun, adjective = rng.choice(words.MATERIAL_NOUNS[target]), rng.choice(words.MATERIAL_ADJECTIVES[target])
    return Edit(said.format(noun=noun, adjective=adjective), "material", target)


def pattern(rng: np.random.Generator, target: str) -> Edit:
    """Mark the thing with stripes, checks or dots."""
    return Edit(str(rng.choice(_PATTERN_SAYINGS[target])), "pattern", target)


def grade(rng: np.random.Generator, target: str) -> Edit:
    """Change the whole picture."""
    return Edit(str(rng.choice(grades.GRADES[target])), "grade", target)


def background(rng: np.random.Generator, target: str) -> Edit:
    """Put one colour behind the thing."""
    return Edit(str(rng.choice(_BACKGROUND_SAYINGS)).format(target), "background", target)


def draw(rng: np.random.Generator, scene: bool) -> Edit:
    """An edit for a picture of a thing, or of a scene without one."""
    kind = rng.random()
    names = list(words.COLOURS)
    if scene:  # a colour's word would have nothing to hold on to there
        return grade(rng, str(rng.choice(list(grades.GRADES))))
    if kind < 0.22:
        return grade(rng, str(rng.choice(list(grades.GRADES))))
    if kind < 0.30:
        return background(rng, str(rng.choice(names)))
    if kind < 0.58:
        return colour(rng, str(rng.choice(names)))
    if kind < 0.70:
        return pattern(rng, str(rng.choice(words.PATTERNS)))
    return material(rng, str(rng.choice(words.MATERIALS)))


def repainted(rng: np.random.Generator, look: Look, edit: Edit) -> Look:
    """The thing's look after the edit; as it was when the edit is not about the thing."""
    if edit.kind == "colour":
        rgb = backdrops.named(rng, edit.target)
        # all of it, patterns too: which of two colours is meant, nobody could say
        plain = look if look.kind == "plain" else looks.as_kind(look, "plain")
        return replace(plain, first=rgb)
    if edit.kind == "material":
        return looks.as_kind(look, edit.target)
    if edit.kind == "pattern":
        base = words.SHADES[look.colour][0] if look.colour in words.SHADES else look.colour or "gray"
        second = backdrops.named(rng, looks.companion(base))
        return replace(looks.as_kind(look, edit.target), second=second)
    return look


def edited(views: Views, count: int, seed: int, part: int, device: torch.device | str = "cpu") -> Edited:
    """Part number `part` of an endless row of edits; one in five is of a scene without a single thing."""
    stage = Stage(views, device)
    rng = seeds.generator(seed, f"edited {part}")
    before, after, edits = [], [], []
    for first in range(0, count, pictures.CHUNK):
        size = min(pictures.CHUNK, count - first)
        was, became, asked = _chunk(stage, size, rng)
        before.append(pictures.as_bytes(was))
        after.append(pictures.as_bytes(became))
        edits += asked
    return Edited(torch.cat(before), torch.cat(after), edits)


def spoken() -> set[str]:
    """Every word that an instruction may be put together with."""
    sayings = [*_COLOUR_SAYINGS, *_MATERIAL_SAYINGS, *_BACKGROUND_SAYINGS]
    sayings += [said for table in (_PATTERN_SAYINGS, grades.GRADES) for row in table.values() for said in row]
    return {word for said in sayings for word in said.split() if "{" not in word}


def sentences(count: int, seed: int) -> list[str]:
    """Instructions without their pictures, for the tokenizer."""
    rng = seeds.generator(seed, "instructions")
    return [draw(rng, scene=rng.random() < 0.2).text for _ in range(count)]


def _chunk(stage: Stage, size: int, rng: np.random.Generator) -> tuple[Tensor, Tensor, list[Edit]]:
    settings = [pictures.setting(rng, len(stage.views), clutter=0.3, named=0.0) for _ in range(size)]
    shown = [looks.draw(rng) for _ in range(size)]
    scene = rng.random(size) < 0.2
    asked = [draw(rng, bool(each)) for each in scene]
    later = [repainted(rng, look, edit) for look, edit in zip(shown, asked, strict=True)]
    rgb, alpha = stage.things(settings, shown)
    behind = stage.backgrounds(settings, (rgb, alpha))
    was = rgb + (1 - alpha) * behind
    rows = torch.from_numpy(np.flatnonzero(scene)).to(was.device)
    if len(rows):
        dice = np.stack([settings[k].dice for k in rows.tolist()])
        was[rows] = stage.scenes(dice, (rgb, alpha))
    became = was.clone()
    _repaint(stage, settings, later, asked, behind, became)
    for k, edit in enumerate(asked):
        if edit.kind == "grade":
            became[k : k + 1] = grades.graded(was[k : k + 1], edit.target)
        elif edit.kind == "background":
            rgb_behind = torch.from_numpy(backdrops.named(rng, edit.target)).to(was)
            became[k] = rgb[k] + (1 - alpha[k]) * rgb_behind[:, None, None]
    return was, became, asked


def _repaint(
    stage: Stage,
    settings: list[Setting],
    later: list[Look],
    asked: list[Edit],
    behind: Tensor,
    became: Tensor,
) -> None:
    rows = [k for k, edit in enumerate(asked) if edit.kind in ("colour", "material", "pattern")]
    if not rows:
        return
    rgb, alpha = stage.things([settings[k] for k in rows], [later[k] for k in rows])
    became[rows] = rgb + (1 - alpha) * behind[rows]
