"""What a model folder is, read from its settings, and whether Maquette can use it. Loads no weights.

What differs between checkpoints stands in the folder's own files: latent channels C, latent side n,
downsampling f, prediction type, scaling. `maquette.json` beside them may hold a notice, a licence, the words
the model knows and defaults for the methods; `latent_rgb.json` the matrix from latents to colour.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
from maquette_wire.errors import UserError
from msgspec import Meta

from . import places, weights

Kind = Literal["text_to_image", "instruct_edit"]
Commercial = Literal["yes", "no", "conditions", "unknown"]
Prediction = Literal["epsilon", "v_prediction", "sample"]
Matrix = tuple[tuple[float, float, float], ...]  # [C, 3]

_Count = Annotated[int, Meta(ge=1, le=65536)]
_Side = Annotated[int, Meta(ge=4, le=4096)]
_Share = Annotated[float, Meta(ge=0, lt=1)]
_Scale = Annotated[float, Meta(gt=0, le=1000)]
_Entry = Annotated[float, Meta(ge=-1000, le=1000)]
# Not an integer: transformers writes 10^30 for a tokenizer that takes any length.
_Tokens = Annotated[float, Meta(ge=8)]
_Blocks = Annotated[tuple[_Count, ...], Meta(min_length=1, max_length=8)]
_Read = TypeVar("_Read")

_CLASSES = {
    "unet": ("UNet2DConditionModel",),
    "vae": ("AutoencoderKL", "AutoencoderTiny"),
    "text_encoder": ("CLIPTextModel",),
    "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
}
"""what a part may be, as the index names it"""


class _Index(msgspec.Struct):
    unet: tuple[str | None, str | None] | None = None
    vae: tuple[str | None, str | None] | None = None
    text_encoder: tuple[str | None, str | None] | None = None
    tokenizer: tuple[str | None, str | None] | None = None


class _Unet(msgspec.Struct):
    in_channels: _Count
    cross_attention_dim: _Count
    # Not `tuple[_Side, _Side]`: msgspec 0.22 crashes collecting a union of that with a bounded number.
    sample_size: _Side | Annotated[tuple[_Side, ...], Meta(min_length=2, max_length=2)] | None = None
    block_out_channels: _Blocks = (320, 640, 1280, 1280)  # what diffusers takes when nothing is said


class _Vae(msgspec.Struct):
    latent_channels: _Count
    block_out_channels: _Blocks | None = None
    encoder_block_out_channels: _Blocks | None = None
    scaling_factor: _Scale | None = None
    shift_factor: _Entry | None = None
    force_upcast: bool | None = None


class _TextConfig(msgspec.Struct):
    hidden_size: _Count | None = None
    max_position_embeddings: _Tokens | None = None


class _Text(_TextConfig):
    text_config: _TextConfig | None = None


class _Tokenizer(msgspec.Struct):
    model_max_length: _Tokens | None = None


class _Scheduler(msgspec.Struct):
    prediction_type: str = "epsilon"
    num_train_timesteps: Annotated[int, Meta(ge=10, le=100_000)] = 1000
    beta_start: _Share | None = None
    beta_end: _Share | None = None
    trained_betas: tuple[_Share, ...] | None = None


class _Licence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str = ""
    commercial: Commercial = "unknown"


class _Notes(msgspec.Struct, forbid_unknown_fields=True):
    """A model's `maquette.json`. The parts named after methods are theirs to read; `sample` is for whoever
    draws plain pictures from the model.
    """

    notice: str = ""
    licence: _Licence = _Licence()
    vocabulary: dict[str, tuple[str, ...]] = {}
    paint: dict[str, Any] = {}
    sculpt: dict[str, Any] = {}
    edit: dict[str, Any] = {}
    sample: dict[str, Any] = {}

    @property
    def words(self) -> tuple[str, ...]:
        """Every word of the vocabulary once, in order."""
        return tuple(sorted({word for words in self.vocabulary.values() for word in words}))


class _LatentRgb(msgspec.Struct):
    matrix: tuple[tuple[_Entry, _Entry, _Entry], ...]


@dataclass(frozen=True)
class Described:
    """What can be said of a model folder without loading its weights."""

    path: Path
    kind: Kind
    commercial: Commercial
    notice: str
    vocabulary: tuple[str, ...]
    channels: int
    sample_size: int
    factor: int
    stride: int
    """pixels; sides of pictures are multiples of it"""
    prediction: Prediction
    tiny_vae: bool
    """whether the autoencoder is diffusers' small one"""
    force_upcast: bool
    """whether the autoencoder overflows in half precision"""
    latent_rgb: Matrix | None
    settings: dict[str, Any]
    """defaults of methods from `maquette.json`, by `paint`, `sculpt`, `edit`"""


