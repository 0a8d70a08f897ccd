"""How much of everything: counts of pictures and steps, never seconds.

`POCKET` is for two CPU cores and hours, `GPU` for minutes; `SMOKE` only shows that every part runs.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Denoising:
    """One denoiser's training."""

    steps: int
    batch: int
    learning_rate: float
    parts: int  # of the pictures; one more becomes available every `steps_a_part` steps
    steps_a_part: int
    decay_from: float = 0.7  # share of the steps after which the learning rate falls to nothing


@dataclass(frozen=True)
class Recipe:
    """One run from nothing to weights."""

    views: int  # rendered by `data`
    sentences: int  # captions and as many instructions, for the tokenizer
    autoencoder_pictures: int
    autoencoder_steps: int
    text_to_image: Denoising
    instruct: Denoising
    part: int = 2048  # pictures or edits in a part
    probes: int = 512  # pictures that the scale of the latents and their colours are measured on


POCKET = Recipe(
    views=6000,
    sentences=20_000,
    autoencoder_pictures=16_384,
    autoencoder_steps=4000,
    text_to_image=Denoising(
        steps=14_200, batch=32, learning_rate=1.4e-3, parts=64, steps_a_part=115, decay_from=0.88
    ),
    instruct=Denoising(
        steps=19_000, batch=32, learning_rate=1.4e-3, parts=48, steps_a_part=115, decay_from=0.79
    ),
)
GPU = Recipe(
    views=20_000,
    sentences=20_000,
    autoencoder_pictures=65_536,
    autoencoder_steps=12_000,
    text_to_image=Denoising(steps=30_000, batch=256, learning_rate=2e-3, parts=256, steps_a_part=40),
    instruct=Denoising(steps=30_000, batch=256, learning_rate=2e-3, parts=192, steps_a_part=50),
)
SMOKE = Recipe(
    views=24,
    sentences=200,
    autoencoder_pictures=32,
    autoencoder_steps=4,
    text_to_image=Denoising(steps=6, batch=4, learning_rate=1e-3, parts=2, steps_a_part=3),
    instruct=Denoising(steps=6, batch=4, learning_rate=1e-3, parts=2, steps_a_part=3),
    part=24,
    probes=24,
)
RECIPES = {"pocket": POCKET, "gpu": GPU, "smoke": SMOKE}
