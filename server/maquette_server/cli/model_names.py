"""What a user may write after `--model`: a name of the list, a folder, or a hub name fetched before."""

import re
from pathlib import Path

from .. import config
from ..model_folders import checking, places


def resolve(written: str, settings: config.Config, kind: str) -> tuple[str, dict[str, str]]:
    """Name of the model, and further models (name -> folder) that the engine must know for it. kind: whose
    default is meant where nothing was written.

    Raises UserError `model.not_found`, `model.bad`, `model.incomplete`, `model.pickle`.
    """
    known = config.models_of(settings)
    name = written or config.default_of(settings, kind)
    if name in known:
        config.check_model(name, known[name])
        return name, {}
    folder = places.find(name)
    short = re.sub(r"[^A-Za-z0-9_.-]", "-", folder.name if Path(name).exists() else name)[:64] or "model"
    short = f"{short}-given" if short in known else short
    config.check_model(name, config.ModelEntry(path=str(folder), kind=checking.kind_of(folder)))
    return short, {short: str(folder)}
