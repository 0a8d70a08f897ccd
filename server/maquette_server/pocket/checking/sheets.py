"""Two pictures to look at: samples of a person's wordings, and edits of the check's scenes."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from . import edits, prompts
from .kit import Kit

_SCALE = 2
_LINE = 18  # pixels of a label
_MOST_BYTES = 300_000
_SCENES = 6
_INSTRUCTIONS = ("make it blue", "turn it into wood", "make it striped", "make it night", "make it snowy")
_ACROSS = 2  # prompts side by side


def samples(kit: Kit) -> bytes:
    """Prompts above their pictures, as PNG."""
    sayings, seeds = prompts.sheet(), prompts.seeds()
    made = kit.painter.paint([text for text in sayings for _ in seeds], [*seeds] * len(sayings))
    rows = made.reshape(len(sayings), len(seeds), *made.shape[1:])
    for columns in range(len(seeds), 0, -1):
        strips = [_labelled(text, rows[k, :columns]) for k, text in enumerate(sayings)]
        lines = [_beside(strips[k : k + _ACROSS]) for k in range(0, len(strips), _ACROSS)]
        png = _png(_below(lines))
        if len(png) <= _MOST_BYTES:
            break
    return png


def edited(kit: Kit) -> bytes:
    """Scenes in rows, their edits in columns under the instructions, as PNG."""
    before = edits.inputs(kit).pictures[:_SCENES]
    columns = [_column("input", before)]
    for text in _INSTRUCTIONS:
        columns.append(_column(text, kit.editing.edit(before, [text] * len(before), edits.SEED_OF_NOISE)))
        png = _png(_beside(columns))
        if len(png) > _MOST_BYTES:
            return _png(_beside(columns[:-1]))
    return png


def write(kit: Kit, folder: Path) -> None:
    """`samples.png` and `edits.png`."""
    (folder / "samples.png").write_bytes(samples(kit))
    (folder / "edits.png").write_bytes(edited(kit))


def _labelled(text: str, pictures: Tensor) -> Image.Image:
    return _below([_label(text, pictures.shape[-1] * _SCALE * len(pictures)), _beside(_images(pictures))])


def _column(text: str, pictures: Tensor) -> Image.Image:
    return _below([_label(text, pictures.shape[-1] * _SCALE), *_images(pictures)])


def _images(pictures: Tensor) -> list[Image.Image]:
    arrays = (pictures.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    return [Image.fromarray(np.kron(each, np.ones((_SCALE, _SCALE, 1), np.uint8))) for each in arrays]


def _label(text: str, width: int) -> Image.Image:
    image = Image.new("RGB", (width, _LINE), "white")
    ImageDraw.Draw(image).text((3, 2), text, "black", ImageFont.load_default())
    return image


def _beside(images: Sequence[Image.Image]) -> Image.Image:
    return _joined(images, 1, 0)


def _below(images: Sequence[Image.Image]) -> Image.Image:
    return _joined(images, 0, 1)


def _joined(images: Sequence[Image.Image], right: int, down: int) -> Image.Image:
    """One after another in a direction, on white."""
    wide, high = [each.width for each in images], [each.height for each in images]
    size = (sum(wide) if right else max(wide), sum(high) if down else max(high))
    whole = Image.new("RGB", size, "white")
    left = top = 0
    for each in images:
        whole.paste(each, (left, top))
        left, top = left + right * each.width, top + down * each.height
    return whole


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()
