"""The editor on real photographs, unlike anything in the training: grades of the whole picture.

A case is [verdict, what is left, what was asked] in CIELAB (`grading`). No photograph is in the repository.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ..drawing import grades
from ..refusals import Refused
from . import grading, prompts
from .edits import SEED_OF_NOISE, psnr
from .figures import Cases, Confusion, Figure, confusion, rate
from .kit import Kit
from .prompts import Instruction

NAME = "photographs"
_KINDS = (".png", ".jpg", ".jpeg")
_ROUND_TRIP = "round trip"


def load(folder: Path, side: int) -> dict[str, Tensor]:
    """The middle squares of a folder's colour photographs, [3, side, side] in 0..1, by name.

    Raises Refused when there are none.
    """
    found = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() not in _KINDS:
            continue
        with Image.open(path) as image:
            if image.mode != "RGB":
                continue
            short = min(image.size)
            left, top = (image.width - short) // 2, (image.height - short) // 2
            square = image.crop((left, top, left + short, top + short))
            square = square.resize((side, side), Image.Resampling.BOX)
        found[path.stem] = torch.from_numpy(np.array(square)).permute(2, 0, 1).float() / 255
    if not found:
        raise Refused(
            f"'{folder}' holds no colour photographs (PNG or JPEG). Give another, or leave the part out."
        )
    return found


def asked() -> list[Instruction]:
    """Grades."""
    return [each for each in prompts.instructions() if each.kind == "grade"]


def keys(kit: Kit) -> list[str]:
    """Photograph and instruction each; nothing without a folder."""
    if kit.photographs is None:
        return []
    sayings = (_ROUND_TRIP, *(each.text for each in asked()))
    return [f"{name}: {text}" for name in load(kit.photographs, kit.edit_size) for text in sayings]


def measure(kit: Kit, chosen: Sequence[str]) -> dict[str, list[Any]]:
    """What the editor made of each; for the round trip its PSNR."""
    if kit.photographs is None or not chosen:
        return {}
    pictures = load(kit.photographs, kit.edit_size)
    known = {each.text: each for each in asked()}
    pairs = [key.split(": ", 1) for key in chosen]
    found: dict[str, list[Any]] = {}
    for name, text in pairs:
        if text == _ROUND_TRIP:
            error = (kit.editing.round_trip(pictures[name][None])[0] - pictures[name]).square().mean()
            found[f"{name}: {text}"] = [round(psnr(float(error)), 2)]
    edits = [(name, known[text]) for name, text in pairs if text != _ROUND_TRIP]
    if edits:
        before = torch.stack([pictures[name] for name, _ in edits])
        after = kit.editing.edit(before, [what.text for _, what in edits], SEED_OF_NOISE + kit.noise)
        for k, (name, what) in enumerate(edits):
            one = slice(k, k + 1)
            verdict = grading.verdicts(before[one], after[one], grades.graded(before[one], what.target))[0]
            found[f"{name}: {what.text}"] = list(verdict)
    return found


def table(cases: Cases) -> Confusion:
    """Targets by whether they were done."""
    known = {each.text: each for each in asked()}
    rows = []
    for key, row in cases.items():
        text = key.split(": ", 1)[1]
        if text in known and row[0] != grading.IDLE:
            rows.append((known[text].target, known[text].target if row[0] == grading.DONE else str(row[0])))
    return confusion("photographs: grade", rows)


def figures(cases: Cases) -> list[Figure]:
    """The share done; without a bar."""
    trips = {key.split(": ")[0]: row[0] for key, row in cases.items() if key.endswith(_ROUND_TRIP)}
    note = "round trip: " + ", ".join(f"{name} {value:.1f} dB" for name, value in trips.items())
    return [rate("photographs: grade", table(cases), note=note if trips else "")]


def tables(cases: Cases) -> list[Confusion]:
    """The only one."""
    return [table(cases)]
