"""What a sculpting job runs with: see `guided_settings`.

Sizes follow the model: with latent side n and downsampling f, the model looks at n x n latents, which are
pictures of n f x n f pixels.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from ...guidance import loading
from .. import guided, guided_settings
from . import LatentNerfParams

# As they act in the released code, not as they are printed there: its auxiliary losses pass a gradient scaler
# that its guidance does not, so at first they count 65,536 times as much. Here a weight is of one pixel.
_RELEASED_SPARSITY = 65536 * 5e-4 / 64**2
_RELEASED_SKETCH = 65536 * 5e-6 * 4e5 / 64**2  # of the mean over its some 400,000 samples


class Steps(guided_settings.Steps, frozen=True, forbid_unknown_fields=True):
    """Optimiser steps of each preset."""

    draft: guided_settings.Count = 1000
    standard: guided_settings.Count = 2500
    fine: guided_settings.Count = 5000


class Refinement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How colours are learnt at the model's full size."""

    guidance_scale: guided_settings.Scale = 50.0
    timesteps: tuple[guided.Share, guided.Share] = (0.02, 0.5)
    learning_rate: guided_settings.Rate = 0.005
    steps: guided_settings.Steps = guided_settings.Steps(draft=300, standard=1000, fine=2500)
    side: Annotated[int, Meta(ge=8, le=2048)] | None = None
    """rays of a view along a side; None is 2 n"""


class ModelDefaults(guided_settings.Defaults, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The `sculpt` part of a `maquette.json`."""

    steps: Steps = Steps()
    network_rate: guided_settings.Rate = 0.005
    sparsity: Annotated[float, Meta(ge=0)] = _RELEASED_SPARSITY
    """of the entropy of opacities, for each pixel that the model looks at"""
    sketch: Annotated[float, Meta(ge=0)] = _RELEASED_SKETCH
    """of the loss that keeps to a sketch, for each pixel that the model looks at"""
    refinement: Refinement = Refinement()
    pictures: Annotated[int, Meta(ge=6, le=200)] = 24
    """that are decoded to colour the result"""
    picture_latents: Annotated[int, Meta(ge=4, le=512)] | None = None
    """their side; None is n"""


class Settings(guided_settings.Guided, frozen=True, kw_only=True):
    """Everything decided."""

    network_rate: float
    background: str
    sparsity: float
    sketch: float
    refinement: Refinement
    refine_steps: int
    pictures: int
    picture_latents: int


def resolve(params: LatentNerfParams, model: loading.Described, device: str) -> Settings:
    """The settings of a job. Raises UserError `model.bad` when the model's `maquette.json` makes no sense."""
    preset = params.preset or ("draft" if device == "cpu" else "standard")
    defaults = guided_settings.read(model, "sculpt", ModelDefaults)
    released = preset == "parity"
    shared = (
        guided_settings.released(params) if released else guided_settings.decided(params, defaults, preset)
    )
    steps = defaults.refinement.steps
    return Settings(
        **shared,
        network_rate=1e-3 if released else defaults.network_rate,
        background="learned" if released else defaults.background,
        sparsity=_RELEASED_SPARSITY if released else defaults.sparsity,
        sketch=params.strength * (_RELEASED_SKETCH if released else defaults.sketch),
        refinement=defaults.refinement,
        refine_steps=params.refine_steps or (steps.fine if released else getattr(steps, preset)),
        pictures=defaults.pictures,
        picture_latents=defaults.picture_latents or model.sample_size,
    )
