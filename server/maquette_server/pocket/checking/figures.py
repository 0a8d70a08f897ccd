"""Figures with their bars, and confusion tables, as plain arithmetic on cases.

A case is what was found for one prompt: {"a red ball": ["red", "red", "pink", "red"], ...}.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Cases = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """One row of the report."""

    name: str
    value: float | None  # None: not measurable
    of: int  # how many pictures
    bar: float | None = None
    unit: str = "%"  # "%" of a share 0..1, at least the bar; or "dB" lost, at most the bar
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None where there is no bar. What cannot be measured meets none."""
        if self.bar is None:
            return None
        if self.value is None:
            return False
        return self.value <= self.bar if self.unit == "dB" else self.value >= self.bar


@dataclass(frozen=True)
class Confusion:
    """How often each truth was found to be what."""

    title: str
    rows: Mapping[str, Mapping[str, int]]  # truth -> found -> count
    right_word: Mapping[str, str] = field(default_factory=dict)  # what is right to find, where not the truth

    def hits(self, truth: str) -> int:
        """How often a truth was found to be what it is."""
        return self.rows.get(truth, {}).get(self.right_word.get(truth, truth), 0)

    def right(self) -> tuple[int, int]:
        """Found as they are, and all."""
        return sum(self.hits(truth) for truth in self.rows), sum(
            sum(row.values()) for row in self.rows.values()
        )


def confusion(
    title: str, pairs: Iterable[tuple[str, str]], right_word: Mapping[str, str] | None = None
) -> Confusion:
    """From (truth, found), in the order in which truths first come."""
    rows: dict[str, Counter[str]] = {}
    for truth, found in pairs:
        rows.setdefault(truth, Counter())[found] += 1
    return Confusion(title, rows, right_word or {})


def rate(name: str, table: Confusion, bar: float | None = None, note: str = "") -> Figure:
    """The share on a confusion table's diagonal."""
    right, of = table.right()
    return Figure(name, right / of if of else None, of, bar, note=note)
