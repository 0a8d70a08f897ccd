"""The methods as the panel knows them: defaults, ranges and words, out of `schemas.json`.

The server's types write that file. `limits(method, name)` are keyword arguments for a Blender property, so
that no range is written twice.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def schema(method: str) -> dict[str, dict[str, Any]]:
    """The parameters of a method by name: type, default, min, max, choices, description."""
    path = Path(__file__).with_name("schemas.json")
    table: dict[str, dict[str, dict[str, Any]]] = json.loads(path.read_text(encoding="utf-8"))
    return table[method]


def limits(method: str, name: str, default: Any = None) -> dict[str, Any]:
    """Default, range and description of a parameter; `default` stands in where model or preset decides."""
    row = schema(method)[name]
    given = row.get("default")
    found = {"default": default if given is None else given, "description": row.get("description", "")}
    if row["type"] == "string":
        found |= {"default": given or "", "maxlen": row.get("length", 0)}
    found |= {limit: row[limit] for limit in ("min", "max") if limit in row}
    return found


def choices(method: str, name: str, labels: dict[str, tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Items of an EnumProperty in the order of `labels` (label, tooltip). Raises KeyError for others."""
    known = schema(method)[name]["choices"]
    if set(known) != set(labels):
        raise KeyError(f"{method}.{name} has the choices {known}, the panel has labels for {sorted(labels)}")
    return [(value, label, tip) for value, (label, tip) in labels.items()]
