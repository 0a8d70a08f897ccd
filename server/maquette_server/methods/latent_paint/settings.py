"""What a painting job runs with: the artist's parameters, else the model's own defaults, else Stable
Diffusion's.

Sizes follow the model: with latent side n and downsampling f, views are n x n latents, the texture 2 n.
"""

from typing import Annotated, Any, Literal

import msgspec
from maquette_wire.errors import UserError
from msgspec import Meta

from ...guidance import loading, schedules, score_distillation
from . import LatentPaintParams

Rate = Annotated[float, Meta(gt=0, le=1)]
Scale = Annotated[float, Meta(ge=0, le=1000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=1, le=100_000)]


class Steps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Optimiser steps of each preset."""

    draft: Count = 500
    standard: Count = 1500
    fine: Count = 2500


class ModelDefaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `paint` part of a `maquette.json`; the values here are those for Stable Diffusion."""

    guidance_scale: Scale = 100.0
    guidance_scale_end: Scale | None = 30.0
    """scale at the last step, reached linearly; None keeps `guidance_scale`"""
    weighting: score_distillation.Weighting = "sqrt_alpha_one_minus_alpha"
    timesteps: tuple[Share, Share] = (0.02, 0.98)
    anneal: schedules.Anneal = "linear"
    learning_rate: Rate = 0.01
    common_learning_rate: Rate | None = None
    """of the latent that the whole object shares; None is `learning_rate`"""
    steps: Steps = Steps()
    views_per_step: Annotated[int, Meta(ge=1, le=16)] = 4
    texture_latents: Annotated[int, Meta(ge=4, le=2048)] | None = None
    """side of the latent texture; None is 2 n"""
    bake_views: Annotated[int, Meta(ge=6, le=200)] = 24
    bake_latents: Annotated[int, Meta(ge=4, le=512)] | None = None
    """side of the latents decoded for the bake; None is n"""
    background: Literal["mix", "flat", "learned"] = "mix"

    def __post_init__(self) -> None:
        if self.timesteps[0] > self.timesteps[1]:
            raise ValueError("the lowest of 'timesteps' lies above the highest")


class Settings(msgspec.Struct, frozen=True):
    """Everything decided; see `LatentPaintParams` for meanings."""

    preset: str
    steps: int
    guidance_scale: float
    guidance_scale_end: float
    weighting: score_distillation.Weighting
    form: score_distillation.Form
    timesteps: tuple[float, float]
    anneal: schedules.Anneal
    learning_rate: float
    common_learning_rate: float
    views_per_step: int
    texture_latents: int
    bake_views: int
    bake_latents: int
    background: str


def resolve(params: LatentPaintParams, model: loading.Described) -> Settings:
    """The settings of a job. Raises UserError `model.bad` when the model's `maquette.json` makes no sense."""
    if params.preset == "parity":
        return _parity(params, model)
    mapping: dict[str, Any] = model.settings.get("paint", {})
    try:
        # A model that brings its own defaults says all that it wants annealed.
        given = {"guidance_scale_end": None, **mapping} if mapping else {}
        defaults = msgspec.convert(given, ModelDefaults)
    except msgspec.ValidationError as error:
        raise UserError(
            "model.bad",
            f"The maquette.json of '{model.path.name}' cannot be used: {error}.",
            hint="Correct or remove its 'paint' part.",
        ) from error
    scale = defaults.guidance_scale if params.guidance_scale is None else params.guidance_scale
    rate = params.learning_rate or defaults.learning_rate
    end = defaults.guidance_scale_end if params.guidance_scale is None else None
    return Settings(
        preset=params.preset,
        steps=params.steps or getattr(defaults.steps, params.preset),
        guidance_scale=scale,
        guidance_scale_end=scale if end is None else end,
        weighting=params.weighting or defaults.weighting,
        form=params.guidance,
        timesteps=params.timesteps or defaults.timesteps,
        anneal=params.anneal or defaults.anneal,
        learning_rate=rate,
        common_learning_rate=params.learning_rate or defaults.common_learning_rate or rate,
        views_per_step=params.views_per_step or defaults.views_per_step,
        texture_latents=defaults.texture_latents or 2 * model.sample_size,
        bake_views=defaults.bake_views,
        bake_latents=defaults.bake_latents or model.sample_size,
        background=params.background or defaults.background,
    )


def _parity(params: LatentPaintParams, model: loading.Described) -> Settings:
    """The released code of arXiv:2211.07600, whatever the model wishes; the artist's own numbers still
    count.
    """
    scale = 100.0 if params.guidance_scale is None else params.guidance_scale
    return Settings(
        preset="parity",
        steps=params.steps or 5000,
        guidance_scale=scale,
        guidance_scale_end=scale,
        weighting=params.weighting or "sqrt_alpha_one_minus_alpha",
        form=params.guidance,
        timesteps=params.timesteps or (0.02, 0.98),
        anneal=params.anneal or "none",
        learning_rate=params.learning_rate or 0.01,
        common_learning_rate=params.learning_rate or 0.01,
        views_per_step=params.views_per_step or 1,
        texture_latents=2 * model.sample_size,
        bake_views=0,
        bake_latents=model.sample_size,
        background="sphere",
    )
