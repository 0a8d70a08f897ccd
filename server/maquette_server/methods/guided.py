"""What the artist can set of every method that a text-to-image model guides: prompt, work, guidance.

A value of None means the model's own default (`maquette.json` in its folder), else that of Stable Diffusion.
"""

from typing import Annotated, Literal

from maquette_wire.errors import UserError
from msgspec import Meta

from . import base

Share = Annotated[float, Meta(ge=0, le=1)]


class GuidedParams(base.Params):
    """Shared parameters. Angles in degrees."""

    prompt: Annotated[str, Meta(max_length=2000, description="What the object should look like")]
    negative: Annotated[str, Meta(max_length=2000, description="What it should not look like")] = ""
    steps: (
        Annotated[int, Meta(ge=1, le=100_000, description="Optimiser steps; empty takes the preset's")] | None
    ) = None
    guidance_scale: (
        Annotated[float, Meta(ge=0, le=1000, description="How closely the prompt is followed")] | None
    ) = None
    guidance: Annotated[
        Literal["sds", "csd"], Meta(description="Score distillation, or its classifier-only form")
    ] = "sds"
    weighting: Literal["one", "one_minus_alpha", "sqrt_alpha_one_minus_alpha", "sigma_ratio"] | None = None
    timesteps: tuple[Share, Share] | None = None
    """lowest and highest noise level, as shares of the model's steps"""
    anneal: Literal["none", "linear", "dreamtime"] | None = None
    learning_rate: Annotated[float, Meta(gt=0, le=1)] | None = None
    views_per_step: Annotated[int, Meta(ge=1, le=16)] | None = None
    view_words: Annotated[bool, Meta(description="Append front, side, back, overhead to the prompt")] = True

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise UserError(
                "prompt.empty", "The prompt is empty.", hint="Say what the object should look like."
            )
        if self.timesteps is not None and self.timesteps[0] > self.timesteps[1]:
            raise UserError(
                "params.bad",
                "The lowest timestep lies above the highest.",
                hint="Give the lower share first.",
            )
