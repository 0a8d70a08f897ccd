"""The `train` step: the parts in the order in which they stand on each other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from . import autoencoder, data, denoising
from . import export as exporting
from .recipe import Recipe

TASKS = (denoising.TEXT_TO_IMAGE, denoising.INSTRUCT)


def train(
    folder: Path, seed: int, recipe: Recipe, device: torch.device, part: str
) -> Iterator[dict[str, Any]]:
    """Trains one part or `all`; each goes on from its checkpoint. Raises Refused when what it needs is not
    there.
    """
    views = data.views(folder)  # before the folder is claimed: nothing is left in a wrong one
    data.claim(folder, seed, recipe)
    if part in ("all", "autoencoder"):
        yield from autoencoder.train(views, recipe, seed, folder / "autoencoder", device)
    plans = {"text_to_image": recipe.text_to_image, "instruct": recipe.instruct}
    for task in TASKS:
        if part in ("all", task.name):
            yield from denoising.train(task, plans[task.name], seed, folder, device)


def export(folder: Path, seed: int, recipe: Recipe, part: str, out: Path) -> Iterator[Path]:
    """Writes the model folders of what was trained. Raises Refused when that was another seed or recipe."""
    data.same(folder, seed, recipe)
    for task in TASKS:
        if part in ("all", task.name):
            yield exporting.export(folder, task, seed, recipe, out)
