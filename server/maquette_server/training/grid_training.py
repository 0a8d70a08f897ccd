"""One step of learning a grid field from pixels (Mueller et al., arXiv:2201.05989, sections 4 and 5.4).

Behind transparent pixels, and behind whatever the field lets through, lies another random colour in every
step: only what is really opaque is not mixed with it, so opacity is learnt as well as colour.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..fields import grid, spherical_harmonics
from ..methods.base import State
from ..rendering import packed, splitting
from ..rendering.marching import Samples
from ..rendering.rays import Rays, distances
from . import adam_state, seeds
from .pixels import Drawn, Pixels
from .sample_placing import Placing
from .touched_adam import TouchedAdam

_WIDE = 3.0  # pixels that are wider, in footprints of their rays: a quarter of one is one of 1.5
_STEADY = 0.3  # share of the training at the full learning rate; then it falls evenly in its logarithm


Appearance = Literal["learnt", "fixed", "mean"]
"""of the pictures' own codes: they learn too, stay, or their mean stands for each"""


@dataclass(frozen=True)
class Settings:
    """How a grid field learns."""

    samples: int  # of a step, on average
    table_rate: float = 1e-2
    network_rate: float = 5e-3
    last_rate: float = 0.03  # of the first
    warm_up: int = 50  # steps
    split_from: float = math.inf  # share of the training from which on pixels are means of several rays
    finest: float = math.inf  # footprint (radius times `rays.distances`) that those rays have at most
    split_after: int = 1000  # steps, at least, before they are: shapes are found sooner by more pixels
    absolute: bool = False  # errors instead of their squares: pictures that disagree are not averaged
    patch: int = 0  # pixels a side of the squares that are drawn; 0: single pixels
    clip: float = math.inf  # longest gradient
    appearance: Appearance = "learnt"
    hold: float = 0.0  # weight of the loss that keeps each sample as opaque as `held` has it


Perceptual = Callable[[Tensor, Tensor], Tensor]
"""Distances [B] of pictures [B, 3, H, W] in 0..1 from others, differentiable in the second."""


