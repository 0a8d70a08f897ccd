"""All verbs together, and `--version`."""

from typing import Annotated

import maquette_wire
import typer

from . import dataset, doctor, edit, export, jobs, models, paint, reconstruct, render, sculpt, serve

app = typer.Typer(
    name="maquette",
    help="Paint and sculpt from words, learn scenes from photographs; alone or with a server for Blender.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"maquette {maquette_wire.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Paint and sculpt from words, learn scenes from photographs, alone or beside Blender."""


app.command("paint")(paint.paint)
app.command("sculpt")(sculpt.sculpt)
app.command("reconstruct")(reconstruct.reconstruct)
app.command("edit")(edit.edit)
app.command("render")(render.render)
app.command("evaluate")(render.evaluate)
app.command("export")(export.export)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.add_typer(jobs.app, name="jobs")
app.add_typer(models.app, name="models")
app.add_typer(dataset.app, name="dataset")
