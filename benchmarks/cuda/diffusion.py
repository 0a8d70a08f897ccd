"""The diffusion model on a GPU: in half precision against float32, and how long its parts take."""

import copy
import json
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from maquette_server import config
from maquette_server.guidance import denoiser as denoising
from maquette_server.guidance import loading, score_distillation

from benchmarks import frame
from benchmarks.cuda.clock import Clock
from benchmarks.cuda.sizes import Sizes

HALF_ERROR = 0.03  # relative, of half precision against float32
BFLOAT_ERROR = 0.08  # the same of bfloat16, which has three bits less
SCALE = 100.0  # of guidance, as painting has it
STEP_ERROR = 0.05  # relative, of a distillation step in one batch against its parts one by one


class Bench:
    """What the parts of a run share: sizes, the clock, and a model of these sizes, made when it is needed."""

    def __init__(self, sizes: Sizes, clock: Clock) -> None:
        self.sizes = sizes
        self.clock = clock

    @cached_property
    def model(self) -> loading.TextToImage:
        """A model with random weights."""
        with tempfile.TemporaryDirectory() as folder:
            return loading.load(
                str(random_model(Path(folder), self.sizes)), self.sizes.device, "text_to_image"
            )

    def wait(self) -> None:
        """Until the device has done what it was given."""
        if self.sizes.cuda:
            torch.cuda.synchronize()


def precision(bench: Bench) -> list[frame.Figure]:
    """How far the pocket model's predicted noise on the device is from that of the CPU."""
    found = []
    for device in ("cpu", bench.sizes.device):
        model = loading.load(str(config.POCKET), device, "text_to_image")
        side = model.sample_size
        latents = torch.randn(2, model.channels, side, side, generator=_random()).to(device)
        embeddings = torch.cat([model.text.embed(""), model.text.embed("a red ball")])
        noise = model.denoiser.predict_noise(latents, torch.tensor([500, 500], device=device), embeddings)
        found.append(noise.float().cpu())
    return [compare("pocket model: predicted noise, difference to the CPU", found[1], found[0], HALF_ERROR)]


def denoiser(bench: Bench) -> list[frame.Figure | frame.Series]:
    """The network's noise against float32 on the same device, and its time by batch."""
    model = bench.model
    curves = frame.Curves(
        "Time of a denoiser call against its batch, CUDA", "pictures in a call", "time", "ms"
    )
    found: list[frame.Figure | frame.Series] = []
    exact = denoising.Denoiser(
        copy.deepcopy(model.denoiser.unet).float(), model.denoiser.alphas_cumprod, "epsilon", torch.float32
    )
    for batch in bench.sizes.batches:
        latents, times, embeddings = inputs(model, batch)
        if batch == 1:
            got = model.denoiser.predict_noise(latents, times, embeddings)
            wanted = exact.predict_noise(latents, times, embeddings)
            what = "predicted noise, difference to float32"
            found.append(compare(what, got, wanted, HALF_ERROR))
            del exact

        def call(latents: Any = latents, times: Any = times, embeddings: Any = embeddings) -> None:
            model.denoiser.predict_noise(latents, times, embeddings)
            bench.wait()

        taken = in_ms(bench.clock.turns({"call": call}, bench.sizes.repeats)["call"])
        found.append(frame.median(f"denoiser, batch {batch}", "ms", taken))
        curves.add(str(model.denoiser.dtype).removeprefix("torch."), batch, taken)
    return [*found, curves.series()]


def distillation(bench: Bench) -> list[frame.Figure]:
    """A score distillation step against its definition, and its time against the bare network call."""
    model = bench.model
    guidance = score_distillation.Guidance(model.denoiser, SCALE)
    latents, times, conditional = inputs(model, 1)
    noise = torch.randn(latents.shape, generator=_random(1)).to(latents)
    unconditional = model.text.embed("")
    embeddings = torch.cat([unconditional, conditional])
    got = guidance.gradient(latents, times, noise, embeddings)
    abar = model.denoiser.alphas_cumprod[times]
    z_t = denoising.noisy(latents, noise, abar)
    with_words = model.denoiser.predict_noise(z_t, times, conditional)
    weight = score_distillation.weight(abar, guidance.weighting).reshape(-1, 1, 1, 1)
    # the guidance term multiplies rounding by its scale: it is compared before that
    plain = score_distillation.Guidance(model.denoiser, 1.0).gradient(latents, times, noise, embeddings)
    assert torch.isfinite(got).all(), "a distillation step is not finite"
    error = compare(
        "distillation step, difference to its definition", plain, weight * (with_words - noise), STEP_ERROR
    )
    both, double = z_t.repeat(2, 1, 1, 1), times.repeat(2)

    def step() -> None:
        guidance.gradient(latents, times, noise, embeddings)
        bench.wait()

    def call() -> None:
        model.denoiser.predict_noise(both, double, embeddings)
        bench.wait()

    taken = bench.clock.turns({"step": step, "call": call}, bench.sizes.repeats)
    return [
        error,
        frame.median("distillation step", "ms", in_ms(taken["step"])),
        frame.ratio(
            "distillation step / bare network call", list(zip(taken["step"], taken["call"], strict=True))
        ),
    ]


