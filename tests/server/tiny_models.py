"""Tiny checkpoints with random weights in diffusers format: one shaped like Stable Diffusion, one like the
pocket model.
"""

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from maquette_server import pocket
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel

POCKET = Path(pocket.__file__).parent / "weights" / "pocket-t2i"
POCKET_EDIT = POCKET.parent / "pocket-edit"


def stable_diffusion_like(folder: Path, prediction: str = "epsilon") -> Path:
    """f = 8, 77 tokens, 4 channels, latent side 16; no maquette.json, no latent_rgb.json."""
    return _write(folder, levels=4, tokens=77, prediction=prediction, side=16)


def pocket_like(folder: Path) -> Path:
    """f = 4, 32 tokens, 4 channels, latent side 8, v prediction."""
    return _write(folder, levels=3, tokens=32, prediction="v_prediction", side=8)


def editor_like(folder: Path, prediction: str = "epsilon", seed: int = 0) -> Path:
    """An instruction editor: f = 4, 32 tokens, 4 channels and 4 more of a picture, latent side 8."""
    return _write(folder, levels=3, tokens=32, prediction=prediction, side=8, pictures=True, seed=seed)


def clip_like(folder: Path) -> Path:
    """A CLIPModel for pictures of 32 pixels a side and texts of 32 tokens, 12 numbers an embedding."""
    torch.manual_seed(5)
    spoken = json.loads((POCKET / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    marks = {name: spoken[name] for name in ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")}
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    shutil.copytree(POCKET / "tokenizer", folder)
    _retoken(folder, 32)
    settings = CLIPConfig(
        text_config=sizes | marks | {"max_position_embeddings": 32},
        vision_config=sizes | {"image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    CLIPModel(settings).save_pretrained(folder)
    return folder


def _write(
    folder: Path,
    *,
    levels: int,
    tokens: int,
    prediction: str,
    side: int,
    pictures: bool = False,
    seed: int = 0,
) -> Path:
    torch.manual_seed(seed)
    blocks = ("DownEncoderBlock2D",) * levels, ("UpDecoderBlock2D",) * levels
    vae = AutoencoderKL(
        down_block_types=blocks[0],
        up_block_types=blocks[1],
        block_out_channels=(8,) * levels,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=side << (levels - 1),
        scaling_factor=0.18215,
    )
    unet = UNet2DConditionModel(
        sample_size=side,
        in_channels=8 if pictures else 4,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    spoken = json.loads((POCKET / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=spoken["vocab_size"],
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=tokens,
            bos_token_id=spoken["bos_token_id"],
            eos_token_id=spoken["eos_token_id"],
            pad_token_id=spoken["pad_token_id"],
        )
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=prediction
    )
    for name, part in (("vae", vae), ("unet", unet), ("text_encoder", text), ("scheduler", scheduler)):
        part.save_pretrained(folder / name)
    shutil.copytree(POCKET / "tokenizer", folder / "tokenizer")
    _retoken(folder / "tokenizer", tokens)
    index = {
        "_class_name": "StableDiffusionInstructPix2PixPipeline" if pictures else "StableDiffusionPipeline",
        "vae": ["diffusers", "AutoencoderKL"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "scheduler": ["diffusers", "DDIMScheduler"],
    }
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return folder


def _retoken(folder: Path, tokens: int) -> None:
    settings = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings["model_max_length"] = settings["max_length"] = tokens
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    whole = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    whole["truncation"] = whole["padding"] = None
    (folder / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
