"""A folder in diffusers format as objects Maquette works with. The only module that knows diffusers and
transformers.

What differs between checkpoints is read from the folder's own files: latent channels C, latent side n,
downsampling f, prediction type, noise table, scaling, tokens, and the defaults in `maquette.json`.
Safetensors only.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from maquette_wire.errors import UserError
from torch import Tensor

from . import denoiser as denoising
from . import latent_rgb
from .bridge import RgbBridge
from .text import TextEncoder

log = logging.getLogger(__name__)

_PARTS = ("unet", "vae", "text_encoder")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_KINDS = {"text_to_image": "Stable Diffusion", "instruct_edit": "InstructPix2Pix"}


@dataclass(frozen=True)
class Described:
    """What can be said of a model folder without loading its weights."""

    path: Path
    kind: str
    commercial: str
    notice: str
    vocabulary: tuple[str, ...]
    digest: str
    channels: int
    sample_size: int
    factor: int
    prediction: str
    settings: dict[str, Any]
    """the model's `maquette.json`, or {}"""


@dataclass
class TextToImage:
    """A loaded text-to-image model."""

    described: Described
    denoiser: denoising.Denoiser
    bridge: RgbBridge
    text: TextEncoder
    latent_rgb: Tensor  # [C, 3], float32, on the CPU
    device: torch.device

    @property
    def channels(self) -> int:
        """C."""
        return self.described.channels

    @property
    def sample_size(self) -> int:
        """n."""
        return self.described.sample_size

    @property
    def factor(self) -> int:
        """f."""
        return self.described.factor


def check(name: str) -> Described:
    """What the model in this folder (or hub cache entry) is.

    Raises UserError `model.*` when it is not there, not a model, lacks files, holds only pickles or does not
    fit.
    """
    path = find(name)
    index = _json(path / "model_index.json", name)
    unet = _json(path / "unet" / "config.json", name)
    vae = _json(path / "vae" / "config.json", name)
    text = _json(path / "text_encoder" / "config.json", name)
    scheduler = _json(path / "scheduler" / "scheduler_config.json", name)
    if not (path / "tokenizer").is_dir():
        raise _incomplete(name, "tokenizer/")
    for part in _PARTS:
        _weights(path / part, name)
    settings_file = path / "maquette.json"
    settings = _json(settings_file, name) if settings_file.is_file() else {}
    channels = int(vae.get("latent_channels", 4))
    taken = int(unet.get("in_channels", 0))
    if taken not in (channels, 2 * channels):
        raise UserError(
            "model.shape",
            f"The model '{name}' has a denoiser of {taken} channels for {channels} latent channels.",
            hint="Use a text-to-image checkpoint (as many) or an instruction editor (twice as many).",
        )
    width = text.get("hidden_size", (text.get("text_config") or {}).get("hidden_size"))
    if unet.get("cross_attention_dim") != width:
        raise UserError(
            "model.shape",
            f"The text encoder of '{name}' gives {width} numbers a token, its denoiser takes "
            f"{unet.get('cross_attention_dim')}.",
            hint="Use a folder whose parts belong together.",
        )
    prediction = scheduler.get("prediction_type", "epsilon")
    if prediction not in ("epsilon", "v_prediction", "sample"):
        raise UserError(
            "model.shape",
            f"The model '{name}' predicts '{prediction}', which Maquette cannot use.",
            hint="Use a model that predicts epsilon, v or the sample.",
        )
    vocabulary = settings.get("vocabulary", {})
    licence = settings.get("licence", {})
    return Described(
        path=path,
        kind="text_to_image" if taken == channels else "instruct_edit",
        commercial=str(licence.get("commercial", "unknown")),
        notice=str(settings.get("notice", "")),
        vocabulary=tuple(
            sorted({w for words in vocabulary.values() if isinstance(words, list) for w in words})
        ),
        digest=_digest(path, index),
        channels=channels,
        sample_size=int(_side(unet.get("sample_size") or 64)),
        factor=2 ** (len(vae.get("block_out_channels", vae.get("encoder_block_out_channels", [0] * 4))) - 1),
        prediction=prediction,
        settings=settings,
    )


