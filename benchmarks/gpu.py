"""Every CUDA path there is, checked against the CPU and timed: rasterisers, denoiser, painting step, bake.

`python -m benchmarks --only gpu` ends within ten minutes; what would begin too late is left out, and said.
Without a CUDA device nothing is run. `python -m benchmarks.gpu --rehearse` runs the same code on the CPU in
tiny sizes, with nothing recorded: it tests the script, not the device.

The model has the sizes of Stable Diffusion 1.5 and random weights in half precision: a network costs the same
whatever it has learnt.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from maquette_server import config
from maquette_server.cameras import pinhole
from maquette_server.guidance import loading
from maquette_server.rasterise import choose

from benchmarks import frame, job, paint

TITLE = "CUDA: rasterisers, denoiser, painting, bake"
LATEST_START = 420.0  # s after which no further part is begun; the longest takes about two minutes
AGREEMENT = 0.995  # share of pixels whose triangle two rasterisers agree on; edges may fall either way
HALF_ERROR = 0.03  # relative, of predicted noise in half precision against float32 on the CPU


@dataclass(frozen=True)
class Sizes:
    """What is run: on a device, in which sizes."""

    device: str
    subdivisions: int  # 6: 81,920 triangles; 2: 320
    sides: tuple[int, ...]  # pixels
    repeats: int
    steps: int
    unet: dict[str, Any]
    vae: dict[str, Any]
    text: dict[str, Any]
    texture: int


REAL = Sizes(
    device="cuda",
    subdivisions=6,
    sides=(64, 512),
    repeats=30,
    steps=40,
    unet={
        "sample_size": 64,
        "block_out_channels": (320, 640, 1280, 1280),
        "layers_per_block": 2,
        "cross_attention_dim": 768,
        "attention_head_dim": 8,
    },
    vae={
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "sample_size": 512,
    },
    text={"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
    texture=2048,
)
REHEARSAL = Sizes(
    device="cpu",
    subdivisions=2,
    sides=(32,),
    repeats=2,
    steps=3,
    unet={
        "sample_size": 8,
        "block_out_channels": (32, 32, 32, 32),
        "layers_per_block": 1,
        "cross_attention_dim": 32,
        "attention_head_dim": 8,
    },
    vae={
        "block_out_channels": (32, 32, 32, 32),
        "layers_per_block": 1,
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "sample_size": 64,
    },
    text={"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4},
    texture=64,
)


def run() -> list[frame.Figure]:
    """Figures of the CUDA device; none without one."""
    if not torch.cuda.is_available():
        print("  no CUDA device: nothing was run")
        return []
    return everything(REAL)


def everything(sizes: Sizes) -> list[frame.Figure]:
    """All parts in turn, as long as there is time. Raises AssertionError when a result is not the CPU's."""
    start = time.monotonic()
    figures: list[frame.Figure] = []
    parts: list[Callable[[Sizes], list[frame.Figure]]] = [rasterisers, precision, painting, bake]
    for part in parts:
        if time.monotonic() - start > LATEST_START:
            print(f"  {part.__name__}: left out, no time is left")
            continue
        figures += part(sizes)
    return figures


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def rasterisers(sizes: Sizes) -> list[frame.Figure]:
    """Triangles seen by each rasteriser, against the CPU's own, and the time of one view."""
    figures = []
    positions, triangles = job.sphere(sizes.subdivisions)
    reference = choose.make("auto", positions, triangles, "cpu")
    eye = np.array([0.9, 1.3, 2.4])
    world_from_camera = pinhole.look_at(eye, np.zeros(3), np.array([0.0, 1.0, 0.0]))
    names = ["torch"] + (["nvdiffrast"] if not choose.available(sizes.device)["nvdiffrast"] else [])
    if "nvdiffrast" not in names:
        print(f"  nvdiffrast: {choose.available(sizes.device)['nvdiffrast']}")
    for side in sizes.sides:
        camera = pinhole.Pinhole.from_fov(world_from_camera, 0.9, side, side)
        expected = reference.rasterise(camera)
        for name in names:
            drawn = choose.make(name, positions, triangles, sizes.device)
            seen = drawn.rasterise(camera)
            agree = float((seen.face == expected.face).mean())
            assert agree >= AGREEMENT, f"{name} at {side} px agrees on {agree:.2%} of the pixels"
            same = (seen.face == expected.face) & (seen.face >= 0)
            assert np.allclose(seen.depth[same], expected.depth[same], rtol=1e-4), f"depths of {name} differ"

            def draw(drawn: Any = drawn, camera: pinhole.Pinhole = camera) -> None:
                drawn.rasterise_torch(camera)
                wait(sizes.device)

            draw()
            taken = [1000 * frame.seconds(draw) for _ in range(sizes.repeats)]
            what = f"{name}, {len(triangles)} triangles, {side} px"
            figures.append(
                frame.median(what, "ms", taken, note=f"{agree:.2%} as {reference.name} on the CPU")
            )
    return figures


