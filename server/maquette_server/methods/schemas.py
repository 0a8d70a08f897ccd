"""The parameters of every method as one JSON file: names, types, defaults, ranges, choices, descriptions.

`python -m maquette_server.methods.schemas [FILE]` writes it; without FILE it is the extension's
`blender_addon/methods/schemas.json`, from which the panel takes defaults and ranges. Python's types stay the
only source. A row: `type` is string, int, float, bool, choice or list; `optional` means that null leaves the
choice to preset or model.
"""

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from . import base

PATH = Path(__file__).resolve().parents[3] / "blender_addon" / "methods" / "schemas.json"
NAMES = {
    inspect.StrType: "string",
    inspect.IntType: "int",
    inspect.FloatType: "float",
    inspect.BoolType: "bool",
}


def text() -> str:
    """The whole file, ending in a newline; the same methods give the same text."""
    table = {name: rows(method.params) for name, method in sorted(base.discover().items())}
    return json.dumps(table, indent=2, sort_keys=True) + "\n"


def rows(params: type[base.Params]) -> dict[str, dict[str, Any]]:
    """One row for each parameter of a struct. Raises TypeError for a type that the panel has no word for."""
    info = inspect.type_info(params)
    if not isinstance(info, inspect.StructType):
        raise TypeError(f"{params} is no struct")
    return {field.name: _row(field) for field in info.fields}


def _row(field: inspect.Field) -> dict[str, Any]:
    kind, row = _unwrapped(field.type)
    if field.required:
        row["required"] = True
    else:
        row["default"] = field.default
    if isinstance(kind, inspect.UnionType):
        present = [_unwrapped(one) for one in kind.types if not isinstance(one, inspect.NoneType)]
        if len(present) != 1 or len(kind.types) != 2:
            raise TypeError(f"parameter {field.name} is a union of several types")
        row["optional"] = True
        kind, inner = present[0]
        row |= inner
    if isinstance(kind, inspect.LiteralType):
        row |= {"type": "choice", "choices": list(kind.values)}
    elif isinstance(kind, inspect.TupleType):
        item, limits = _unwrapped(kind.item_types[0])
        row |= {
            "type": "list",
            "length": len(kind.item_types),
            "item": NAMES[type(item)],
            **_limits(item),
            **limits,
        }
    elif type(kind) in NAMES:
        row |= {"type": NAMES[type(kind)], **_limits(kind)}
    else:
        raise TypeError(f"parameter {field.name} has a type that the panel has no word for")
    return row


def _unwrapped(kind: inspect.Type) -> tuple[inspect.Type, dict[str, Any]]:
    if not isinstance(kind, inspect.Metadata):
        return kind, {}
    description = (kind.extra_json_schema or {}).get("description")
    inner, row = _unwrapped(kind.type)
    return inner, row | ({"description": description} if description else {})


def _limits(kind: inspect.Type) -> dict[str, Any]:
    found = {}
    for ours, theirs in (
        ("min", "ge"),
        ("above", "gt"),
        ("max", "le"),
        ("below", "lt"),
        ("length", "max_length"),
    ):
        value = getattr(kind, theirs, None)
        if value is not None and value is not msgspec.UNSET:
            found[ours] = value
    return found


def main(arguments: list[str]) -> int:
    """Writes the file and says where."""
    path = Path(arguments[0]) if arguments else PATH
    path.write_text(text(), encoding="utf-8")
    sys.stdout.write(f"{path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
