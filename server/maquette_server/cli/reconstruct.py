"""`maquette reconstruct`: a radiance field from photographs with known cameras."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from maquette_wire import messages
from maquette_wire.errors import UserError

from . import endings, launch


class Field(StrEnum):
    """What learns."""

    grid = "grid"
    mip = "mip"


class Preset(StrEnum):
    """Of mip-NeRF."""

    paper = "paper"
    fast = "fast"
    small = "small"


class Bounds(StrEnum):
    """What the photographs show."""

    auto = "auto"
    object = "object"
    unbounded = "unbounded"
    forward = "forward"


@endings.ended
def reconstruct(
    dataset: Annotated[Path, typer.Argument(help="Folder of nerfstudio, Blender, LLFF or COLMAP form.")],
    out: Annotated[str, typer.Option(metavar="PATH", help="Folder for the scene.")],
    field: Annotated[Field, typer.Option(help="Fast grid, or mip-NeRF.")] = Field.grid,
    preset: Annotated[
        Preset | None, typer.Option(help="mip-NeRF as published, or cheaper; small is the default on a CPU.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps.")] = None,
    seconds: Annotated[float | None, typer.Option(help="Seconds of optimisation instead.")] = None,
    reduce: Annotated[int, typer.Option(help="Divide the pictures' sides by this.")] = 1,
    bounds: Annotated[
        Bounds, typer.Option(help="An object in a box, a whole place, or what lies one way (mip).")
    ] = Bounds.auto,
    appearance: Annotated[bool, typer.Option(help="Allow for pictures of different exposure.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace an earlier scene in --out.")] = False,
    seed: launch.Seed = 0,
    device: launch.Device = "",
    server: launch.Server = "",
    as_json: launch.Json = False,
) -> None:
    """Learn a scene from the posed photographs of DATASET; --out is then a folder for render and evaluate."""
    from . import captures, outputs

    place = outputs.folder(out)
    launch.check(place, server, device)
    outputs.check_free(place, "reconstruct", overwrite)
    from ..datasets import opening

    found = opening.read(dataset)
    blobs: captures.Blobs = {}
    inputs: tuple[messages.Input, ...] = captures.data_set(found, blobs)
    notes = found.notes
    try:
        depths = captures.depths(found, blobs)
    except UserError as error:  # they serve edits, and nothing is learnt from them
        depths = None
        notes = (*notes, f"No depths are kept: {error.sentence}")
    if depths is not None:
        inputs = (*inputs, depths)
    params = {
        "field": field.value,
        "preset": None if preset is None else preset.value,
        "steps": steps,
        "seconds": seconds,
        "reduce": reduce,
        "bounds": bounds.value,
        "appearance": appearance,
    }
    launch.run(
        place,
        "reconstruct",
        found.folder.resolve().name,
        params,
        inputs,
        blobs,
        server=server,
        device=device,
        as_json=as_json,
        seed=seed,
        notes=notes,
    )