class GridTask:
    """A field with its optimisers; satisfies `loop.Task`."""

    def __init__(
        self,
        field: grid.GridField,
        pixels: Pixels,
        placing: Placing,
        settings: Settings,
        seed: int,
        progress: Callable[[int], float],
        perceptual: Perceptual | None = None,
        held: grid.GridField | None = None,
    ) -> None:
        """progress: of a step's number, the share of the training that is over, 0..1.  perceptual: is added
        to the loss of patches.  held: a field whose shape is kept, see `Settings.hold`.
        """
        self.field, self.placing = field, placing
        self._pixels, self._settings, self._progress = pixels, settings, progress
        self._perceptual = perceptual if settings.patch else None
        self._held = held if settings.hold else None
        device = pixels.device
        self._random = seeds.torch_generator(seed, "pixels", device)
        self._table = TouchedAdam(field.grid.table)
        self._networks = {
            name: parameter
            for name, parameter in field.named_parameters()
            if name != "grid.table"
            and parameter.numel()
            and (settings.appearance == "learnt" or name != "appearance")
        }
        self._adam = torch.optim.Adam(
            [*self._networks.values()], lr=settings.network_rate, betas=(0.9, 0.99), eps=1e-15, fused=True
        )
        self._loss = torch.zeros((), device=device)
        self.split = False  # whether pixels have become means of several rays

    def advance(self, step: int) -> None:
        """One optimiser step."""
        self.placing.look(step, self._random)
        if step < self._settings.split_after or self._progress(step) < self._settings.split_from:
            drawn = self._draw(self.placing.rays)
            rays = drawn.rays
        else:
            count = max(1, self.placing.rays // splitting.PARTS)
            drawn = self._draw(count)
            fine = self._settings.finest / distances(drawn.rays.origins)
            radii = torch.minimum(drawn.rays.radii / 2, fine)
            rays = splitting.drawn(drawn.rays, radii, self._wide(drawn.rays), self._random)
            self.split = True
        samples = self.placing.place(rays, step, self._random)
        if len(samples):
            self._learn(drawn, rays, samples, self._rate(step))

    def _draw(self, count: int) -> Drawn:
        side = self._settings.patch
        if not side:
            return self._pixels.draw(count, self._random)
        return self._pixels.draw_patches(max(1, count // side**2), side, self._random)

    def _learn(self, drawn: Drawn, rays: Rays, samples: Samples, rate: float) -> None:
        parts = len(rays) // len(drawn.rays)
        side = max(1, self._settings.patch)
        behind = torch.rand(len(drawn.rays) // side**2, 3, generator=self._random, device=self._pixels.device)
        behind = behind.repeat_interleave(side**2, 0)
        wanted = drawn.colours + (1 - drawn.opacities)[:, None] * behind
        directions = torch.nn.functional.normalize(rays.directions, dim=-1)
        if (
            drawn.matt is not None
        ):  # learnt as if seen from anywhere, so that colours do not hang on directions
            anywhere = torch.randn(directions.shape, generator=self._random, device=directions.device)
            anywhere = torch.nn.functional.normalize(anywhere, dim=-1)
            directions = torch.where(drawn.matt.repeat_interleave(parts)[:, None], anywhere, directions)
        own = self.field.settings.appearances and self._settings.appearance != "mean"
        densities, colours = self.field(
            samples.points,
            samples.spreads,
            spherical_harmonics.basis(directions)[samples.rays],
            drawn.pictures[samples.rays // parts] if own else None,
        )
        behind = behind.repeat_interleave(parts, 0)
        seen, _, _ = packed.composite(densities, colours, samples.lengths, samples.offsets, behind)
        if drawn.known is not None:  # what a mask leaves out is right as it is
            wanted = torch.where(drawn.known[:, None], wanted, splitting.together(seen.detach(), parts))
        if self._settings.absolute:
            loss = (splitting.together(seen, parts) - wanted).abs().mean()
        elif parts > 1:
            loss = self._split_loss(drawn, seen, wanted)
        else:
            loss = (seen - wanted).square().mean()
        if self._perceptual is not None:
            pictures = (
                each.view(-1, side, side, 3).permute(0, 3, 1, 2)
                for each in (wanted, splitting.together(seen, parts))
            )
            loss = loss + self._perceptual(*pictures).mean()
        if self._held is not None:
            loss = loss + self._settings.hold * self._moved(self._held, densities, samples)
        more = self.placing.loss(densities, samples)
        self._adam.zero_grad(set_to_none=True)
        (loss if more is None else loss + more).backward()
        if math.isfinite(self._settings.clip):
            learning = [self.field.grid.table, *self._networks.values()]
            torch.nn.utils.clip_grad_norm_(learning, self._settings.clip)
        for group in self._adam.param_groups:
            group["lr"] = self._settings.network_rate * rate
        self._adam.step()
        self._table.step(self._settings.table_rate * rate)
        self.placing.learn(rate)
        self._loss = loss.detach()

    def _moved(self, held: grid.GridField, densities: Tensor, samples: Samples) -> Tensor:
        """Mean difference between what a held field and this one stop of the light at the samples."""
        with torch.no_grad():
            before = torch.exp(-grid.density(held.code(samples.points, samples.spreads)) * samples.lengths)
        return (torch.exp(-densities * samples.lengths) - before).abs().mean()

    def _split_loss(self, drawn: Drawn, seen: Tensor, wanted: Tensor) -> Tensor:
        """Of pixels as means of PARTS rays.

        Those of a pixel much wider than its rays are a sample of it: the square of their mean's error would
        count how much the field varies within the pixel, and blur it. The product of the errors of two
        independent means is on average the square of the pixel's own error.
        """
        square = (splitting.together(seen) - wanted).square()
        one, other = splitting.halves(seen)
        wide = self._wide(drawn.rays)[:, None]
        return torch.where(wide, (one - wanted) * (other - wanted), square).mean()

    def _wide(self, rays: Rays) -> Tensor:
        """Which pixels are much wider than the rays they are made of, bool [R]."""
        return rays.radii * distances(rays.origins) > _WIDE * self._settings.finest

    def _rate(self, step: int) -> float:
        """The learning rate as a share of the first one's."""
        done = max(0.0, self._progress(step) - _STEADY) / (1 - _STEADY)
        rate: float = min(1.0, (step + 1) / self._settings.warm_up) * self._settings.last_rate**done
        return rate

    def losses(self) -> Mapping[str, float]:
        """Mean error of the newest step (squared, unless absolute), over a random background."""
        return {"colour": float(self._loss)}

    def state(self) -> State:
        """Weights, moments, what places the samples, random numbers, copied."""
        tensors = {f"field.{name}": each.cpu().clone() for name, each in self.field.state_dict().items()}
        tensors |= {f"table.{name}": each for name, each in self._table.state().items()}
        tensors |= {f"placing.{name}": each for name, each in self.placing.state().items()}
        tensors |= adam_state.saved(self._adam, self._networks)
        tensors["random"] = self._random.get_state()
        return State(tensors, {"loss": float(self._loss), "split": float(self.split)})

    def rewind(self, state: State) -> None:
        """Everything but the random numbers."""
        self.field.load_state_dict(adam_state.under("field.", state.tensors))
        self._table.restore(adam_state.under("table.", state.tensors))
        self.placing.restore(adam_state.under("placing.", state.tensors))
        adam_state.restore(self._adam, self._networks, state.tensors)
        self._loss = torch.full_like(self._loss, state.values["loss"])
        self.split = bool(state.values["split"])

    def restore(self, state: State) -> None:
        """Goes on from a checkpoint bit for bit (on a CPU)."""
        self.rewind(state)
        self._random.set_state(state.tensors["random"].cpu())
