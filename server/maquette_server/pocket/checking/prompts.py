"""The fixed list of prompts and instructions, `prompts.json`, as records."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

PATTERNS_A_NOUN = 2  # colour pairs


@dataclass(frozen=True)
class Prompt:
    """One picture asked for."""

    text: str
    target: str  # the colour, material or pattern
    noun: str
    pair: tuple[str, str] = ("", "")  # of a pattern


@dataclass(frozen=True)
class Instruction:
    """One edit asked for."""

    text: str
    kind: str  # "colour", "material", "pattern", "grade" or "background"
    target: str


@dataclass(frozen=True)
class Scene:
    """One picture to be edited."""

    name: str
    family: str
    look: str  # a colour or a material
    clutter: bool = False


@cache
def listed() -> dict[str, Any]:
    """`prompts.json` as it is."""
    path = Path(__file__).with_name("prompts.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def seeds() -> list[int]:
    """Of the noise that every prompt starts from."""
    return list(listed()["seeds"])


def families() -> tuple[str, ...]:
    """The shape families of the nouns that have one."""
    return tuple(family for family in listed()["nouns"].values() if family)


def unseen() -> tuple[str, ...]:
    """Nouns that occur nowhere in the training."""
    return tuple(noun for noun, family in listed()["nouns"].items() if not family)


def colours() -> list[Prompt]:
    """Twelve colours by eight nouns."""
    saying = listed()["colour"]
    return [
        Prompt(_with_article(saying.format(colour=colour, noun=noun)), colour, noun)
        for colour in listed()["colours"]
        for noun in listed()["nouns"]
    ]


def materials() -> list[Prompt]:
    """Eight materials by eight nouns."""
    return [
        Prompt(_with_article(saying.format(noun=noun)), material, noun)
        for material, saying in listed()["materials"].items()
        for noun in listed()["nouns"]
    ]


def patterns() -> list[Prompt]:
    """Three patterns by eight nouns, each in two of the colour pairs."""
    pairs = [(first, second) for first, second in listed()["pairs"]]
    return [
        Prompt(_with_article(saying.format(first=pair[0], second=pair[1], noun=noun)), pattern, noun, pair)
        for pattern, saying in listed()["patterns"].items()
        for number, noun in enumerate(listed()["nouns"])
        for pair in (pairs[(number + turn) % len(pairs)] for turn in range(PATTERNS_A_NOUN))
    ]


def sheet() -> list[str]:
    """Wordings of a person's, to be looked at."""
    return list(listed()["sheet"])


def scenes() -> list[Scene]:
    """What is edited."""
    return [Scene(name, **facts) for name, facts in listed()["edits"]["scenes"].items()]


def instructions() -> list[Instruction]:
    """Colours, materials, patterns, grades and backgrounds."""
    edits = listed()["edits"]
    return [
        *(Instruction(edits["colour"].format(colour=name), "colour", name) for name in listed()["colours"]),
        *(Instruction(text, "material", name) for name, text in edits["materials"].items()),
        *(Instruction(text, "pattern", name) for name, text in edits["patterns"].items()),
        *(Instruction(text, "grade", name) for name, text in edits["grades"].items()),
        *(
            Instruction(edits["background"].format(colour=name), "background", name)
            for name in edits["backgrounds"]
        ),
    ]


def _with_article(text: str) -> str:
    return f"an {text[2:]}" if text.startswith("a ") and text[2] in "aeiou" else text
