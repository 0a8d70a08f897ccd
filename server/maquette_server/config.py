"""What a data folder is configured with, and where it lies.

`config.json` in the data folder holds a `Config`; a missing file means the defaults. A *model* on the wire is
a name; this module turns names into folders. `pocket` and its editor `pocket-edit` are built in.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, get_args

import msgspec
import platformdirs
from maquette_wire import messages
from maquette_wire.errors import UserError

from .model_folders import checking, weights

METHOD_PACKAGES = ("maquette_server.methods",)
_WEIGHTS = Path(__file__).parent / "pocket" / "weights"
POCKET = _WEIGHTS / "pocket-t2i"
POCKET_EDIT = _WEIGHTS / "pocket-edit"
FILE = "config.json"


class ModelEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One model the server offers: a folder in diffusers format."""

    path: str
    kind: checking.Kind = "text_to_image"
    commercial: checking.Commercial = "unknown"


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a server accepts. Bytes unless said otherwise."""

    blob: Annotated[int, msgspec.Meta(ge=1)] = 2 * 2**30
    folder: Annotated[int, msgspec.Meta(ge=1)] = 100 * 2**30
    """all blobs of the data folder"""
    job: Annotated[int, msgspec.Meta(ge=1)] = 2 * 2**30
    """checkpoints and snapshots of one job"""
    clients: Annotated[int, msgspec.Meta(ge=1, le=1024)] = 16
    jobs: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 64
    """jobs that are not finished"""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Contents of config.json."""

    models: dict[str, ModelEntry] = {}
    default_model: str = "pocket"
    default_editor: str = "pocket-edit"
    """the default of methods that edit pictures"""
    lpips: str = ""
    """folder with the weights of LPIPS, as `maquette models lpips` leaves them; empty: there are none"""
    clip: str = ""
    """folder with a CLIPModel and its tokenizer, which figures of edits go by; empty: there is none"""
    limits: Limits = Limits()
    method_packages: tuple[str, ...] = METHOD_PACKAGES
    torch_threads: Annotated[int, msgspec.Meta(ge=1, le=256)] = 1
    checkpoint_seconds: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    """work between two checkpoints"""


def data_folder(given: str | Path | None = None) -> Path:
    """The data folder: as given, else `MAQUETTE_DATA_DIR`, else the user's own. It need not exist."""
    chosen = given or os.environ.get("MAQUETTE_DATA_DIR") or platformdirs.user_data_dir("maquette")
    return Path(chosen).absolute()


def load(folder: Path) -> Config:
    """The configuration of a data folder. Raises UserError `data.unusable` when the file cannot be read."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Config)
    except FileNotFoundError:
        return Config()
    except (msgspec.MsgspecError, OSError) as error:
        raise UserError(
            "data.unusable",
            f"The configuration '{folder / FILE}' cannot be read: {error}.",
            hint="Mend the file, or remove it to use the defaults.",
        ) from error


def save(folder: Path, config: Config) -> None:
    """Writes the configuration, whole or not at all; the folder is made if need be. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / (FILE + ".new")
    try:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(config), indent=2))
        os.replace(temporary, folder / FILE)
    except BaseException:  # Ctrl-C included: no half of it stays behind; raised again
        temporary.unlink(missing_ok=True)
        raise


def default_of(config: Config, kind: str) -> str:
    """Name of the default model of a kind."""
    return config.default_editor if kind == "instruct_edit" else config.default_model


def defaults(config: Config) -> dict[str, str]:
    """Names of the default models, by kind."""
    return {kind: default_of(config, kind) for kind in get_args(checking.Kind)}


def models_of(config: Config, extra: Mapping[str, str | Path] | None = None) -> dict[str, ModelEntry]:
    """Every model by name: the pocket models, the configured ones, then `extra` (name -> folder).

    The kind of an extra folder is read from its settings; what is wrong with the folder is said when it is
    used.
    """
    built_in = {
        "pocket": ModelEntry(path=str(POCKET), commercial="yes"),
        "pocket-edit": ModelEntry(path=str(POCKET_EDIT), kind="instruct_edit", commercial="yes"),
    }
    found = built_in | config.models
    for name, path in (extra or {}).items():
        found[name] = ModelEntry(path=str(path), kind=checking.kind_of(Path(path)))
    return found


def describe(name: str, entry: ModelEntry, default: bool = False) -> messages.ModelInfo:
    """One row of the list of models. A model that cannot be used is listed too; `check_model` says why."""
    info = messages.ModelInfo(name=name, kind=entry.kind, commercial=entry.commercial, default=default)
    try:
        found = checking.check(name, Path(entry.path))
        digest = weights.digest(found.path)
    except (UserError, OSError):
        return info
    return msgspec.structs.replace(
        info,
        commercial=found.commercial if entry.commercial == "unknown" else entry.commercial,
        notice=found.notice,
        vocabulary=found.vocabulary,
        digest=digest,
    )


def check_model(name: str, entry: ModelEntry) -> None:
    """Looks at the files of a model without loading any. Raises UserError `model.*`."""
    found = checking.check(name, Path(entry.path))
    if found.kind != entry.kind:
        raise UserError(
            "model.shape",
            f"The model '{name}' is configured as {entry.kind}, its folder holds one for {found.kind}.",
            hint=f"Correct its kind in the server's {FILE}, or choose another model.",
        )
