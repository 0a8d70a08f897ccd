"""One step of Latent-NeRF: a field whose colours are latents is changed as a diffusion model would change its
pictures (arXiv:2211.07600, sections 3.1 to 3.3).

B views of h x w rays, C latent channels, P samples. The field is a `GridField` whose code is the C latents:
no activation, no view direction. What the model would change is `dL/dz`; two more terms act on the geometry,
both scaled by the pixels of what the model looks at, since its gradient is a sum over them:

    sparsity   the binary entropy (in bits) of each ray's opacity: rays meet something or nothing
    sketch     see `sketch_shape`; of the ray's samples and of points anywhere in the field, since rays have
               no samples where nothing is yet
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..fields import grid
from ..fields.domain import Domain
from ..methods.base import State
from ..rendering import marching, packed
from ..rendering.occupancy import Occupancy
from ..rendering.rays import Rays
from . import adam_state, backgrounds, seeds
from .distilling import Distilling
from .sketch_shape import SketchShape
from .touched_adam import TouchedAdam
from .viewpoints import ViewSource

_LOOK_EVERY = 16  # steps between two looks at the occupancy
_LIT_FROM = 100  # steps: before, nothing is so dense that it hides what is behind it
_WARM_UP = 20  # steps
_LEAST = 1e-5  # from 0 and 1: opacities whose entropy has a gradient


@dataclass(frozen=True)
class View:
    """A camera of the job: its rays in the field's frame, its view word, what its background keeps."""

    rays: Rays
    word: int
    behind: object


class Head(Protocol):
    """From composited latents to what the model looks at."""

    side: int
    """rays of a view along a side"""

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """What is learnt with the field, by name."""

    def latents(self, seen: Tensor) -> Tensor:
        """Latents [B, C, n, n] of views [B, C, side, side]; differentiable."""


@dataclass(frozen=True)
class Settings:
    """How an object grows."""

    views: int  # of a step
    table_rate: float
    network_rate: float
    background_rate: float
    last_rate: float  # of the first
    steady: float  # share of the steps at the full rate; then it falls evenly in its logarithm
    sparsity: float  # weight of that term at last
    sparsity_from: float  # share of the steps over which it grows to that
    sketch: float  # weight of that term
    points: int  # anywhere in the field, of a step
    step: float  # between samples, in the field's frame