def precision(sizes: Sizes) -> list[frame.Figure]:
    """How far the pocket model's predicted noise on the device is from that of the CPU."""
    found = []
    generator = torch.Generator().manual_seed(0)
    for device in ("cpu", sizes.device):
        model = loading.load(str(config.POCKET), device, "text_to_image")
        side = model.sample_size
        generator.manual_seed(0)
        latents = torch.randn(2, model.channels, side, side, generator=generator).to(device)
        embeddings = torch.cat([model.text.embed(""), model.text.embed("a red ball")])
        noise = model.denoiser.predict_noise(latents, torch.tensor([500, 500], device=device), embeddings)
        found.append(noise.float().cpu())
    error = float((found[1] - found[0]).norm() / found[0].norm())
    assert error <= HALF_ERROR, f"the denoiser differs by {error:.2%} from the CPU's"
    return [frame.Figure("predicted noise, relative difference to the CPU", error, "", goal=HALF_ERROR)]


def painting(sizes: Sizes) -> list[frame.Figure]:
    """A painting step against the bare network call, at the sizes of the model."""
    with tempfile.TemporaryDirectory() as folder:
        model = random_model(Path(folder), sizes)
    params = {"preset": "standard"}
    taken = paint.steps_and_calls(model, params, sizes.device, sizes.steps, warm=max(2, sizes.steps // 8))
    return [*paint.compared(taken), *memory(sizes)]


def bake(sizes: Sizes) -> list[frame.Figure]:
    """Seconds of each stage of a short whole job, the bake among them."""
    with tempfile.TemporaryDirectory() as folder:
        model = random_model(Path(folder), sizes)
    watch = job.Stopwatch()
    params = {"prompt": paint.PROMPT, "steps": sizes.steps, "texture_size": sizes.texture}
    context = job.context(*job.sphere(), params, model, sizes.device, watch)
    stages = job.METHOD.load_run()(context)
    try:
        while True:
            next(stages)
    except StopIteration as done:
        result = done.value
    wait(sizes.device)
    watch.stage("end")
    assert {"texture", "uv", "mesh"} <= {item.role for item in result.items}
    return [
        frame.Figure(f"stage {name}", seconds, "s")
        for name, seconds in watch.seconds.items()
        if name not in ("", "end")
    ]


def memory(sizes: Sizes) -> list[frame.Figure]:
    """The most device memory in use at once, so far."""
    if not sizes.device.startswith("cuda"):
        return []
    return [frame.Figure("peak device memory", torch.cuda.max_memory_allocated() / 1e9, "GB")]


def random_model(folder: Path, sizes: Sizes) -> loading.TextToImage:
    """A checkpoint of these sizes with random weights, in diffusers format, loaded as any other."""
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    half = torch.float16 if sizes.device.startswith("cuda") else torch.float32
    pocket = json.loads((config.POCKET / "text_encoder" / "config.json").read_text(encoding="utf-8"))
    tokens = {name: pocket[name] for name in ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")}
    torch.manual_seed(0)
    with torch.device(sizes.device):
        parts = {
            "unet": UNet2DConditionModel(**sizes.unet),
            "vae": AutoencoderKL(latent_channels=4, scaling_factor=0.18215, **sizes.vae),
            "text_encoder": CLIPTextModel(CLIPTextConfig(max_position_embeddings=77, **tokens, **sizes.text)),
        }
    for name, part in parts.items():
        torch.nn.Module.to(part, half)  # diffusers' own `to` warns of parts that it would rather keep precise
        part.save_pretrained(folder / name)
    DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False
    ).save_pretrained(folder / "scheduler")
    shutil.copytree(config.POCKET / "tokenizer", folder / "tokenizer")
    tokenizer = folder / "tokenizer" / "tokenizer_config.json"
    settings = json.loads(tokenizer.read_text(encoding="utf-8"))
    tokenizer.write_text(json.dumps(settings | {"model_max_length": 77, "max_length": 77}), encoding="utf-8")
    shutil.copy(config.POCKET / "latent_rgb.json", folder / "latent_rgb.json")
    index = json.loads((config.POCKET / "model_index.json").read_text(encoding="utf-8"))
    (folder / "model_index.json").write_text(json.dumps(index), encoding="utf-8")
    return loading.load(str(folder), sizes.device, "text_to_image")


def main() -> int:
    """Rehearses on the CPU, or says how to measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu")
    parser.add_argument("--rehearse", action="store_true", help="tiny sizes on the CPU, nothing recorded")
    if not parser.parse_args().rehearse:
        print("Figures are taken by: python -m benchmarks --only gpu", file=sys.stderr)
        return 2
    for figure in everything(REHEARSAL):
        print(f"  {figure.name}: {figure.value:.3g} {figure.unit}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
