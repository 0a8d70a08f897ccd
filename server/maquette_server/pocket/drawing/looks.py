"""How a thing looks, drawn at random: its texture, colours and gloss, and the words that say so."""

from dataclasses import dataclass, replace

import numpy as np

from . import backdrops, surfaces, words

# What a second colour is when nobody names it.
_PALE = ("white", "yellow", "gray", "pink", "cyan")


@dataclass(frozen=True)
class Look:
    """One thing's surface."""

    kind: str  # one of words.KINDS
    first: np.ndarray  # [3] sRGB in 0..1
    second: np.ndarray  # [3]
    dice: np.ndarray  # [surfaces.DICE] in 0..1
    gloss: float = 0.0
    colour: str = ""  # the word for `first`; empty for materials
    other: str = ""  # the word for `second`; patterns only

    @property
    def metal(self) -> bool:
        """Reflects its surroundings."""
        return self.kind in words.METALS


def companion(colour: str) -> str:
    """The colour beside it when only one is named."""
    return "black" if colour in _PALE else "white"


def draw(rng: np.random.Generator) -> Look:
    """34 % plain, 40 % patterns, 26 % materials."""
    kind = rng.random()
    if kind < 0.34:
        return plain(rng)
    if kind < 0.74:
        colour = str(rng.choice(list(words.COLOURS)))
        other = companion(colour)
        if rng.random() < 0.45:
            other = str(rng.choice([name for name in words.COLOURS if name != colour]))
        return pattern(rng, str(rng.choice(words.PATTERNS, p=(0.4, 0.35, 0.25))), colour, other)
    return material(rng, str(rng.choice(words.MATERIALS)))


def plain(rng: np.random.Generator, colour: str = "") -> Look:
    """One colour all over; one of the twelve or, at times, a shade with a name of its own."""
    if not colour and rng.random() < 0.12:
        shade = str(rng.choice(list(words.SHADES)))
        rgb = backdrops.jittered(rng, words.SHADES[shade][1], 0.02)
        return _look(rng, "plain", rgb, gloss=_gloss(rng), colour=shade)
    colour = colour or str(rng.choice(list(words.COLOURS)))
    return _look(
        rng, "plain", backdrops.jittered(rng, words.COLOURS[colour]), gloss=_gloss(rng), colour=colour
    )


def pattern(rng: np.random.Generator, kind: str, colour: str, other: str) -> Look:
    """Stripes, checks or dots of two colours."""
    first = backdrops.jittered(rng, words.COLOURS[colour])
    second = backdrops.jittered(rng, words.COLOURS[other])
    return _look(rng, kind, first, second, colour=colour, other=other)


def material(rng: np.random.Generator, kind: str) -> Look:
    """One of the eight materials."""
    gloss = 0.3 if kind == "marble" else 0.0
    return _look(rng, kind, np.full(3, 0.5, np.float32), gloss=gloss)


def as_kind(look: Look, kind: str) -> Look:
    """The same dice with another texture, for edits."""
    return replace(look, kind=kind, gloss=0.3 if kind == "marble" else 0.0, colour="", other="")


def _gloss(rng: np.random.Generator) -> float:
    return float(rng.choice((0.0, 0.0, 0.2, 0.45)))


def _look(
    rng: np.random.Generator,
    kind: str,
    first: np.ndarray,
    second: np.ndarray | None = None,
    gloss: float = 0.0,
    colour: str = "",
    other: str = "",
) -> Look:
    second = first if second is None else second
    dice = rng.random(surfaces.DICE, np.float32)
    return Look(kind, first, second, dice, gloss, colour, other)


def noun(rng: np.random.Generator, nouns: tuple[str, ...]) -> str:
    """A word for the thing: mostly its own, else one that no picture explains."""
    kind = rng.random()
    if kind < 0.78:
        return str(rng.choice(nouns))
    if kind < 0.91:
        return str(rng.choice(words.FILLERS))
    if kind < 0.95:
        return "".join(rng.choice(list("abcdefghijklmnopqrstuvwxyz"), rng.integers(3, 9)))
    return "object"


def caption(rng: np.random.Generator, look: Look, nouns: tuple[str, ...], view: str, background: str) -> str:
    """A sentence that is true of the picture; `background` is a colour's word, or empty."""
    said = _phrase(rng, look, noun(rng, nouns))
    if rng.random() < 0.08:
        said = f"{rng.choice(words.IDLE)} {said}"
    if rng.random() < 0.85:
        said = ("an " if said[0] in "aeiou" else "a ") + said
    if rng.random() < 0.45:
        said = str(rng.choice(words.OPENINGS)) + said
    if background and rng.random() < 0.75:
        said += f" on a {background} background"
    if rng.random() < 0.45:
        said += f", {view} view"
    return said


def _phrase(rng: np.random.Generator, look: Look, thing: str) -> str:
    kind = look.kind
    if kind in words.MATERIALS:
        if rng.random() < 0.3:
            made = rng.choice(words.MATERIAL_NOUNS[kind])
            return f"{thing} {rng.choice(('made of', 'made out of', 'of'))} {made}"
        return f"{rng.choice(words.MATERIAL_ADJECTIVES[kind])} {thing}"
    if kind == "plain":
        if look.gloss > 0.3 and rng.random() < 0.4:
            return f"{rng.choice(words.GLOSSY)} {look.colour} {thing}"
        if look.gloss == 0 and rng.random() < 0.1:
            return f"{rng.choice(words.MATT)} {look.colour} {thing}"
        return f"{look.colour} {thing}"
    adjective = rng.choice(words.PATTERN_ADJECTIVES[kind])
    said = rng.random()
    if look.other == companion(look.colour) and said < 0.5:
        return f"{look.colour} {adjective} {thing}" if said < 0.35 else f"{adjective} {look.colour} {thing}"
    if said < 0.75:
        return f"{look.colour} {thing} with {look.other} {kind}"
    return f"{look.colour} and {look.other} {adjective} {thing}"