@torch.no_grad()
def pictures(bench: Bench) -> list[frame.Figure]:
    """Encoding and decoding a picture of the model's size, against float32, and their times."""
    model = bench.model
    exact = copy.deepcopy(model.bridge)
    exact._vae.float()
    exact.dtype = torch.float32
    side = model.sample_size * model.factor
    picture = torch.rand(1, 3, side, side, generator=_random()).to(bench.sizes.device)
    latents = model.bridge.to_latents(picture, sample=False)
    limit = BFLOAT_ERROR if model.bridge.dtype == torch.bfloat16 else HALF_ERROR
    found = [
        compare(
            "encoded picture, difference to float32", latents, exact.to_latents(picture, sample=False), limit
        ),
        compare(
            "decoded picture, difference to float32",
            model.bridge.to_rgb(latents),
            exact.to_rgb(latents),
            limit,
        ),
    ]
    del exact

    def encode() -> None:
        model.bridge.to_latents(picture, sample=False)
        bench.wait()

    def decode() -> None:
        model.bridge.to_rgb(latents)
        bench.wait()

    taken = bench.clock.turns({"encoding": encode, "decoding": decode}, bench.sizes.repeats)
    return found + [
        frame.median(f"{name} a picture of {side} px", "ms", in_ms(values)) for name, values in taken.items()
    ]


@torch.no_grad()
def text(bench: Bench) -> list[frame.Figure]:
    """Embedding a text: against float32, and the time of one that is new."""
    encoder = bench.model.text
    exact = copy.deepcopy(encoder)
    exact._model.float()
    exact._cache = {}
    number = 0

    def embed() -> None:
        nonlocal number
        number += 1
        encoder.embed(f"a red ball {number}")
        bench.wait()

    words = "a wooden toy elephant, side view"
    what = "embedded text, difference to float32"
    return [
        compare(what, encoder.embed(words), exact.embed(words), HALF_ERROR),
        frame.median(
            "embedding a text", "ms", in_ms(bench.clock.turns({"text": embed}, bench.sizes.repeats)["text"])
        ),
    ]


def inputs(model: loading.TextToImage, batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Latents, timesteps and embeddings of a call."""
    shape = (batch, model.channels, model.sample_size, model.sample_size)
    latents = torch.randn(shape, generator=_random()).to(model.device)
    times = torch.full((batch,), 500, device=model.device)
    return latents, times, model.text.embed("a red ball").expand(batch, -1, -1)


def compare(what: str, got: torch.Tensor, wanted: torch.Tensor, limit: float) -> frame.Figure:
    """The relative difference as a figure with a goal; NaN counts as everything being wrong."""
    difference = float((got.float() - wanted.float()).norm() / wanted.float().norm())
    return frame.Figure(what, difference if difference == difference else 1e9, "", goal=limit)


def in_ms(taken: list[float]) -> list[float]:
    """Seconds as milliseconds."""
    return [1000 * value for value in taken]


def _random(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_model(folder: Path, sizes: Sizes, *, editor: bool = False) -> Path:
    """A checkpoint of these sizes with random weights, in diffusers format: one that paints, or an editor."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    half = torch.float16 if sizes.cuda else torch.float32
    pocket = json.loads((config.POCKET / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    tokens = {name: pocket[name] for name in ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(0)
    with torch.device(sizes.device):
        parts = {
            "unet": UNet2DConditionModel(in_channels=8 if editor else 4, **sizes.unet),
            "vae": AutoencoderKL(latent_channels=4, scaling_factor=0.18215, **sizes.vae),
            "text_encoder": CLIPTextModel(CLIPTextConfig(max_position_embeddings=77, **tokens, **sizes.text)),
        }
    for name, part in parts.items():
        torch.nn.Module.to(part, half)  # diffusers' own `to` warns of parts that it would rather keep precise
        part.save_pretrained(folder / name)
    DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False
    ).save_pretrained(folder / "scheduler")
    (folder / "tokenizer").mkdir()
    for file in (config.POCKET / "tokenizer").iterdir():
        (folder / "tokenizer" / file.name).write_bytes(file.read_bytes())
    tokenizer = folder / "tokenizer" / "tokenizer_config.json"
    settings = json.loads(tokenizer.read_text(encoding="utf-8"))
    tokenizer.write_text(json.dumps(settings | {"model_max_length": 77, "max_length": 77}), encoding="utf-8")
    like = config.POCKET_EDIT if editor else config.POCKET
    for name in ("latent_rgb.json", "model_index.json"):
        (folder / name).write_bytes((like / name).read_bytes())
    return folder
