"""What a painting job runs with: see `guided_settings`.

Sizes follow the model: with latent side n and downsampling f, views are n x n latents, the texture 2 n.
"""

from typing import Annotated

from msgspec import Meta

from ...guidance import loading
from .. import guided_settings
from . import LatentPaintParams


class ModelDefaults(guided_settings.Defaults, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `paint` part of a `maquette.json`."""

    common_learning_rate: guided_settings.Rate | None = None
    """of the latent that the whole object shares; None is `learning_rate`"""
    texture_latents: Annotated[int, Meta(ge=4, le=2048)] | None = None
    """side of the latent texture; None is 2 n"""
    bake_views: Annotated[int, Meta(ge=6, le=200)] = 24
    bake_latents: Annotated[int, Meta(ge=4, le=512)] | None = None
    """side of the latents decoded for the bake; None is n"""


class Settings(guided_settings.Guided, frozen=True, kw_only=True):
    """Everything decided."""

    common_learning_rate: float
    texture_latents: int
    bake_views: int
    bake_latents: int
    background: str


def resolve(params: LatentPaintParams, model: loading.Described) -> Settings:
    """The settings of a job. Raises UserError `model.bad` when the model's `maquette.json` makes no sense."""
    if params.preset == "parity":
        return _parity(params, model)
    defaults = guided_settings.read(model, "paint", ModelDefaults)
    shared = guided_settings.decided(params, defaults, params.preset)
    rate = params.learning_rate or defaults.common_learning_rate or shared["learning_rate"]
    return Settings(
        **shared,
        common_learning_rate=rate,
        texture_latents=defaults.texture_latents or 2 * model.sample_size,
        bake_views=defaults.bake_views,
        bake_latents=defaults.bake_latents or model.sample_size,
        background=params.background or defaults.background,
    )


def _parity(params: LatentPaintParams, model: loading.Described) -> Settings:
    """As released."""
    return Settings(
        **guided_settings.released(params),
        common_learning_rate=params.learning_rate or 0.01,
        texture_latents=2 * model.sample_size,
        bake_views=0,
        bake_latents=model.sample_size,
        background="sphere",
    )
