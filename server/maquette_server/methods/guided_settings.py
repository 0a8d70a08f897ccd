"""What a guided job runs with: the artist's parameters, else the model's own defaults, else Stable
Diffusion's.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec
from maquette_wire.errors import UserError
from msgspec import Meta

from ..guidance import loading, schedules, score_distillation
from . import guided

Rate = Annotated[float, Meta(gt=0, le=1)]
Scale = Annotated[float, Meta(ge=0, le=1000)]
Count = Annotated[int, Meta(ge=1, le=100_000)]


class Steps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Optimiser steps of each preset."""

    draft: Count = 500
    standard: Count = 1500
    fine: Count = 2500


class Defaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A method's part of a `maquette.json`; the values here are those for Stable Diffusion."""

    guidance_scale: Scale = 100.0
    guidance_scale_end: Scale | None = 30.0
    """scale at the last step, reached linearly; None keeps `guidance_scale`"""
    weighting: score_distillation.Weighting = "sqrt_alpha_one_minus_alpha"
    timesteps: tuple[guided.Share, guided.Share] = (0.02, 0.98)
    anneal: schedules.Anneal = "linear"
    learning_rate: Rate = 0.01
    steps: Steps = Steps()
    views_per_step: Annotated[int, Meta(ge=1, le=16)] = 4
    background: Literal["mix", "flat", "learned"] = "mix"

    def __post_init__(self) -> None:
        if self.timesteps[0] > self.timesteps[1]:
            raise ValueError("the lowest of 'timesteps' lies above the highest")


class Guided(msgspec.Struct, frozen=True, kw_only=True):
    """Everything decided that all guided methods share; see `guided.GuidedParams` for meanings."""

    preset: str
    steps: int
    guidance_scale: float
    guidance_scale_end: float
    weighting: score_distillation.Weighting
    form: score_distillation.Form
    timesteps: tuple[float, float]
    anneal: schedules.Anneal
    learning_rate: float
    views_per_step: int


D = TypeVar("D", bound=Defaults)


def read(model: loading.Described, part: str, kind: type[D]) -> D:
    """The model's defaults. Raises UserError `model.bad` when its `maquette.json` makes no sense."""
    mapping: dict[str, Any] = model.settings.get(part, {})
    try:
        # A model that brings its own defaults says all that it wants annealed.
        return msgspec.convert({"guidance_scale_end": None, **mapping} if mapping else {}, kind)
    except msgspec.ValidationError as error:
        raise UserError(
            "model.bad",
            f"The maquette.json of '{model.path.name}' cannot be used: {error}.",
            hint=f"Correct or remove its '{part}' part.",
        ) from error


def decided(params: guided.GuidedParams, defaults: Defaults, preset: str) -> dict[str, Any]:
    """The fields of `Guided`, for a preset that `Defaults.steps` has."""
    scale = defaults.guidance_scale if params.guidance_scale is None else params.guidance_scale
    end = defaults.guidance_scale_end if params.guidance_scale is None else None
    return {
        "preset": preset,
        "steps": params.steps or getattr(defaults.steps, preset),
        "guidance_scale": scale,
        "guidance_scale_end": scale if end is None else end,
        "weighting": params.weighting or defaults.weighting,
        "form": params.guidance,
        "timesteps": params.timesteps or defaults.timesteps,
        "anneal": params.anneal or defaults.anneal,
        "learning_rate": params.learning_rate or defaults.learning_rate,
        "views_per_step": params.views_per_step or defaults.views_per_step,
    }


def released(params: guided.GuidedParams) -> dict[str, Any]:
    """The fields of `Guided` as the released code of arXiv:2211.07600 has them, whatever the model wishes;
    the artist's own numbers still count.
    """
    scale = 100.0 if params.guidance_scale is None else params.guidance_scale
    return {
        "preset": "parity",
        "steps": params.steps or 5000,
        "guidance_scale": scale,
        "guidance_scale_end": scale,
        "weighting": params.weighting or "sqrt_alpha_one_minus_alpha",
        "form": params.guidance,
        "timesteps": params.timesteps or (0.02, 0.98),
        "anneal": params.anneal or "none",
        "learning_rate": params.learning_rate or 0.01,
        "views_per_step": params.views_per_step or 1,
    }
