"""What an edit runs with: the artist's parameters, else the model's own defaults, else the published ones."""

from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
import torch
from maquette_wire.errors import UserError
from msgspec import Meta

from ...guidance import loading
from . import EditParams

SECONDS = 240.0  # on a CPU, when nothing is said: with loading and looking at the result five minutes
STEPS = {"joint": 4000, "classic": 15_000}  # on a GPU
VIEWS = 24  # on a CPU
_GIB = 1 << 30
_LEVELS = (0.02, 0.98)  # noise levels that the published way draws from, as shares


@dataclass(frozen=True)
class Tier:
    """How much memory an edit takes: `in2n`, `in2n-small` and `in2n-tiny` of the published code."""

    name: str
    batch: int  # views edited together
    lpips: bool
    samples: int  # of a step of the field
    memory: int  # bytes on a card for all of it, at Stable Diffusion's size


TIERS = {
    "full": Tier("full", 5, True, 1 << 18, 15 * _GIB),
    "small": Tier("small", 2, True, 1 << 17, 11 * _GIB),
    "tiny": Tier("tiny", 1, False, 1 << 16, 0),
}
_CPU_VIEWS, _CPU_SAMPLES = 4, 10_240  # at most; a GPU has room for more


class Defaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `edit` part of a `maquette.json`; the values here are those for Stable Diffusion."""

    steps: Annotated[int, Meta(ge=1, le=1000)] = 20
    guidance_scale: Annotated[float, Meta(ge=0, le=100)] = 7.5
    image_guidance_scale: Annotated[float, Meta(ge=0, le=100)] = 1.5
    size: Annotated[int, Meta(ge=8, le=4096)] | None = None
    """long side of a picture in pixels; None: what the model's latents are sized for"""


@dataclass(frozen=True)
class Settings:
    """Everything decided."""

    preset: str
    tier: Tier
    steps: int | None
    seconds: float | None
    text: float  # scale of the guidance by the instruction
    image: float  # scale of the guidance by the picture
    calls: int  # of the network, from the highest noise
    long_side: int  # pixels of an edited picture
    views: int | None
    keep: bool  # what the edit leaves alone stays as it was
    matt: bool  # edited colours look the same from every side
    levels: tuple[float, float]  # of the published way


def decided(params: EditParams, model: loading.Described, device: torch.device) -> Settings:
    """Raises UserError `model.bad` when the model's `maquette.json` makes no sense."""
    try:
        defaults = msgspec.convert(model.settings.get("edit", {}), Defaults)
    except msgspec.ValidationError as error:
        raise UserError(
            "model.bad",
            f"The maquette.json of '{model.path.name}' cannot be used: {error}.",
            hint="Correct or remove its 'edit' part.",
        ) from error
    on_cpu = device.type == "cpu"
    steps, seconds = params.steps, params.seconds
    if steps is None and seconds is None:
        steps, seconds = (None, SECONDS) if on_cpu else (STEPS[params.preset], None)
    return Settings(
        preset=params.preset,
        tier=_tier(params, device),
        steps=steps,
        seconds=seconds,
        text=_given(params.guidance_scale, defaults.guidance_scale),
        image=_given(params.image_guidance_scale, defaults.image_guidance_scale),
        calls=params.calls or defaults.steps,
        long_side=params.size or defaults.size or model.sample_size * model.factor,
        views=params.views or (VIEWS if on_cpu else None),
        keep=params.preset == "joint" if params.keep is None else params.keep,
        matt=params.preset == "joint" if params.matt is None else params.matt,
        levels=_LEVELS,
    )


def _tier(params: EditParams, device: torch.device) -> Tier:
    if device.type == "cpu":
        wished = TIERS[params.tier or "full"]
        return replace(wished, batch=min(wished.batch, _CPU_VIEWS), samples=min(wished.samples, _CPU_SAMPLES))
    if params.tier is not None:
        return TIERS[params.tier]
    free, whole = torch.cuda.mem_get_info(device)
    held = torch.cuda.memory_reserved(device)  # by the model, and by what came before and is of no use now
    allowed = torch.cuda.get_per_process_memory_fraction(device) * whole
    return next(tier for tier in TIERS.values() if min(free + held, allowed) >= tier.memory)


def _given(value: float | None, default: float) -> float:
    return default if value is None else value
