"""The trained parts as folders in diffusers format, in half precision, and what goes with them.

model_index.json, unet, vae, text_encoder, tokenizer, scheduler   as any pipeline of diffusers writes them
maquette.json     notice, licence, words, defaults of the methods
latent_rgb.json   the least-squares matrix from latents to colour, and how well it holds
README.md         the model card
training.json     seed, recipe, steps, versions, digests
"""

import json
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

from ..drawing import pictures
from ..refusals import Refused
from . import autoencoder, card, checkpoints, data, denoising, files, tokenizer
from .optimising import Averaged
from .recipe import Recipe

FOLDERS = {"text_to_image": "pocket-t2i", "instruct": "pocket-edit"}
_PIPELINES = {
    "text_to_image": "StableDiffusionPipeline",
    "instruct": "StableDiffusionInstructPix2PixPipeline",
}


def export(folder: Path, task: denoising.Task, seed: int, recipe: Recipe, out: Path) -> Path:
    """Writes `out/pocket-t2i` or `out/pocket-edit` from the newest checkpoint. Raises Refused without one."""
    kept = checkpoints.load(folder / task.name)
    if kept is None:
        raise Refused(f"'{folder}' holds no trained {task.name}. Run `train` first.")
    spoken = tokenizer.load(folder / "tokenizer")
    model = denoising.TextAndDenoiser(task.inputs, spoken)
    run: Averaged[denoising.TextAndDenoiser] = Averaged(model, 1.0, muon=True)
    run.restore(*kept)
    vae = AutoencoderKL.from_pretrained(
        folder / "autoencoder" / "vae", local_files_only=True, low_cpu_mem_usage=False
    )
    with files.whole(out / FOLDERS[task.name]) as waiting:
        for part, name in ((run.average.unet, "unet"), (vae, "vae"), (run.average.text, "text_encoder")):
            torch.nn.Module.half(part).save_pretrained(waiting / name)
        _say_float32(waiting / "text_encoder" / "config.json")
        _forget_its_place(waiting / "vae" / "config.json")
        spoken.save_pretrained(waiting / "tokenizer")
        denoising.scheduler().save_pretrained(waiting / "scheduler")
        _write(waiting / "model_index.json", _index(task.name))
        _write(waiting / "maquette.json", card.notes(task.name))
        matrix, fit = _colours(folder, vae.float(), seed, recipe.probes)
        _write(waiting / "latent_rgb.json", {"matrix": matrix, "r2": fit})
        facts = {
            "seed": seed,
            "recipe": asdict(recipe),
            "steps": run.step,
            "versions": {
                name: metadata.version(name) for name in ("torch", "diffusers", "transformers", "embreex")
            },
            "sha256": files.digests(waiting),
        }
        _write(waiting / "training.json", facts)
        (waiting / "README.md").write_text(card.text(task.name), encoding="utf-8")
    return out / FOLDERS[task.name]


def _colours(
    folder: Path, vae: AutoencoderKL, seed: int, probes: int
) -> tuple[list[list[float]], list[float]]:
    seen = pictures.captioned(data.views(folder), probes, seed, -2).pictures
    matrix, fit = autoencoder.latent_rgb(vae, seen, torch.device("cpu"))
    return [[round(x, 5) for x in row] for row in matrix], [round(x, 4) for x in fit]


def _index(task: str) -> dict[str, Any]:
    return {
        "_class_name": _PIPELINES[task],
        "_diffusers_version": metadata.version("diffusers"),
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }


def _say_float32(path: Path) -> None:
    """transformers loads in the type that the settings name, diffusers in float32: they must agree."""
    settings = json.loads(path.read_text(encoding="utf-8"))
    _write(path, settings | {"dtype": "float32"})


def _forget_its_place(path: Path) -> None:
    """diffusers notes the folder that a part was loaded from."""
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings.pop("_name_or_path", None)
    _write(path, settings)


def _write(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
