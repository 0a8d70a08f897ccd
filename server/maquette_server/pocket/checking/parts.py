"""The parts of the check under their names: their cases, how they are measured, what follows."""

from collections.abc import Mapping, Sequence
from typing import Any

from . import edits, judges, painted, photographs
from .figures import Cases, Confusion, Figure
from .kit import Kit

_PAINTED = (painted.COLOURS, painted.MATERIALS, painted.PATTERNS)
NAMES = (judges.NAME, *_PAINTED, edits.NAME, photographs.NAME)
# Parts whose figures depend on how good the judge of materials is.
JUDGED = (painted.MATERIALS, edits.NAME)


def keys(part: str, kit: Kit) -> list[str]:
    """The names of a part's cases."""
    if part == judges.NAME:
        return judges.keys(kit)
    if part == edits.NAME:
        return edits.keys()
    if part == photographs.NAME:
        return photographs.keys(kit)
    return painted.keys(part)


def measure(part: str, kit: Kit, chosen: Sequence[str]) -> dict[str, list[Any]]:
    """What was found in each case."""
    if part == judges.NAME:
        return dict(judges.measure(kit, chosen))
    if part == edits.NAME:
        return edits.measure(kit, chosen)
    if part == photographs.NAME:
        return photographs.measure(kit, chosen)
    return dict(painted.measure(part, kit, chosen))


def figures(parts: Mapping[str, Cases]) -> list[Figure]:
    """All rows that follow from the cases."""
    judging = parts.get(judges.NAME, {})
    made: list[Figure] = []
    for part in _PAINTED:
        if parts.get(part):
            made += painted.figures(part, parts[part], judging)
    if parts.get(edits.NAME):
        made += edits.figures(parts[edits.NAME], judging)
    if parts.get(photographs.NAME):
        made += photographs.figures(parts[photographs.NAME])
    return made


def own_figures(parts: Mapping[str, Cases]) -> list[Figure]:
    """How good the judges are."""
    judging = parts.get(judges.NAME, {})
    return judges.figures(judging)


def tables(parts: Mapping[str, Cases]) -> list[Confusion]:
    """Confusion tables of all parts that were measured."""
    made = [painted.table(part, parts[part]) for part in _PAINTED if parts.get(part)]
    if parts.get(edits.NAME):
        made += edits.tables(parts[edits.NAME])
    if parts.get(photographs.NAME):
        made += photographs.tables(parts[photographs.NAME])
    if parts.get(judges.NAME):
        made += judges.tables(parts[judges.NAME])
    return [table for table in made if table.rows]
