"""What an edit gives: the files of the edited scene's folder."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...media import contact_sheet, png
from ...scenes import folder
from .. import base, scene_input
from .source import Source

SHOWN = 4  # views of the preview
_THUMB = 192  # pixels of a view in it


@dataclass(frozen=True)
class Moment:
    """A result on the way that is kept. Files of the job."""

    step: int
    weights: Path
    view: Path  # PNG of the fixed view
    movement: float  # mean difference of the view from the un-edited one, 0..1


def scene(
    ctx: base.RunContext,
    source: Source,
    model: str,
    weights: bytes | Path,
    step: int,
    edited: Mapping[int, Path],
    moments: Sequence[Moment],
) -> list[base.Item]:
    """All files of the edited scene, the originals among them. model: digest of the editor."""
    before = source.scene.record
    chosen = msgspec.json.encode(ctx.params, order="sorted").decode()
    record = msgspec.structs.replace(
        before,
        id=str(
            uuid.uuid5(
                uuid.NAMESPACE_OID, f"{before.id} {source.scene.step} {model} {ctx.seed} {step} {chosen}"
            )
        ),
        name=" ".join(ctx.params.prompt.split())[:60],
        method="instruct_nerf2nerf",
        parent=folder.Parent(id=before.id, name=before.name),
        created_by=scene_input.VERSION,
        step=step,
        moments=tuple(one.step for one in moments),
        instruction=ctx.params.prompt,
    )
    items = [
        base.Item("scene", "scene.json", folder.encode(record)),
        base.Item("scene", "cameras.json", source.files.read("cameras.json")),
        base.Item("scene", folder.checkpoint_path(step), weights),
    ]
    for one in moments:
        items.append(base.Item("scene", folder.moment_path(one.step), one.weights))
        items.append(base.Item("scene", folder.moment_path(one.step, "view.png"), one.view))
    for kind in ("images", "masks", "depths"):
        items += [base.Item("scene", path, source.files.place(path)) for path in source.files.below(kind)]
    for view, place in sorted(edited.items()):
        items.append(base.Item("scene", edited_path(source.records[view]), place))
    return items


def edited_path(record: folder.CameraRecord) -> str:
    """Where the edited picture of a camera lies: named as the picture itself."""
    return f"edited/{PurePosixPath(record.image or '').stem}.png"


def sheet(*rows: Sequence[NDArray[np.uint8]]) -> bytes:
    """preview.png: rows of views, each view in the middle of a square."""
    pictures = [_thumbnail(picture) for row in rows for picture in row]
    return png.write(contact_sheet.grid(pictures, columns=len(rows[0])))


def _thumbnail(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = Image.fromarray(picture)
    factor = _THUMB / max(image.size)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    page = Image.new("RGB", (_THUMB, _THUMB), contact_sheet.LIGHT_GREY)
    image = image.resize(size, Image.Resampling.LANCZOS)
    page.paste(image, ((_THUMB - size[0]) // 2, (_THUMB - size[1]) // 2))
    return np.asarray(page)
