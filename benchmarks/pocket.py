"""The embedded models, part by part, at their working sizes and on one thread: whatever lies in their folder.

A network is compared with its bare matrix products: for every convolution and linear layer that a call
runs, one `torch.mm` of the same size on matrices that are there already. Nothing else of the network is in
them: no activations, norms, attention, nor the unfolding of a convolution. A convolution that needs no
unfolding can be quicker than its product.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from maquette_server import config
from maquette_server.guidance import tracing
from maquette_server.guidance.bridge import RgbBridge
from maquette_server.guidance.text import TextEncoder
from maquette_server.model_folders import checking

from benchmarks import frame

TITLE = "The embedded models on one thread"
WEIGHTS = config.POCKET.parent
BATCHES = (1, 2, 4, 8, 16)
TABLED = (1, 2)
GOAL = 20.0  # ms, of a call with one picture
REPEATS = 15
PROMPT = "a wooden toy cow, front view"


@dataclass(frozen=True)
class Parts:
    """A model folder's networks, in float32 on the CPU, ready to be called."""

    about: checking.Described
    unet: Any
    vae: Any
    bridge: RgbBridge
    text: TextEncoder


def run() -> list[frame.Figure | frame.Series]:
    """Milliseconds of every part of every embedded model, those of the networks against their floors."""
    torch.set_num_threads(1)
    curves = frame.Curves("Time of a denoiser call against its batch", "pictures in a call", "time", "ms")
    found: list[frame.Figure | frame.Series] = []
    for folder in folders():
        parts = load(folder)
        found += denoiser(folder.name, parts, curves)
        found += pictures(folder.name, parts)
        found += words(folder.name, parts)
    return [*found, curves.series()] if found else []


def folders() -> list[Path]:
    """The model folders, by name."""
    return sorted(index.parent for index in WEIGHTS.glob("*/model_index.json"))


def load(folder: Path) -> Parts:
    """The networks of a text-to-image model or of an instruction editor."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    about = checking.check(folder.name, folder)

    def part(kind: Any, name: str, **more: Any) -> Any:
        variant = "fp16" if any((folder / name).glob("*.fp16.safetensors")) else None
        more |= {"use_safetensors": True, "local_files_only": True, "dtype": torch.float32}
        return kind.from_pretrained(folder / name, variant=variant, **more).requires_grad_(False).eval()

    vae = part(AutoencoderTiny if about.tiny_vae else AutoencoderKL, "vae", low_cpu_mem_usage=False)
    scaling = float(vae.config.scaling_factor)
    bridge = RgbBridge(
        vae,
        scaling=scaling,
        shift=float(getattr(vae.config, "shift_factor", None) or 0.0),
        channels=about.channels,
        factor=about.factor,
        dtype=torch.float32,
    )
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    text = TextEncoder(tokenizer, part(CLIPTextModel, "text_encoder"), frozenset())
    unet = part(UNet2DConditionModel, "unet", low_cpu_mem_usage=False)
    return Parts(about, unet, vae, bridge, text)


def denoiser(name: str, parts: Parts, curves: frame.Curves) -> list[frame.Figure]:
    """One call of the denoiser as painting makes it, recorded and replayed, in several batches."""
    found = []
    network = tracing.Traced(parts.unet)
    side = parts.about.sample_size
    embedding = parts.text.embed(PROMPT)
    for batch in BATCHES:
        latents = torch.randn(batch, parts.unet.config.in_channels, side, side)
        times, words = torch.full((batch,), 500), embedding.expand(batch, -1, -1)

        def call(latents: Any = latents, times: Any = times, words: Any = words) -> None:
            network(latents, times, words)

        def plain(latents: Any = latents, times: Any = times, words: Any = words) -> None:
            parts.unet(latents, times, words, return_dict=False)

        taken = against_products(parts.unet, call, warm=2 * tracing.FIRST)
        curves.add(name, batch, [1000 * first for first, _ in taken])
        curves.add(f"bare matrix products of {name}", batch, [1000 * second for _, second in taken])
        if batch in TABLED:
            what = f"{name}, denoiser, batch {batch}, {side} x {side} latents"
            found += rows(what, taken, GOAL if batch == 1 else None)
            with torch.no_grad():
                found.append(frame.ratio(f"{what}, recorded / run anew", frame.pairs(call, plain, REPEATS)))
    return found


def pictures(name: str, parts: Parts) -> list[frame.Figure]:
    """Encoding and decoding one picture of the model's size."""
    side = parts.about.sample_size * parts.about.factor
    picture = torch.rand(1, 3, side, side)
    latents = parts.bridge.to_latents(picture, sample=False)
    return [
        *rows(
            f"{name}, encoding a picture of {side} px",
            against_products(parts.vae, lambda: parts.bridge.to_latents(picture, sample=False)),
        ),
        *rows(
            f"{name}, decoding a picture of {side} px",
            against_products(parts.vae, lambda: parts.bridge.to_rgb(latents)),
        ),
    ]


def words(name: str, parts: Parts) -> list[frame.Figure]:
    """Embedding a text that was not embedded before; the encoder keeps those that were."""
    number = itertools.count()
    taken = frame.turns({"text": lambda: parts.text.embed(f"{PROMPT} {next(number)}")}, REPEATS)
    return [frame.median(f"{name}, embedding a text", "ms", [1000 * value for value in taken["text"]])]


def rows(what: str, taken: list[tuple[float, float]], goal: float | None = None) -> list[frame.Figure]:
    """The time of a call and its ratio to the floor."""
    return [
        frame.median(what, "ms", [1000 * first for first, _ in taken], goal=goal),
        frame.ratio(f"{what} / bare matrix products", taken),
    ]


@torch.no_grad()
def against_products(
    network: torch.nn.Module, call: Callable[[], object], warm: int = 1
) -> list[tuple[float, float]]:
    """Seconds of a call and of the products of its layers, turn about."""
    multiply = products(sizes(network, call))
    return frame.pairs(call, multiply, REPEATS, warm)


def sizes(network: torch.nn.Module, call: Callable[[], object]) -> list[tuple[int, int, int]]:
    """(n, k, m) of every product [n, k] x [k, m] that a call's convolutions and linear layers come to."""
    met: list[tuple[int, int, int]] = []

    def convolution(layer: torch.nn.Conv2d, given: Any, out: torch.Tensor) -> None:
        inputs = layer.weight[0].numel()  # of a group: channels times the window
        outputs = layer.out_channels // layer.groups
        met.extend([(out.numel() // layer.out_channels, inputs, outputs)] * layer.groups)

    def linear(layer: torch.nn.Linear, given: Any, out: torch.Tensor) -> None:
        met.append((out.numel() // layer.out_features, layer.in_features, layer.out_features))

    hooks = []
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d):
            hooks.append(layer.register_forward_hook(convolution))
        elif isinstance(layer, torch.nn.Linear):
            hooks.append(layer.register_forward_hook(linear))
    try:
        call()
    finally:
        for hook in hooks:
            hook.remove()
    return met


def products(met: list[tuple[int, int, int]]) -> Callable[[], object]:
    """All products of these sizes, one after the other; layers have weights of their own, so each is new."""
    ready = [(torch.randn(n, k), torch.randn(k, m), torch.empty(n, m)) for n, k, m in met]

    def multiply() -> None:
        for left, right, out in ready:
            torch.mm(left, right, out=out)

    return multiply
