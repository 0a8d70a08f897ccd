"""A folder in diffusers format as objects Maquette works with. The only module that knows diffusers, and but
for `metrics.clip` the only one that knows transformers.

What differs between checkpoints was read from the folder's own files (`model_folders.checking`). Safetensors
only.
"""

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from maquette_wire.errors import UserError
from torch import Tensor

from ..model_folders import weights
from ..model_folders.checking import Described, check
from . import denoiser as denoising
from . import latent_rgb, shared_attention, tracing
from .bridge import RgbBridge
from .text import TextEncoder

__all__ = ["Described", "InstructEdit", "TextToImage", "load"]

log = logging.getLogger(__name__)

_KINDS = {"text_to_image": "Stable Diffusion", "instruct_edit": "InstructPix2Pix"}


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


@dataclass
class InstructEdit:
    """A loaded instruction editor; its network takes a picture's latents beside the noisy ones."""

    described: Described
    denoiser: denoising.Denoiser
    sharing: denoising.Denoiser
    """the same network, its views looking at one of them too"""
    bridge: RgbBridge
    text: TextEncoder
    device: torch.device


@dataclass(frozen=True)
class _Parts:
    """What a folder holds, on the device."""

    unet: Any
    vae: Any
    text: TextEncoder
    alphas_cumprod: Tensor
    final_abar: float
    dtype: torch.dtype
    bridge: RgbBridge


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
    make = _text_to_image if kind == "text_to_image" else _instruct_edit
    return make(described, torch.device(device))


def _instruct_edit(described: Described, device: torch.device) -> InstructEdit:
    parts = _loaded(described, device)
    shared = shared_attention.Shared(parts.unet, branches=3)
    denoiser, sharing = (
        denoising.Denoiser(
            tracing.Traced(each) if tracing.worth_it(parts.unet, device) else each,
            parts.alphas_cumprod,
            described.prediction,
            parts.dtype,
            parts.final_abar,
        )
        for each in (parts.unet, shared)
    )
    return InstructEdit(described, denoiser, sharing, parts.bridge, parts.text, device)


def _text_to_image(described: Described, device: torch.device) -> TextToImage:
    parts = _loaded(described, device)
    denoiser = denoising.Denoiser(
        tracing.Traced(parts.unet) if tracing.worth_it(parts.unet, device) else parts.unet,
        parts.alphas_cumprod,
        described.prediction,
        parts.dtype,
        parts.final_abar,
    )
    if described.latent_rgb is not None:
        matrix = torch.tensor(described.latent_rgb, dtype=torch.float32)
    else:
        digest = _file_digest(weights.files_of(described.path / "vae", str(described.path))[0])
        with torch.no_grad():
            matrix = latent_rgb.fitted(parts.bridge, digest)
    return TextToImage(described, denoiser, parts.bridge, parts.text, matrix, device)


def _loaded(described: Described, device: torch.device) -> _Parts:
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
    try:
        unet = UNet2DConditionModel.from_pretrained(
            root / "unet", low_cpu_mem_usage=False, **_options(root / "unet", dtype)
        )
        vae_class = AutoencoderTiny if described.tiny_vae else AutoencoderKL
        # Some autoencoders overflow in fp16 and say so; bf16 has the range.
        vae_dtype = torch.bfloat16 if half and described.force_upcast else dtype
        vae = vae_class.from_pretrained(
            root / "vae", low_cpu_mem_usage=False, **_options(root / "vae", vae_dtype)
        )
        text_model = CLIPTextModel.from_pretrained(
            root / "text_encoder", **_options(root / "text_encoder", dtype)
        )
        tokenizer = CLIPTokenizer.from_pretrained(root / "tokenizer", local_files_only=True)
        scheduler = DDIMScheduler.from_pretrained(root / "scheduler", local_files_only=True)
    except Exception as error:
        # Three libraries meet settings that nobody promised to be sensible, and raise errors of all kinds.
        if isinstance(error, MemoryError) or "memory" in str(error).lower():  # the machine is too small
            raise
        log.info("the model could not be loaded", exc_info=error)
        why = (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
        raise _unloadable(root, why) from error
    if not bool(((scheduler.alphas_cumprod >= 0) & (scheduler.alphas_cumprod <= 1)).all()):
        raise _unloadable(root, "its noise levels are no shares")
    for module in (unet, vae, text_model):
        module.requires_grad_(False).eval().to(device)
    bridge = RgbBridge(
        vae,
        scaling=float(vae.config.scaling_factor),
        shift=float(getattr(vae.config, "shift_factor", None) or 0.0),
        channels=described.channels,
        factor=described.factor,
        dtype=vae_dtype,
    )
    text = TextEncoder(tokenizer, text_model, frozenset(described.vocabulary))
    alphas = scheduler.alphas_cumprod.to(device=device, dtype=torch.float32)
    return _Parts(unet, vae, text, alphas, float(scheduler.final_alpha_cumprod), dtype, bridge)


def _options(folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """Arguments of from_pretrained: this folder only, safetensors only, the half-precision file if alone."""
    variant = "fp16" if weights.files_of(folder, str(folder))[0].name.endswith(".fp16.safetensors") else None
    return {"dtype": dtype, "variant": variant, "use_safetensors": True, "local_files_only": True}


def _unloadable(root: Path, why: str) -> UserError:
    return UserError(
        "model.bad",
        f"The model '{root}' could not be loaded: {why}.",
        hint="Fetch or convert the checkpoint again.",
    )


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
