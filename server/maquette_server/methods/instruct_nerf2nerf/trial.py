"""Tries an instruction on a few views at several strengths: one sheet, before anything is learnt."""

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from ...editing import put_back, spread
from ...guidance.instruct_edit import InstructionEditor, Strength
from ...media import png
from ...scenes import runtime
from ...training import seeds
from .. import base
from .moments import pixels_of
from .settings import Settings
from .source import Source
from .views import Views

VIEWS = 3
TEXT = (0.7, 1.0, 1.5)  # of the instruction's own scale
IMAGE = (0.8, 1.0, 1.25)  # of the picture's
_SIDE = 160  # pixels of a picture on the sheet, its long side
_LINE = 18
_INK, _PAPER = (40, 40, 40), (255, 255, 255)


def run(
    ctx: base.RunContext, source: Source, views: Views, editor: InstructionEditor, settings: Settings
) -> base.Part[base.Result]:
    """Edits of the views at every strength; nothing else is made."""
    chosen = spread.spread([one.camera.world_from_camera for one in source.photographs], VIEWS)
    scales = [
        (round(settings.text * text, 2), round(settings.image * image, 2)) for text in TEXT for image in IMAGE
    ]
    top = editor.model.denoiser.train_timesteps
    rows: list[tuple[str, list[Image.Image]]] = [
        ("as it is", [_picture(views.original(view)) for view in chosen])
    ]
    told: list[dict[str, Any]] = []
    done, total = 0, len(scales) * len(chosen)
    for text, image in scales:
        shown, shares = [], []
        for view in chosen:
            start, (condition, round_trip) = views.small(view), views.seen(view)
            noise = [seeds.torch_generator(ctx.seed, f"trial {view}", editor.model.device)]
            strength = Strength(text, image, top, settings.calls)
            work = editor.edit(start[None], condition[None], strength, noise)
            edited = yield from base.telling(work, base.Step(done, total, "try"))
            found = put_back.put_back(
                views.original(view), edited[0], round_trip, everywhere=not settings.keep
            )
            shown.append(_picture(found.colours))
            shares.append(float((found.changed > 0.5).float().mean()))
            done += 1
        rows.append((f"guidance {text:g}, image guidance {image:g}", shown))
        told.append(
            {
                "guidance_scale": text,
                "image_guidance_scale": image,
                "changed": [round(share, 4) for share in shares],
            }
        )
    figures = {"views": chosen, "size": settings.long_side, "tried": told}
    return base.Result([base.Item("images", "try.png", _sheet(rows))], figures, preset="try")


def _picture(colours: torch.Tensor) -> Image.Image:
    image = Image.fromarray(runtime.to_u8(pixels_of(colours)))
    factor = _SIDE / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    return image.resize(size, Image.Resampling.LANCZOS)


def _sheet(rows: list[tuple[str, list[Image.Image]]]) -> bytes:
    """The pictures as they are, then a block of views for each pair of strengths, three blocks a row."""
    font = ImageFont.load_default()
    width = sum(picture.width for picture in rows[0][1])
    height = max(picture.height for picture in rows[0][1]) + _LINE
    page = Image.new("RGB", (len(IMAGE) * (width + 8), (1 + len(TEXT)) * (height + 8)), _PAPER)
    draw = ImageDraw.Draw(page)
    places = [(0, 0), *((column, 1 + row) for row in range(len(TEXT)) for column in range(len(IMAGE)))]
    for (column, row), (words, pictures) in zip(places, rows, strict=True):
        left, top = column * (width + 8) + 4, row * (height + 8) + 4
        draw.text((left, top), words, fill=_INK, font=font)
        for picture in pictures:
            page.paste(picture, (left, top + _LINE))
            left += picture.width
    return png.write(np.asarray(page))
