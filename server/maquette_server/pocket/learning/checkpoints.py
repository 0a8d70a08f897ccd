"""A training's state on disk: one file of tensors that carries its own facts, so that the two never part."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

from . import files

_NAME = "state.safetensors"


def save(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """Replaces the folder's state."""
    files.write(folder / _NAME, tensors, {"facts": json.dumps(facts)})


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `save` wrote last; None when nothing is there."""
    path = folder / _NAME
    if not path.exists():
        return None
    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["facts"])
        return {name: file.get_tensor(name) for name in file.keys()}, facts  # noqa: SIM118
