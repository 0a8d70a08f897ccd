"""What is written to disk, beside its place first and renamed then, so that a kill harms nothing."""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """An empty folder to write into; it takes the place of `folder` when all went well."""
    waiting = folder.with_name(folder.name + ".writing")
    shutil.rmtree(waiting, ignore_errors=True)
    waiting.mkdir(parents=True)
    yield waiting
    if folder.exists():
        shutil.rmtree(folder)
    waiting.rename(folder)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of a model folder's weights, by their places in it."""
    found = sorted(folder.rglob("*.safetensors"))
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found
    }
