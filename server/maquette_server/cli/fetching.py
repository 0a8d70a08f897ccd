"""Downloading a model from the hub: first what it would bring, then the bringing. Safetensors only."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from maquette_wire.errors import UserError

from ..model_folders import weights

_TEXT = (".json", ".txt", ".model")
_NO_NEED = ("safety_checker/", "feature_extractor/")
_COMMERCIAL: dict[str, Literal["yes", "no", "conditions"]] = {
    "apache-2.0": "yes",
    "mit": "yes",
    "openrail": "conditions",
    "creativeml-openrail-m": "conditions",
    "openrail++": "conditions",
    "cc-by-4.0": "yes",
    "cc-by-nc-4.0": "no",
}


@dataclass(frozen=True)
class Plan:
    """What a download would bring. `size` in bytes; `commit` pins it."""

    name: str
    commit: str
    files: tuple[str, ...]
    size: int
    licence: str
    commercial: Literal["yes", "no", "conditions", "unknown"]


def plan(name: str, revision: str | None) -> Plan:
    """Asks the hub. Raises UserError `model.not_found`, `model.pickle`, `model.bad`, `offline`."""
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, OfflineModeIsEnabled, RepositoryNotFoundError

    try:
        info = huggingface_hub.HfApi().model_info(name, revision=revision, files_metadata=True, timeout=20)
    except OfflineModeIsEnabled as error:
        raise _offline("HF_HUB_OFFLINE is set") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise UserError(
            "model.not_found", f"The hub has no model '{name}'.", hint="Write it as owner/model."
        ) from error
    except Exception as error:  # the hub's library lets errors of its HTTP library through
        if _network(error):
            raise _offline("the hub cannot be reached") from error
        raise
    sizes = {entry.rfilename: entry.size or 0 for entry in info.siblings or ()}
    if "model_index.json" not in sizes:
        raise UserError(
            "model.bad",
            f"'{name}' is not in diffusers format: it has no model_index.json.",
            hint="Choose a checkpoint in diffusers format.",
        )
    files = chosen(tuple(sizes))
    licence = str(getattr(info.card_data, "license", None) or "not stated")
    return Plan(
        name=name,
        commit=info.sha or "main",
        files=files,
        size=sum(sizes[file] for file in files),
        licence=licence,
        commercial=_COMMERCIAL.get(licence, "unknown"),
    )


def chosen(names: tuple[str, ...]) -> tuple[str, ...]:
    """The files to fetch: texts, and of each part one set of safetensors, in full precision if there is one.

    Raises UserError `model.pickle` when a part has pickles only.
    """
    wanted = [n for n in names if n.endswith(_TEXT) and not n.startswith(_NO_NEED)]
    for part in weights.PARTS:
        own = [n for n in names if n.startswith(f"{part}/")]
        tensors = [n for n in own if n.endswith(".safetensors") and ".non_ema." not in n]
        plain = [n for n in tensors if ".fp16." not in n]
        if not tensors and any(n.endswith(weights.PICKLES) for n in own):
            raise UserError(
                "model.pickle",
                f"The model keeps its {part} as a pickle, which Maquette never loads.",
                hint="Choose a checkpoint with safetensors files.",
            )
        wanted += plain or tensors
    return tuple(sorted(set(wanted)))


def download(planned: Plan) -> Path:
    """Fetches the files of a plan into the hub's cache, with a progress bar; the folder they lie in.

    Raises UserError `offline`, OSError when the disk is full.
    """
    import huggingface_hub

    try:
        folder = huggingface_hub.snapshot_download(
            planned.name, revision=planned.commit, allow_patterns=list(planned.files)
        )
    except Exception as error:  # the hub's library lets errors of its HTTP library through
        if _network(error):
            raise _offline("the connection to the hub was lost") from error
        raise
    return Path(folder)


def _network(error: BaseException) -> bool:
    """Whether the way to the hub is what failed: an error of the HTTP library, or of a socket."""
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    kinds = (HfHubHTTPError, LocalEntryNotFoundError, ConnectionError, TimeoutError)
    # The hub's library changes its HTTP library, and that one its name (httpx, httpx2).
    return isinstance(error, kinds) or type(error).__module__.startswith(("httpx", "httpcore", "requests"))


def _offline(why: str) -> UserError:
    return UserError(
        "model.not_found",
        f"Nothing was downloaded: {why}.",
        hint="Connect to the network, or copy the model's folder here and name that.",
    )
