"""`maquette paint`: a texture on a mesh from a prompt."""

import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from . import endings, launch


class Preset(StrEnum):
    """How much work to spend."""

    draft = "draft"
    standard = "standard"
    fine = "fine"
    parity = "parity"


class RasteriserName(StrEnum):
    """What draws the surface."""

    auto = "auto"
    embree = "embree"
    torch = "torch"
    nvdiffrast = "nvdiffrast"


@endings.ended
def paint(
    mesh: Annotated[Path, typer.Argument(help="OBJ, PLY, GLB, glTF, STL or OFF.")],
    prompt: Annotated[str, typer.Option(help="What the object should look like.")],
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder for the result.")],
    negative: Annotated[str, typer.Option(help="What it should not look like.")] = "",
    preset: Annotated[Preset, typer.Option(help="How much work to spend.")] = Preset.standard,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps instead of the preset's.")] = None,
    guidance: launch.Guidance = None,
    texture_size: launch.TextureSize = None,
    mask: Annotated[Path | None, typer.Option(help="PNG in UV space: white is painted.")] = None,
    texture: Annotated[Path | None, typer.Option(help="Existing texture to start from.")] = None,
    up: launch.Up = "y",
    front: launch.Front = "",
    model: launch.Model = "",
    seed: launch.Seed = 0,
    device: launch.Device = "",
    rasteriser: Annotated[RasteriserName, typer.Option(help="What draws the surface.")] = RasteriserName.auto,
    server: launch.Server = "",
    as_json: launch.Json = False,
) -> None:
    """Paint MESH after a prompt: texture.png, mesh.glb, preview.png and report.json in the folder --out."""
    from maquette_wire.arrays import digest_of

    from .. import config
    from . import local, model_names, outputs, progress, remote, request

    place = outputs.folder(out)
    launch.check(place, server, device)
    settings = config.load(config.data_folder())
    models: dict[str, str] = {}
    if not server:
        model, models = model_names.resolve(model, settings, "text_to_image")
    params = {
        "prompt": prompt,
        "negative": negative,
        "preset": preset.value,
        "steps": steps,
        "guidance_scale": guidance,
        "texture_size": texture_size,
        "rasteriser": rasteriser.value,
    }
    asked = request.read(
        mesh,
        params,
        request_id=secrets.token_hex(16),
        texture=texture,
        mask=mask,
        up=up,
        front=front,
        seed=seed,
        model=model,
    )
    with progress.Reporter(as_json) as show:
        if server:
            remote.run(server, place, asked, digest_of(mesh.read_bytes()), show)
        else:
            entry = config.models_of(settings, models)[model]
            notice = config.describe(model, entry, default=False).notice
            ticket = local.ticket_for(mesh, device or "auto", settings, models)
            local.start(place, asked, ticket, settings, notice, show)
