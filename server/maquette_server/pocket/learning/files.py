"""Tensors on disk, written beside their place, flushed and renamed, so that a kill harms nothing."""

import os
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def write(path: Path, tensors: Mapping[str, Tensor], notes: Mapping[str, str] | None = None) -> None:
    """One safetensors file with its notes; the folder is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    waiting = path.with_suffix(".writing")
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, waiting, dict(notes or {}))
    with open(waiting, "rb") as file:
        os.fsync(file.fileno())
    waiting.replace(path)
