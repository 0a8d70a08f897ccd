"""`maquette models`: the models that can be used, what they are, and fetching one."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from maquette_wire.errors import UserError

from . import endings
from .launch import Json, Server

if TYPE_CHECKING:
    from .. import config as configuration

app = typer.Typer(help="The models: list, check, choose, fetch.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="MODEL", help="Name of the list, folder, or hub name.")]
COMMERCIAL = {"yes": "yes", "no": "no", "conditions": "with conditions", "unknown": "unknown"}


@app.command("list")
@endings.ended
def list_models(server: Server = "", as_json: Json = False) -> None:
    """List the models of this machine, or those of a server."""
    from . import table

    rows = _of_server(server) if server else _of_here()
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    table.show(
        ("name", "kind", "commercial use", "default", "where"),
        [
            [
                row["name"],
                row["kind"],
                COMMERCIAL[row["commercial"]],
                "default" if row["default"] else "",
                row["where"],
            ]
            for row in rows
        ],
    )


@app.command()
@endings.ended
def check(model: Name, server: Server = "", as_json: Json = False) -> None:
    """Check that a model can be used, and say what it is. Nothing is downloaded."""
    if server:
        from maquette_wire import happenings

        from . import connection as connections

        with connections.Connection(server, "command line") as connection:
            connection.connect()
            info = connection.ask(connection.link.check_model(model), happenings.ModelsListed).models[0]
        facts: dict[str, Any] = {"name": info.name, "kind": info.kind, "commercial": info.commercial}
        facts |= {"notice": info.notice}
    else:
        facts = _checked_here(model)
    if as_json:
        typer.echo(json.dumps(facts))
        return
    for key, value in facts.items():
        if value not in ("", [], {}):
            typer.echo(f"{key:12} {value}")


@app.command()
@endings.ended
def default(model: Name, as_json: Json = False) -> None:
    """Make a model the default of its kind: a name of the list, or a folder or hub name, which is put on the
    list.
    """
    import msgspec

    from .. import config
    from ..model_folders import checking

    where, settings = _settings()
    name, added = _named(model, settings)
    entries = settings.models | {
        key: config.ModelEntry(path=path, kind=checking.kind_of(Path(path))) for key, path in added.items()
    }
    settings = msgspec.structs.replace(settings, models=entries)
    edits = config.models_of(settings)[name].kind == "instruct_edit"
    changed = {"default_editor" if edits else "default_model": name}
    _save(where, msgspec.structs.replace(settings, **changed))
    what = "the default of what edits pictures" if edits else "the default model"
    typer.echo(json.dumps({"default": name}) if as_json else f"{name} is {what}.")


@app.command()
@endings.ended
def lpips(
    folder: Annotated[Path, typer.Argument(help="Folder with the weights as they are published.")],
    as_json: Json = False,
) -> None:
    """Let evaluations measure LPIPS with the weights of FOLDER: a backbone of torchvision (vgg16, alexnet or
    squeezenet1_1) and its published heads. They are copied as safetensors.
    """
    import msgspec

    from ..metrics import lpips as metric

    where, settings = _settings()
    target = where / "lpips"
    try:
        network = metric.convert(folder, target)
    except OSError as error:
        raise UserError(
            "data.unusable", f"The weights cannot be written to '{target}': {error.strerror}."
        ) from error
    _save(where, msgspec.structs.replace(settings, lpips=str(target)))
    typer.echo(
        json.dumps({"lpips": network, "where": str(target)})
        if as_json
        else f"LPIPS ({network}) is measured by evaluations from now on."
    )


@app.command()
@endings.ended
def clip(
    folder: Annotated[Path, typer.Argument(help="Folder with a CLIPModel as safetensors and its tokenizer.")],
    as_json: Json = False,
) -> None:
    """Let figures of edits go by the CLIP model in FOLDER, such as a copy of openai/clip-vit-large-patch14,
    which published figures go by. It stays where it is.
    """
    import msgspec

    from ..metrics import clip as metric

    where, settings = _settings()
    target = folder.resolve()
    metric.load(target)
    _save(where, msgspec.structs.replace(settings, clip=str(target)))
    typer.echo(
        json.dumps({"clip": target.name, "where": str(target)})
        if as_json
        else f"Edits are judged by CLIP ({target.name}) from now on."
    )


@app.command()
@endings.ended
def release(server: Server = "", as_json: Json = False) -> None:
    """Free the models that idle workers of a server hold in memory."""
    from maquette_wire import happenings

    from .. import addresses
    from . import connection as connections

    with connections.Connection(server or addresses.DEFAULT_ADDRESS, "command line") as connection:
        connection.connect()
        freed = connection.ask(connection.link.release(), happenings.Done).freed_mb
    typer.echo(json.dumps({"freed_mb": freed}) if as_json else f"{freed:.0f} MB of device memory were freed.")


@app.command()
@endings.ended
def fetch(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Hub name, such as owner/model.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    revision: Annotated[str, typer.Option(help="Commit, branch or tag; the main branch if not given.")] = "",
    as_json: Json = False,
) -> None:
    """Download a model from the hub: safetensors only, after showing the size."""
    import msgspec

    from .. import config
    from ..model_folders import checking
    from . import fetching, model_names

    where, settings = _settings()
    plan = fetching.plan(name, revision or None)
    typer.echo(
        f"{name}: {plan.size / 1e9:.2f} GB in {len(plan.files)} files, licence {plan.licence}.", err=True
    )
    if not yes:
        typer.confirm("Download it?", abort=True, err=True)
    folder = fetching.download(plan)
    model_names.resolve(str(folder), settings, "text_to_image")
    entry = config.ModelEntry(path=str(folder), kind=checking.kind_of(folder), commercial=plan.commercial)
    _save(where, msgspec.structs.replace(settings, models=settings.models | {name: entry}))
    typer.echo(json.dumps({"name": name, "where": str(folder)}) if as_json else f"{name}: {folder}")


def _settings() -> "tuple[Path, configuration.Config]":
    from .. import config

    folder = config.data_folder()
    return folder, config.load(folder)


def _save(folder: Path, settings: "configuration.Config") -> None:
    from .. import config

    try:
        config.save(folder, settings)
    except PermissionError as error:
        raise UserError(
            "data.unusable", f"The data folder '{folder}' cannot be written: {error.strerror}."
        ) from error


def _named(model: str, settings: "configuration.Config") -> tuple[str, dict[str, str]]:
    from . import model_names

    return model_names.resolve(model, settings, "text_to_image")


def _of_here() -> list[dict[str, Any]]:
    from .. import config

    _, settings = _settings()
    rows: list[dict[str, Any]] = []
    for kind, place in (("lpips", settings.lpips), ("clip", settings.clip)):
        if place:
            about = {"name": kind, "kind": kind, "commercial": "unknown", "default": False}
            rows.append(about | {"where": place})
    for name, entry in config.models_of(settings).items():
        info = config.describe(name, entry, default=name in config.defaults(settings).values())
        rows.append(
            {
                "name": name,
                "kind": info.kind,
                "commercial": info.commercial,
                "default": info.default,
                "where": entry.path,
            }
        )
    return rows


def _of_server(server: str) -> list[dict[str, Any]]:
    from maquette_wire import happenings

    from . import connection as connections

    with connections.Connection(server, "command line") as connection:
        connection.connect()
        listed = connection.ask(connection.link.list_models(), happenings.ModelsListed).models
    return [
        {
            "name": info.name,
            "kind": info.kind,
            "commercial": info.commercial,
            "default": info.default,
            "where": server,
        }
        for info in listed
    ]


def _checked_here(model: str) -> dict[str, Any]:
    """What the model's files say. Raises UserError `model.*`."""
    from .. import config
    from ..model_folders import checking, places, weights

    _, settings = _settings()
    known = config.models_of(settings)
    found = checking.check(model, Path(known[model].path) if model in known else places.find(model))
    return {
        "name": model,
        "where": str(found.path),
        "kind": found.kind,
        "commercial": found.commercial,
        "prediction": found.prediction,
        "channels": found.channels,
        "sample_size": found.sample_size,
        "factor": found.factor,
        "digest": weights.digest(found.path),
        "notice": found.notice,
        "vocabulary": list(found.vocabulary),
    }
