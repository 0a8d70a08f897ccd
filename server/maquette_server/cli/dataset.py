"""`maquette dataset check|multiscale|frames`: what is wrong with a data set, the same at several sizes, and
pictures of films.
"""

import json
from pathlib import Path
from typing import Annotated

import typer
from maquette_wire.errors import UserError

from . import dataset_frames, endings, launch

app = typer.Typer(help="Look at data sets of photographs with cameras.", no_args_is_help=True)
app.command()(dataset_frames.frames)
Folder = Annotated[Path, typer.Argument(help="Folder of nerfstudio, Blender, LLFF or COLMAP form.")]


@app.command()
@endings.ended
def check(
    folder: Folder,
    picture: Annotated[Path | None, typer.Option(help="PNG to draw the cameras into.")] = None,
    as_json: launch.Json = False,
) -> None:
    """Say what the data set is and what is wrong with it; ends with 2 when something keeps it from use."""
    from ..datasets import check as checking
    from ..datasets import opening
    from ..media import png

    dataset = opening.read(folder)
    findings = checking.examine(dataset)
    if picture is not None:
        try:
            picture.write_bytes(png.write(checking.picture(dataset)))
        except OSError as error:
            raise UserError("output.unusable", f"'{picture}' cannot be written: {error.strerror}.") from error
    counts = {split: len(dataset.of(split)) for split in ("train", "val", "test")}
    if as_json:
        rows = [{"file": one.file, "severity": one.severity, "sentence": one.sentence} for one in findings]
        about = {
            "format": dataset.format,
            "pictures": counts,
            "up": dataset.up.tolist(),
            "near": dataset.near,
        }
        typer.echo(json.dumps({"event": "result", **about, "far": dataset.far, "findings": rows}))
    else:
        told = ", ".join(f"{count} {split}" for split, count in counts.items() if count)
        typer.echo(f"{folder}: {dataset.format}, {told}; up {', '.join(f'{x:.2f}' for x in dataset.up)}")
        for note in dataset.notes:
            typer.echo(f"note: {note}")
        for one in findings:
            typer.echo(
                f"{one.severity}: {one.file}: {one.sentence}"
                if one.file
                else f"{one.severity}: {one.sentence}"
            )
    if any(one.severity == "error" for one in findings):
        raise typer.Exit(endings.MENDABLE)


@app.command()
@endings.ended
def multiscale(
    source: Folder,
    destination: Annotated[Path, typer.Argument(help="New folder for the multi-scale set.")],
    levels: Annotated[int, typer.Option(min=1, max=8, help="Sizes, each half of the one before.")] = 4,
    parity: Annotated[
        bool, typer.Option(help="As the published script: straight alpha, cut to 8 bits.")
    ] = False,
) -> None:
    """Write SOURCE with every picture at several sizes, as mip-NeRF learns from."""
    from ..datasets import multiscale as writing
    from ..datasets import opening

    made = writing.convert(opening.read(source), destination, levels, parity)
    typer.echo(f"{destination}: {len(made.frames)} pictures")
