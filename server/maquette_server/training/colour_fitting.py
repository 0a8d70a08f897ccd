"""Gives a field of latents colours: its colour network, which gets a sample's latents, learns what the
model's decoder makes of them. Densities and latents stay as they are, and so does the shape.

At first the network is the linear approximation of the decoder (`guidance.latent_rgb`); then it learns from
pictures of the field. Directions are drawn at random, so that colours do not hang on them: a decoder's whims
would be taken for reflections.
"""

import torch
from torch import Tensor

from ..fields import grid, spherical_harmonics
from ..rendering import packed
from ..rendering.occupied import OccupiedSampler
from ..rendering.posed import CameraRays

_LATENTS = 1.5  # standard deviation of the latents with which the network begins
_FIRST_STEPS, _FIRST_POINTS = 300, 1024
_RAYS = 1024  # of a step
_RATE = 5e-3


def begin(field: grid.GridField, matrix: Tensor, random: torch.Generator) -> None:
    """Makes the colour network what a matrix [C, 3] says (colours in [-1, 1]), as well as it can be."""
    device = field.grid.table.device
    adam = _optimiser(field)
    for step in range(_FIRST_STEPS):
        latents = _LATENTS * torch.randn(_FIRST_POINTS, len(matrix), generator=random, device=device)
        wanted = ((latents @ matrix.to(device) + 1) / 2).clamp(0, 1)
        code = torch.cat([latents[:, :1], latents], 1)
        error = (field.colours(code, _directions(len(latents), random, device)) - wanted).square().mean()
        _descend(adam, error, 1 - step / _FIRST_STEPS)


class ColourFitting:
    """Learns from V pictures of the field itself."""

    def __init__(
        self,
        field: grid.GridField,
        sampler: OccupiedSampler,
        rays: CameraRays,
        pictures: Tensor,
        seen: Tensor,
        steps: int,
        random: torch.Generator,
    ) -> None:
        """rays: of the V cameras, all of one size.  pictures: [V, H W, 3], 0..1, of the object alone.
        seen: [V, H W], how much of the object a pixel shows.
        """
        self._field, self._sampler, self._rays, self._steps = field, sampler, rays, steps
        self._random = random
        self._cameras, self._pixels = (seen > 0.5).nonzero().unbind(1)
        self._wanted = pictures[self._cameras, self._pixels]
        self._adam = _optimiser(field)
        self.error = torch.zeros((), device=pictures.device)

    def advance(self, step: int) -> None:
        """One step; `step` counts from 0."""
        field, device = self._field, self._wanted.device
        if not len(self._wanted):
            return
        drawn = torch.randint(len(self._wanted), (_RAYS,), generator=self._random, device=device)
        samples = self._sampler.samples(self._rays.rays(self._cameras[drawn], self._pixels[drawn]))
        with torch.no_grad():
            code = field.code(samples.points, samples.spreads)
            densities = grid.density(code)
            nothing = code.new_zeros(_RAYS, 3)
            black = code.new_zeros(len(samples), 3)
            _, opacities, weights = packed.composite(
                densities, black, samples.lengths, samples.offsets, nothing
            )
        lit = (weights > 1e-3).nonzero()[:, 0]
        colours = field.colours(code[lit], _directions(len(lit), self._random, device))
        shown = nothing.index_add(0, samples.rays[lit], weights[lit, None] * colours)
        straight = shown / opacities.clamp(min=1e-3)[:, None]
        error = (straight - self._wanted[drawn]).square().mean()
        _descend(self._adam, error, 1 - step / self._steps)
        self.error = error.detach()


def _optimiser(field: grid.GridField) -> torch.optim.Adam:
    return torch.optim.Adam(field.colour.parameters(), lr=_RATE, betas=(0.9, 0.99), fused=True)


def _directions(count: int, random: torch.Generator, device: torch.device) -> Tensor:
    """[P, 16], of directions drawn evenly."""
    drawn = torch.randn(count, 3, generator=random, device=device)
    return spherical_harmonics.basis(torch.nn.functional.normalize(drawn, dim=-1))


def _descend(adam: torch.optim.Adam, error: Tensor, rate: float) -> None:
    adam.zero_grad(set_to_none=True)
    error.backward()
    for group in adam.param_groups:
        group["lr"] = _RATE * rate
    adam.step()