def find(name: str) -> Path:
    """The folder of a model given as a folder or as a hub name that was fetched before.

    Raises UserError `model.not_found` or `model.bad`.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            raise UserError(
                "model.bad",
                f"'{name}' is not a model folder: it has no model_index.json.",
                hint="Give a folder in diffusers format.",
            )
        return path
    if path.exists():
        raise UserError(
            "model.bad", f"'{name}' is a file, not a model folder.", hint="Give a folder in diffusers format."
        )
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
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
        hint="Give 'pocket', a folder in diffusers format or a hub name; see 'maquette models list'.",
    )


def load(path: str, device: str, kind: str) -> Any:
    """The model as an object of its kind, on the device, ready to use.

    Raises UserError `model.*`.
    """
    described = check(path)
    if described.kind != kind:
        raise UserError(
            "model.shape",
            f"'{path}' is a model of {_KINDS[described.kind]}'s kind, this job needs {_KINDS[kind]}'s kind.",
            hint="Choose another model.",
        )
    if kind != "text_to_image":
        raise UserError("model.shape", "Instruction editors are not used by any method of this version.")
    return _text_to_image(described, torch.device(device))


def _text_to_image(described: Described, device: torch.device) -> TextToImage:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils import logging as transformers_logging

    # Progress is a message of ours; their bars and remarks on long prompts (which we cut ourselves) are not.
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    root = described.path
    half = device.type == "cuda"
    dtype = torch.float16 if half else torch.float32
    index = json.loads((root / "model_index.json").read_text(encoding="utf-8"))
    tiny = (index.get("vae") or ["", ""])[1] == "AutoencoderTiny"
    try:
        unet = UNet2DConditionModel.from_pretrained(
            root / "unet", low_cpu_mem_usage=False, **_options(root / "unet", dtype)
        )
        vae_class = AutoencoderTiny if tiny else AutoencoderKL
        vae_config = json.loads((root / "vae" / "config.json").read_text(encoding="utf-8"))
        # Some autoencoders overflow in fp16 and say so; bf16 has the range.
        vae_dtype = torch.bfloat16 if half and vae_config.get("force_upcast", True) else dtype
        vae = vae_class.from_pretrained(
            root / "vae", low_cpu_mem_usage=False, **_options(root / "vae", vae_dtype)
        )
        text_model = CLIPTextModel.from_pretrained(
            root / "text_encoder", **_options(root / "text_encoder", dtype)
        )
        tokenizer = CLIPTokenizer.from_pretrained(root / "tokenizer", local_files_only=True)
        scheduler = DDIMScheduler.from_pretrained(root / "scheduler", local_files_only=True)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise UserError(
            "model.bad",
            f"The model '{root}' could not be loaded: {str(error).splitlines()[0]}",
            hint="Fetch or convert the checkpoint again.",
        ) from error
    for module in (unet, vae, text_model):
        module.requires_grad_(False).eval().to(device)
    denoiser = denoising.Denoiser(
        unet,
        scheduler.alphas_cumprod.to(device=device, dtype=torch.float32),
        described.prediction,  # type: ignore[arg-type]
        dtype,
    )
    bridge = RgbBridge(
        vae,
        scaling=float(vae.config.scaling_factor),
        shift=float(getattr(vae.config, "shift_factor", None) or 0.0),
        channels=described.channels,
        factor=described.factor,
        dtype=vae_dtype,
    )
    matrix = None
    for place in (root / "vae" / "latent_rgb.json", root / "latent_rgb.json"):
        matrix = latent_rgb.stored(place, described.channels) if matrix is None else matrix
    if matrix is None:
        with torch.no_grad():
            matrix = latent_rgb.fitted(bridge, _file_digest(_weights(root / "vae", str(root))))
    text = TextEncoder(tokenizer, text_model, frozenset(described.vocabulary))
    return TextToImage(described, denoiser, bridge, text, matrix, device)


def _options(folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """Arguments of from_pretrained: this folder only, safetensors only, the half-precision file if alone."""
    variant = "fp16" if _weights(folder, str(folder)).name.endswith(".fp16.safetensors") else None
    return {"dtype": dtype, "variant": variant, "use_safetensors": True, "local_files_only": True}


def _weights(folder: Path, name: str) -> Path:
    """The weight file (or index of shards) of one part. Raises UserError."""
    candidates = sorted(folder.glob("*.safetensors"))
    plain = [c for c in candidates if ".fp16." not in c.name and ".non_ema." not in c.name]
    if plain or candidates:
        return (plain or candidates)[0]
    if any(any(folder.glob(pattern)) for pattern in _PICKLES):
        raise UserError(
            "model.pickle",
            f"The model '{name}' keeps its {folder.name} as a pickle, which Maquette never loads.",
            hint="Convert it to safetensors, or fetch a version that has them.",
        )
    raise _incomplete(name, f"{folder.name}/*.safetensors")


def _incomplete(name: str, what: str) -> UserError:
    return UserError(
        "model.incomplete",
        f"The model '{name}' lacks {what}.",
        hint="Fetch it again, or give a complete folder in diffusers format.",
    )


def _json(path: Path, name: str) -> dict[str, Any]:
    if not path.is_file():
        raise _incomplete(name, f"{path.parent.name}/{path.name}" if path.parent.name else path.name)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError("model.bad", f"'{path}' of the model '{name}' cannot be read: {error}.") from error
    if not isinstance(value, dict):
        raise UserError("model.bad", f"'{path}' of the model '{name}' is not a settings file.")
    return value


def _side(value: Any) -> int:
    return int(value[0]) if isinstance(value, (list, tuple)) else int(value)


def _digest(path: Path, index: dict[str, Any]) -> str:
    """Identifies a checkpoint: its index, its settings and the name, size and head of every weight file."""
    digest = hashlib.sha256(json.dumps(index, sort_keys=True).encode())
    for file in sorted(path.glob("*/*")):
        if file.suffix == ".json":
            digest.update(file.read_bytes())
        elif file.suffix == ".safetensors":
            with file.open("rb") as stream:
                digest.update(f"{file.parent.name}/{file.name} {file.stat().st_size}".encode())
                digest.update(stream.read(1 << 20))
    return digest.hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
