"""The `data` step: views, tokenizer and pictures of a recipe, in one folder; what is there is not made again.

data.json          seed and recipe, so that a folder is never continued as another
views.safetensors  `drawing.buffers.Views`
tokenizer/         in CLIP's form
captioned/0000...  one part each: pictures uint8 [N, 3, 64, 64], tokens int16 [N, 32]
edited/0000...     before, after and tokens likewise
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor
from transformers import CLIPTokenizer

from ..drawing import buffers, instructions, pictures
from ..refusals import Refused
from . import files, tokenizer
from .recipe import Recipe

PARTS = ("captioned", "edited")


def claim(folder: Path, seed: int, recipe: Recipe) -> None:
    """Marks the folder as this seed's and recipe's. Raises Refused when it is another's."""
    same(folder, seed, recipe)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "data.json"
    if not path.exists():
        path.write_text(json.dumps(_facts(seed, recipe), indent=1), encoding="utf-8")


def same(folder: Path, seed: int, recipe: Recipe) -> None:
    """Raises Refused when the folder was claimed for another seed or recipe."""
    path = folder / "data.json"
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != _facts(seed, recipe):
        raise Refused(
            f"'{folder}' was begun with another seed or recipe. Give the same, or another --out folder."
        )


def _facts(seed: int, recipe: Recipe) -> dict[str, Any]:
    return {"seed": seed, "recipe": asdict(recipe)}


def make(folder: Path, seed: int, recipe: Recipe, device: torch.device) -> Iterator[dict[str, Any]]:
    """Makes what is missing; yields after each piece."""
    claim(folder, seed, recipe)
    views = _views(folder, seed, recipe)
    yield {"part": "views", "step": len(views), "steps": len(views)}
    spoken = _tokenizer(folder, views, seed, recipe)
    yield {"part": "tokenizer", "step": len(spoken), "steps": len(spoken)}
    counts = {"captioned": recipe.text_to_image.parts, "edited": recipe.instruct.parts}
    for number in range(max(counts.values())):
        for name in PARTS:
            path = part_path(folder, name, number)
            if number < counts[name] and not path.exists():
                files.write(path, _part(name, views, recipe.part, number, seed, spoken, device))
        yield {"part": "pictures", "step": number + 1, "steps": max(counts.values())}


def part_path(folder: Path, name: str, number: int) -> Path:
    """Where a part lies."""
    return folder / name / f"{number:04}.safetensors"


def views(folder: Path) -> buffers.Views:
    """The views that `make` rendered. Raises Refused when there are none."""
    path = folder / "views.safetensors"
    if not path.exists():
        raise Refused(f"'{folder}' holds no views. Run `data` first, with the same --out.")
    return buffers.Views.load(path)


def _views(folder: Path, seed: int, recipe: Recipe) -> buffers.Views:
    path = folder / "views.safetensors"
    if not path.exists():
        files.write(path, buffers.render(recipe.views, seed).tensors())
    return buffers.Views.load(path)


def _tokenizer(folder: Path, views: buffers.Views, seed: int, recipe: Recipe) -> CLIPTokenizer:
    path = folder / "tokenizer"
    if not path.exists():
        sentences = pictures.sentences(views, recipe.sentences, seed)
        sentences += instructions.sentences(recipe.sentences, seed)
        return tokenizer.learn(sentences, path)
    return tokenizer.load(path)


def _part(
    name: str,
    views: buffers.Views,
    count: int,
    number: int,
    seed: int,
    spoken: CLIPTokenizer,
    device: torch.device,
) -> dict[str, Tensor]:
    if name == "captioned":
        drawn = pictures.captioned(views, count, seed, number, device)
        return {"pictures": drawn.pictures, "tokens": tokens(spoken, drawn.captions)}
    edits = instructions.edited(views, count, seed, number, device)
    said = tokens(spoken, [edit.text for edit in edits.edits])
    return {"before": edits.before, "after": edits.after, "tokens": said}


def tokens(spoken: CLIPTokenizer, sentences: list[str]) -> Tensor:
    """[N, 32] int16."""
    rows = spoken(sentences, padding="max_length", max_length=tokenizer.LENGTH, truncation=True)
    return torch.tensor(rows.input_ids, dtype=torch.int16)


def read(folder: Path, name: str, number: int) -> dict[str, Tensor]:
    """One part. Raises Refused when it is not there yet."""
    path = part_path(folder, name, number)
    if not path.exists():
        raise Refused(f"'{path}' is missing. Run `data` to its end first.")
    return load_file(path)
