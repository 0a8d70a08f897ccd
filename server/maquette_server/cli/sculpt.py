"""`maquette sculpt`: a new object from a prompt, in the rough shape of a sketch or in none."""

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


@endings.ended
def sculpt(
    prompt: Annotated[str, typer.Option(help="What the object should be.")],
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder for the scene.")],
    sketch: Annotated[
        Path | None, typer.Argument(help="OBJ, PLY, GLB, glTF, STL or OFF: its rough shape; none is fine.")
    ] = None,
    refine: Annotated[bool, typer.Option(help="Then learn colours at the model's full size.")] = False,
    negative: Annotated[str, typer.Option(help="What it should not look like.")] = "",
    preset: Annotated[
        Preset | None, typer.Option(help="How much work to spend; draft on a CPU, else standard.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(help="Optimiser steps of the shape instead of the preset's.")
    ] = None,
    refine_steps: Annotated[int | None, typer.Option(help="Likewise of --refine.")] = None,
    guidance: launch.Guidance = None,
    softness: Annotated[
        float | None,
        typer.Option(help="How far from the sketch the object may go: 0 to 2, 0.3 if not given."),
    ] = None,
    lock: Annotated[bool, typer.Option(help="Keep to the very surface of the sketch.")] = False,
    texture_size: launch.TextureSize = None,
    up: launch.Up = "y",
    front: launch.Front = "",
    model: launch.Model = "",
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier object in --out.")] = False,
    seed: launch.Seed = 0,
    device: launch.Device = "",
    server: launch.Server = "",
    as_json: launch.Json = False,
) -> None:
    """Sculpt an object: a scene with mesh.glb, preview.png, turntable.mp4 and report.json in --out."""
    from maquette_wire import messages
    from maquette_wire.errors import UserError

    from . import outputs, request

    place = outputs.folder(out)
    launch.check(place, server, device)
    outputs.check_free(place, "latent_nerf", overwrite)
    if sketch is None and (lock or softness is not None):
        raise UserError(
            "params.bad",
            f"{'--lock' if lock else '--softness'} says how a sketch is kept to, and none was given.",
            hint="Name the file of a sketch after `sculpt`, or leave the option out.",
        )
    upward, forward = request.directions(up, front)
    blobs: dict[str, bytes] = {}
    inputs: tuple[messages.Input, ...] = ()
    if sketch is not None:
        from ..geometry import files

        mesh = files.load(sketch, upward, forward).mesh
        part = messages.SketchPart(mesh=request.mesh_input(mesh, blobs), lock=lock)
        inputs = (messages.SketchInput(parts=(part,)),)
    params = {
        "prompt": prompt,
        "negative": negative,
        "preset": None if preset is None else preset.value,
        "steps": steps,
        "guidance_scale": guidance,
        "softness": softness,
        "refine": refine,
        "refine_steps": refine_steps,
        "texture_size": texture_size,
        "up": upward,
        "front": forward,
    }
    launch.run(
        place,
        "latent_nerf",
        prompt if sketch is None else sketch.stem,
        params,
        inputs,
        blobs,
        server=server,
        device=device,
        as_json=as_json,
        seed=seed,
        model=model,
    )