class LatentTask:
    """A field with its optimisers; satisfies `loop.Task`."""

    def __init__(
        self,
        field: grid.GridField,
        occupancy: Occupancy,
        domain: Domain,
        distilling: Distilling,
        views: ViewSource[View],
        background: backgrounds.Background,
        head: Head,
        settings: Settings,
        seed: int,
        sketch: SketchShape | None = None,
    ) -> None:
        """domain: bounded."""
        self.field, self.occupancy, self.domain = field, occupancy, domain
        self._distilling, self._views, self._background = distilling, views, background
        self._head, self._settings, self._sketch = head, settings, sketch
        device = field.grid.table.device
        self._random = seeds.torch_generator(seed, "samples", device)
        self._behind = seeds.generator(seed, "background")
        self._table = TouchedAdam(field.grid.table)
        networks = {f"density.{name}": each for name, each in field.density.named_parameters()}
        networks |= head.parameters()
        self._learnt = {**networks, **background.parameters()}
        groups = [{"params": list(networks.values()), "rate": settings.network_rate}]
        if behind := list(background.parameters().values()):
            groups.append({"params": behind, "rate": settings.background_rate})
        self._adam = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-15, fused=True)
        self._told = torch.zeros(4, device=device)

    def advance(self, step: int) -> None:
        """One optimiser step over `views` views; `step` counts from 0."""
        if step % _LOOK_EVERY == 0:
            self.look()
        views = [self._views.draw() for _ in range(self._settings.views)]
        samples = self._samples(views, step)
        points, spreads = samples.points, samples.spreads
        if self._sketch is not None:
            anywhere = torch.rand(self._settings.points, 3, generator=self._random, device=points.device)
            points = torch.cat([points, anywhere])
            spreads = torch.cat([spreads, spreads.new_zeros(len(anywhere))])
        code = self.field.code(points, spreads)
        logs, channels = code.split([1, code.shape[1] - 1], 1)
        densities = grid.density(logs)
        seen, opacities = self._composited(views, samples, densities, channels)
        latents = self._head.latents(seen)
        gradient = self._distilling.gradient(latents, [view.word for view in views], step)
        pixels = latents[0, 0].numel()
        loss = (latents * gradient).sum() / len(views)
        undecided = entropy(opacities)
        loss = loss + pixels * self._sparsity(step) * undecided
        kept = densities.new_zeros(())
        if self._sketch is not None:
            kept = self._sketch.loss(points, densities)
            loss = loss + pixels * self._settings.sketch * kept
        self._learn(loss, self._rate(step))
        strength = gradient.square().mean().sqrt()
        self._told = torch.stack([strength, undecided, opacities.mean(), kept]).detach()

    def look(self) -> None:
        """Sees where the field is occupied now."""
        self.occupancy.look(self.field.density_at, self._settings.step, self._random)

    def _samples(self, views: Sequence[View], step: int) -> marching.Samples:
        rays = Rays.joined([view.rays for view in views])
        shifts = torch.rand(len(rays), generator=self._random, device=rays.device)
        lit = self.field if step >= _LIT_FROM else None
        return marching.march(rays, shifts, self.occupancy.occupied, self.domain, self._settings.step, lit)

    def _composited(
        self, views: Sequence[View], samples: marching.Samples, densities: Tensor, channels: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Latents [B, C, side, side] of the views before their backgrounds, and opacities [B side side]."""
        side = self._head.side
        sizes = [len(samples), len(densities) - len(samples)]  # the rest are the sketch's own points
        densities, channels = densities.split(sizes)[0], channels.split(sizes)[0].contiguous()
        nothing = channels.new_zeros(len(views) * side * side, channels.shape[1])
        latents, opacities, _ = packed.composite(
            densities, channels, samples.lengths, samples.offsets, nothing
        )
        behind = torch.cat(
            [self._background.draw(view.behind, self._behind).expand(side * side, -1) for view in views]
        )
        latents = latents + (1 - opacities)[:, None] * behind
        return latents.view(len(views), side, side, -1).movedim(-1, 1), opacities

    def _learn(self, loss: Tensor, rate: float) -> None:
        for each in self._learnt.values():
            each.grad = None
        loss.backward()
        for group in self._adam.param_groups:
            group["lr"] = group["rate"] * rate
        self._adam.step()
        self._table.step(self._settings.table_rate * rate)

    def _sparsity(self, step: int) -> float:
        """The weight of that term: an object finds its place before it must be solid."""
        grown = self._settings.sparsity_from
        share = min(1.0, self._distilling.progress(step) / grown) if grown else 1.0
        return share * self._settings.sparsity

    def _rate(self, step: int) -> float:
        """The learning rate as a share of the first one's."""
        steady = self._settings.steady
        done = max(0.0, self._distilling.progress(step) - steady) / (1 - steady) if steady < 1 else 0.0
        rate: float = min(1.0, (step + 1) / _WARM_UP) * self._settings.last_rate**done
        return rate

    def losses(self) -> Mapping[str, float]:
        """Of the newest step: root mean square of the model's gradient, the two terms without their weights,
        and the mean opacity.
        """
        names = ("gradient", "sparsity", "opacity", "sketch")
        found = dict(zip(names, self._told.tolist(), strict=True))
        if self._sketch is None:
            del found["sketch"]
        return found

    def state(self) -> State:
        """Weights, moments, occupancy and every generator, copied."""
        tensors = {f"field.{name}": each.cpu().clone() for name, each in self.field.state_dict().items()}
        tensors |= {f"table.{name}": each for name, each in self._table.state().items()}
        tensors |= {f"learnt.{name}": each.detach().cpu().clone() for name, each in self._learnt.items()}
        tensors |= {f"occupancy.{name}": each for name, each in self.occupancy.state().items()}
        tensors |= adam_state.saved(self._adam, self._learnt)
        random, values = self._distilling.random()
        tensors |= random
        tensors["random.samples"] = self._random.get_state()
        tensors["told"] = self._told.cpu().clone()
        values |= {"background": seeds.state_of(self._behind), "views": self._views.state()}
        return State(tensors, values)

    @torch.no_grad()
    def rewind(self, state: State) -> None:
        """Everything but the random numbers."""
        self.field.load_state_dict(adam_state.under("field.", state.tensors))
        self._table.restore(adam_state.under("table.", state.tensors))
        for name, parameter in self._learnt.items():
            parameter.copy_(state.tensors[f"learnt.{name}"])
        self.occupancy.restore(adam_state.under("occupancy.", state.tensors))
        adam_state.restore(self._adam, self._learnt, state.tensors)
        self._told = state.tensors["told"].to(self._told.device)

    def restore(self, state: State) -> None:
        """Goes on from a checkpoint bit for bit (on a CPU)."""
        self.rewind(state)
        self._distilling.restore(state.tensors, state.values)
        self._random.set_state(state.tensors["random.samples"].cpu())
        seeds.restore(self._behind, state.values["background"])
        self._views.restore(state.values["views"])


def entropy(opacities: Tensor) -> Tensor:
    """Mean binary entropy in bits (arXiv:2211.07600, section 3.1: the sparsity loss)."""
    share = opacities.clamp(_LEAST, 1 - _LEAST)
    nats = torch.special.entr(share) + torch.special.entr(1 - share)
    return nats.mean() / math.log(2)