def check(name: str, folder: Path | None = None) -> Described:
    """What the model is. `folder` is where it lies, if that is known; else `name` says it.

    Raises UserError `model.*` when it is not there, not a model, lacks files, holds only pickles or does not
    fit.
    """
    path = places.find(name) if folder is None else folder
    if not path.is_dir():
        sentence = f"The folder '{path}' of the model '{name}' does not exist."
        raise UserError("model.not_found", sentence, hint="Put it back, or choose another model.")
    if not (path / "model_index.json").is_file():
        raise UserError(
            "model.bad",
            f"'{name}' is not a model folder: it has no model_index.json.",
            hint="Give a folder in diffusers format.",
        )
    index = _read(path / "model_index.json", _Index, name)
    _check_classes(index, name)
    weights.check(path, name)
    _check_tokenizer(path / "tokenizer", name)
    unet = _read(path / "unet" / "config.json", _Unet, name)
    vae = _read(path / "vae" / "config.json", _Vae, name)
    text = _read(path / "text_encoder" / "config.json", _Text, name)
    scheduler = _read(path / "scheduler" / "scheduler_config.json", _Scheduler, name)
    notes_file = path / "maquette.json"
    notes = _read(notes_file, _Notes, name) if notes_file.is_file() else _Notes()
    prediction = _check_fit(unet, vae, text, scheduler, name)
    blocks = vae.block_out_channels or vae.encoder_block_out_channels
    if blocks is None:
        raise _bad(path / "vae" / "config.json", name, "it does not say its block_out_channels")
    side = unet.sample_size or 64
    return Described(
        path=path,
        kind="text_to_image" if unet.in_channels == vae.latent_channels else "instruct_edit",
        commercial=notes.licence.commercial,
        notice=notes.notice,
        vocabulary=notes.words,
        channels=vae.latent_channels,
        sample_size=side if isinstance(side, int) else side[0],
        factor=2 ** (len(blocks) - 1),
        stride=2 ** (len(blocks) + len(unet.block_out_channels) - 2),
        prediction=prediction,
        tiny_vae=bool(index.vae and index.vae[1] == "AutoencoderTiny"),
        force_upcast=vae.force_upcast is not False,
        latent_rgb=_latent_rgb(path, vae.latent_channels, name),
        settings={part: found for part in ("paint", "sculpt", "edit") if (found := getattr(notes, part))},
    )


def kind_of(folder: Path) -> Kind:
    """Which kind of model a folder holds; a text-to-image model when it cannot be told."""
    try:
        return check(str(folder), folder).kind
    except UserError:
        return "text_to_image"


def _check_classes(index: _Index, name: str) -> None:
    for part, usable in _CLASSES.items():
        entry = getattr(index, part)
        if entry and entry[1] and entry[1] not in usable:
            raise UserError(
                "model.shape",
                f"The {part} of the model '{name}' is a {entry[1]}, which Maquette cannot use.",
                hint="Choose a Stable Diffusion checkpoint of the 1.x or 2.x family.",
            )


def _check_tokenizer(folder: Path, name: str) -> None:
    if (folder / "tokenizer_config.json").is_file():
        _read(folder / "tokenizer_config.json", _Tokenizer, name)
    if (folder / "tokenizer.json").is_file():
        return
    for file in ("vocab.json", "merges.txt"):
        if not (folder / file).is_file():
            sentence = f"The model '{name}' lacks tokenizer/{file}."
            raise UserError("model.incomplete", sentence, hint=weights.HINT)


def _check_fit(unet: _Unet, vae: _Vae, text: _Text, scheduler: _Scheduler, name: str) -> Prediction:
    """Whether the parts belong together; returns what the denoiser predicts."""
    if unet.in_channels not in (vae.latent_channels, 2 * vae.latent_channels):
        raise UserError(
            "model.shape",
            f"The model '{name}' has a denoiser of {unet.in_channels} channels for {vae.latent_channels}"
            " latent channels.",
            hint="Use a text-to-image checkpoint (as many) or an instruction editor (twice as many).",
        )
    width = text.hidden_size or (text.text_config.hidden_size if text.text_config else None)
    if unet.cross_attention_dim != width:
        raise UserError(
            "model.shape",
            f"The text encoder of '{name}' gives {width} numbers a token, its denoiser takes "
            f"{unet.cross_attention_dim}.",
            hint="Use a folder whose parts belong together.",
        )
    for prediction in get_args(Prediction):
        if scheduler.prediction_type == prediction:
            return prediction
    raise UserError(
        "model.shape",
        f"The model '{name}' predicts '{scheduler.prediction_type}', which Maquette cannot use.",
        hint="Use a model that predicts epsilon, v or the sample.",
    )


def _latent_rgb(folder: Path, channels: int, name: str) -> Matrix | None:
    for file in (folder / "vae" / "latent_rgb.json", folder / "latent_rgb.json"):
        if not file.is_file():
            continue
        matrix = _read(file, _LatentRgb, name).matrix
        if len(matrix) != channels:
            raise _bad(file, name, f"its matrix has {len(matrix)} rows for {channels} latent channels")
        return matrix
    return None


def _read(file: Path, kind: type[_Read], name: str) -> _Read:
    """A settings file; numbers that are none, text for a number and NaN are errors of the model."""
    if not file.is_file():
        raise UserError(
            "model.incomplete",
            f"The model '{name}' lacks {_short(file)}.",
            hint=weights.HINT,
        )
    try:
        return msgspec.json.decode(file.read_bytes(), type=kind)
    except msgspec.MsgspecError as error:
        raise _bad(file, name, str(error)) from error
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise _bad(file, name, f"it cannot be read ({type(error).__name__})") from error


def _bad(file: Path, name: str, why: str) -> UserError:
    return UserError(
        "model.bad",
        f"'{_short(file)}' of the model '{name}' cannot be used: {why}.",
        hint="Correct the file, or fetch the model again.",
    )


def _short(file: Path) -> str:
    """The file as it is called inside its model folder."""
    return f"{file.parent.name}/{file.name}" if file.parent.name in weights.FOLDERS else file.name
