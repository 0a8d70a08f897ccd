"""Where the model lies that somebody named: a folder, or a hub name that was fetched before."""

import re
from pathlib import Path

from maquette_wire.errors import UserError


def find(name: str) -> Path:
    """The folder of a model written as a folder or as a hub name. Raises UserError `model.*`."""
    path = Path(name).expanduser()
    if path.is_dir():
        return path.absolute()
    if path.exists():
        raise UserError(
            "model.bad", f"'{name}' is a file, not a model folder.", hint="Give a folder in diffusers format."
        )
    if is_hub_name(name):
        import huggingface_hub
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            return Path(huggingface_hub.snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, FileNotFoundError) as error:
            raise UserError(
                "model.not_found",
                f"The model '{name}' is not on this computer.",
                hint=f"Fetch it first: maquette models fetch {name}",
                fix="models_fetch",
            ) from error
    raise UserError(
        "model.not_found",
        f"There is no model '{name}'.",
        hint="Give 'pocket', a folder in diffusers format, or a hub name; 'maquette models list' shows all.",
    )


def is_hub_name(name: str) -> bool:
    """Whether it looks like `owner/model`."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[\w.-]+", name) is not None
