"""Latent-Paint: a prompt becomes a texture on a given mesh (arXiv:2211.07600, section 4.3).

The record and the parameters; the story is in `run`. A value of None means the model's own default
(`maquette.json` in its folder), else that of Stable Diffusion.
"""

from typing import Annotated, Literal

from maquette_wire.errors import UserError
from msgspec import Meta

from .. import base


class LatentPaintParams(base.Params):
    """What the artist can set. Sizes in texels, angles in degrees."""

    prompt: Annotated[str, Meta(max_length=2000, description="What the object should look like")]
    negative: Annotated[str, Meta(max_length=2000, description="What it should not look like")] = ""
    preset: Annotated[
        Literal["draft", "standard", "fine", "parity"], Meta(description="How much work to spend")
    ] = "standard"
    steps: (
        Annotated[int, Meta(ge=1, le=100_000, description="Optimiser steps; empty takes the preset's")] | None
    ) = None
    texture_size: Annotated[int, Meta(ge=64, le=4096, description="Side of the texture in texels")] = 1024
    guidance_scale: (
        Annotated[float, Meta(ge=0, le=1000, description="How closely the prompt is followed")] | None
    ) = None
    guidance: Annotated[
        Literal["sds", "csd"], Meta(description="Score distillation, or its classifier-only form")
    ] = "sds"
    weighting: Literal["one", "one_minus_alpha", "sqrt_alpha_one_minus_alpha", "sigma_ratio"] | None = None
    timesteps: tuple[Annotated[float, Meta(ge=0, le=1)], Annotated[float, Meta(ge=0, le=1)]] | None = None
    """lowest and highest noise level, as shares of the model's steps"""
    anneal: Literal["none", "linear", "dreamtime"] | None = None
    learning_rate: Annotated[float, Meta(gt=0, le=1)] | None = None
    views_per_step: Annotated[int, Meta(ge=1, le=16)] | None = None
    view_words: Annotated[bool, Meta(description="Append front, side, back, overhead to the prompt")] = True
    background: Literal["mix", "flat", "learned"] | None = None
    feather: Annotated[int, Meta(ge=0, le=512, description="Texels over which a mask fades inwards")] = 8
    rasteriser: Literal["auto", "embree", "torch", "nvdiffrast"] = "auto"

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


METHOD = base.Method(
    name="latent_paint",
    params=LatentPaintParams,
    needs=frozenset({"mesh"}),
    optional=frozenset({"texture", "mask"}),
    gives=frozenset({"texture", "uv", "mesh", "images", "figures"}),
    models=("text_to_image",),
)
