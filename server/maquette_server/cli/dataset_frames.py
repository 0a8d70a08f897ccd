"""`maquette dataset frames`: pictures of films, with the films' cameras where these are known."""

import json
from pathlib import Path
from typing import Annotated

import typer
from maquette_wire import messages

from . import endings, launch, progress


@endings.ended
def frames(
    source: Annotated[Path, typer.Argument(help="A film, or a folder with one film a camera.")],
    destination: Annotated[Path, typer.Argument(help="New folder for the pictures.")],
    every: Annotated[int, typer.Option(min=1, max=1_000_000, help="Take each so many-th frame.")] = 1,
    fps: Annotated[float | None, typer.Option(help="Take so many a second instead.")] = None,
    start: Annotated[float, typer.Option(min=0, help="Seconds from the first frame.")] = 0.0,
    end: Annotated[float | None, typer.Option(min=0, help="Seconds from the first frame.")] = None,
    reduce: Annotated[int, typer.Option(min=1, max=64, help="Divide the pictures' sides by this.")] = 1,
    size: Annotated[
        int | None, typer.Option(min=8, max=8192, help="Or pixels of the long side, if that is less.")
    ] = None,
    lossless: Annotated[bool, typer.Option(help="PNG instead of JPEG.")] = False,
    without: Annotated[list[str] | None, typer.Option(help="Leave this camera out; repeatable.")] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace frames written earlier.")] = False,
    as_json: launch.Json = False,
) -> None:
    """Write the frames of SOURCE as a data set: pictures, times, and the cameras that lie beside it."""
    from ..datasets import films, rig

    choice = films.Choice(every, fps, start, end, reduce, size, lossless)
    found = rig.read(source, tuple(without or ()))
    made: films.Made | None = None
    with progress.Reporter(as_json) as reporter:
        for note in () if found.known is None else found.known.notes:
            reporter.remark(note)
        for told in films.write(found, destination, choice, overwrite):
            if isinstance(told, films.Made):
                made = told
                continue
            total = max(told.of, told.pictures)
            reporter.body("", messages.ProgressBody(step=told.pictures, total=total, stage=told.camera))
    assert made is not None
    notes = list(made.notes) if made.posed else [*made.notes, _unposed(destination, made.cameras)]
    if as_json:
        about = {"pictures": made.pictures, "cameras": made.cameras, "posed": made.posed, "notes": notes}
        typer.echo(json.dumps({"event": "result", "out": str(destination), **about}))
        return
    cameras = "one camera" if made.cameras == 1 else f"{made.cameras} cameras"
    typer.echo(f"{destination}: {made.pictures} pictures of {cameras}")
    for note in notes:
        typer.echo(f"note: {note}")


def _unposed(destination: Path, cameras: int) -> str:
    """What is missing, and how to get it."""
    if cameras == 1:
        return (
            "No cameras are known yet. Solve them, for example: colmap automatic_reconstructor"
            f" --workspace_path {destination} --image_path {destination}/images; its model in"
            f" {destination}/sparse/0 and these pictures are a data set then."
        )
    return (
        "No cameras are known yet. Solve them for one picture of each film, for example with COLMAP for"
        f" {destination}/images/*/00000.*; put its model (sparse/0), transforms.json or poses_bounds.npy"
        " beside the films and run this again with --overwrite."
    )
