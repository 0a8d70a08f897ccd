"""mip-NeRF as a learner: pixels of all pictures alike, over one background, weighed by size in the loss.

What is as published (arXiv:2103.13415, sec. 4): networks, passes, loss, how pixels are drawn and weighed,
learning rates, which follow whatever number of steps there is; for captures that face one way, cylinders in
normalised device coordinates and noise on densities. What is ours: rays of an object end at the scene's box
(see `rendering.mip_render`), and those that miss it are left out of their step, as they can teach nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from maquette_wire.errors import UserError

from ...rendering import mip_render, rays
from ...scenes import mip_weights
from ...training import mip_presets, mip_training, pixels, seeds
from . import ReconstructParams
from .learning import Capture, pixels_of
from .space import Space

_CPU = torch.device("cpu")
_QUICK = {"cpu": 1e11, "cuda": 1e14}  # multiplications and additions of a view that takes a few seconds
DENSITY_NOISE = 1.0  # standard deviation, in normalised device coordinates
_LEAST = 48 * 48  # pixels of a view, however long they take


class MipLearner(mip_training.MipTask):
    """See `learners.Learner`."""

    backend = "torch"

    def __init__(
        self,
        name: str,
        preset: mip_presets.Preset,
        source: pixels.Pixels,
        space: Space,
        progress: Callable[[int], float],
        seed: int,
        device: torch.device,
    ) -> None:
        """name: of the preset.  source: on the CPU, so that every device learns from the same pixels."""

        def batch(step: int) -> rays.Batch:
            drawn = source.draw(
                preset.rays, seeds.torch_generator(seed, f"mip.pixels.{step}", _CPU), evenly=True
            )
            behind = float(preset.sampling.background == "white")
            inside, met = mip_render.within(drawn.rays, space.domain, space.ndc)
            colours = drawn.colours + (1 - drawn.opacities)[:, None] * behind
            return rays.Batch(inside, colours[met], drawn.weights[met])

        super().__init__(preset, batch, seed=seed, device=device, progress=progress)
        self.label, self._space = f"mip {name}", space
        weights = sum(each.numel() for each in self.field.parameters())
        samples = preset.sampling.coarse + preset.sampling.fine
        self.quick = max(_LEAST, int(_QUICK[device.type] / (2 * weights * samples)))

    def record(self) -> dict[str, Any]:
        """The field in scene.json."""
        return mip_weights.record(self.scene())

    def weights(self) -> bytes:
        """The file of a checkpoint."""
        return mip_weights.encode(self.scene())

    def scene(self) -> mip_render.MipScene:
        """The field as it is now."""
        domain, ndc = self._space.domain, self._space.ndc
        return mip_render.MipScene(self.field, self.coarse, self.preset.sampling, domain, ndc)

    def figures(self) -> dict[str, Any]:
        """How many pixels a step draws."""
        return {"pixels_of_a_step": self.preset.rays}


def usual_steps(params: ReconstructParams, device: torch.device) -> int:
    """Optimiser steps when nothing is said: those of the preset."""
    return mip_presets.PRESETS[_preset(params, device)].schedule.steps


def prepare(captured: Capture, space: Space, params: ReconstructParams, device: torch.device) -> None:
    """Nothing: torch alone learns it."""


def start(
    captured: Capture,
    space: Space,
    params: ReconstructParams,
    progress: Callable[[int], float],
    seed: int,
    device: torch.device,
) -> MipLearner:
    """A mip-NeRF that has learnt nothing. Raises UserError `params.bad` for a place without bounds."""
    if space.domain.unbounded and space.ndc is None:
        if params.bounds == "unbounded":
            hint = "Use --field grid for a whole place."
        else:
            hint = (
                "Use --field grid; or --bounds object, if the photographs show one object from all round, or"
                " --bounds forward, if they all face one way."
            )
        raise UserError(
            "params.bad",
            "mip-NeRF learns an object in a box or a view one way, not a whole place.",
            hint=hint,
        )
    name = _preset(params, device)
    preset = mip_presets.PRESETS[name]
    background = captured.dataset.background or "black"
    preset = replace(preset, sampling=replace(preset.sampling, background=background))
    if space.ndc is not None:
        preset = _facing(preset)
    source = pixels_of(captured, space, _CPU)
    return MipLearner(name, preset, source, space, progress, seed, device)


def _facing(preset: mip_presets.Preset) -> mip_presets.Preset:
    """For captures that face one way, as the released settings for LLFF's have it."""
    network = replace(preset.network, density_noise=DENSITY_NOISE)
    return replace(preset, network=network, sampling=replace(preset.sampling, shape="cylinder"))


def _preset(params: ReconstructParams, device: torch.device) -> str:
    return params.preset or ("small" if device.type == "cpu" else "paper")
