"""A training's state on disk: written beside, flushed and renamed, so that a kill harms nothing."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor


def save(folder: Path, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
    """One file of tensors that carries its own facts, so that the two never part."""
    folder.mkdir(parents=True, exist_ok=True)
    waiting = folder / "state.writing"
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, waiting, {"facts": json.dumps(facts)}
    )
    with open(waiting, "rb") as file:
        os.fsync(file.fileno())
    waiting.replace(folder / "state.safetensors")


def load(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """What `save` wrote last; None when nothing is there."""
    path = folder / "state.safetensors"
    if not path.exists():
        return None
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        facts = json.loads(file.metadata()["facts"])
    return load_file(path), facts
