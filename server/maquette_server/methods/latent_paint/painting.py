"""The unknown of Latent-Paint and one step towards it (arXiv:2211.07600, section 4.3).

The latent texture is [1, C, S, S]; outside the parity preset it is the sum of one latent for the whole
object and a deviation for every texel, so that parts a model takes for background at first (thin limbs)
start in the object's colour instead of drifting on their own. A step renders a view of it as latents, asks
the diffusion model what it would change (score distillation), and sends that answer back through the lookup
into the texels.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ...guidance import score_distillation
from ...rendering import surface_view, texture
from ...training import adam_state, backgrounds, distilling, seeds, viewpoints
from .. import base
from . import settings as deciding


@dataclasses.dataclass(frozen=True)
class PaintView:
    """A camera of the job: what it sees, its view word, and what its background keeps."""

    surface: surface_view.SurfaceView
    word: int
    behind: object


def levels(chosen: deciding.Settings) -> int:
    """Levels of the latent texture's pyramid; the released code has none but the first."""
    return 1 if chosen.preset == "parity" else texture.level_count(chosen.texture_latents)


class Painting:
    """The latent texture, its background and their optimiser."""

    def __init__(
        self,
        initial: Tensor,
        guidance: score_distillation.Guidance,
        views: viewpoints.ViewSource[PaintView],
        embeddings: Sequence[Tensor],
        background: backgrounds.Background,
        chosen: deciding.Settings,
        *,
        seed: int,
        spread: Tensor | None,
        paintable: Tensor | None,
    ) -> None:
        """initial: [1, C, S, S].  embeddings: one [2, N, D] a view word, unconditional first.

        spread: [S * S] flat index of the chart texel nearest to each texel, None without gutters.
        paintable: [S * S] 0 keep .. 1 paint, None when everything is painted.
        """
        self._deviation = torch.nn.Parameter(initial.clone())
        self._common = torch.nn.Parameter(torch.zeros_like(initial[..., :1, :1]))
        self._views = views
        self._background = background
        self._settings = chosen
        self._spread = spread
        self._paintable = paintable
        self._levels = levels(chosen)
        self._parameters = {"texture": self._deviation, **background.parameters()}
        if chosen.preset != "parity":
            self._parameters["common"] = self._common
        # eps as released; the fused form is the same arithmetic in one call.
        groups = [
            {"params": [p], "lr": chosen.common_learning_rate if name == "common" else chosen.learning_rate}
            for name, p in self._parameters.items()
        ]
        self._optimiser = torch.optim.Adam(groups, betas=(0.9, 0.99), eps=1e-15, fused=True)
        device = initial.device
        schedule = distilling.Schedule(
            chosen.steps, chosen.guidance_scale, chosen.guidance_scale_end, chosen.timesteps, chosen.anneal
        )
        self._distilling = distilling.Distilling(guidance, embeddings, schedule, seed, device)
        self._behind = seeds.generator(seed, "background")
        self._gradient_size = torch.zeros((), device=device)

    @property
    def texture(self) -> Tensor:
        """The latent texture [1, C, S, S] as it is now."""
        if self._paintable is None:
            return self._deviation + self._common
        return self._deviation + self._common * self._paintable.reshape(1, 1, *self._deviation.shape[-2:])

    def table(self) -> Tensor:
        """The pyramid of the latent texture as a table of rows; see `rendering.texture`."""
        return texture.pyramid(self.texture[0], self._levels)

    def advance(self, step: int) -> None:
        """One optimiser step over `views_per_step` views; `step` counts from 0."""
        views = [self._views.draw() for _ in range(self._settings.views_per_step)]
        table = self.table()
        latents = torch.cat(
            [v.surface.render(table, self._background.draw(v.behind, self._behind)) for v in views]
        )
        gradient = self._distilling.gradient(latents, [v.word for v in views], step)
        self._optimiser.zero_grad(set_to_none=True)
        latents.backward(gradient / len(views))
        if self._paintable is not None and self._deviation.grad is not None:
            self._deviation.grad.mul_(self._paintable.reshape(1, 1, *self._deviation.shape[-2:]))
        self._optimiser.step()
        self._gradient_size = gradient.detach().square().mean().sqrt()
        if self._spread is not None and (step + 1) % 100 == 0:
            self.dilate()

    @torch.no_grad()
    def dilate(self) -> None:
        """Texels outside the charts take the latents of the nearest chart texel."""
        if self._spread is not None:
            flat = self._deviation.data.flatten(2)
            self._deviation.data.copy_(flat[..., self._spread].reshape(self._deviation.shape))

    def losses(self) -> Mapping[str, float]:
        """Root mean square of the newest gradient, and of the texture."""
        return {
            "gradient": float(self._gradient_size),
            "texture": float(self.texture.detach().square().mean().sqrt()),
        }

    def state(self) -> base.State:
        """Parameters, moments and every generator, copied."""
        tensors = {name: parameter.detach().cpu().clone() for name, parameter in self._parameters.items()}
        tensors |= adam_state.saved(self._optimiser, self._parameters)
        random, drawn = self._distilling.random()
        tensors |= random
        values = {
            **drawn,
            "background": seeds.state_of(self._behind),
            "views": self._views.state(),
        }
        return base.State(tensors, values)

    def rewind(self, state: base.State) -> None:
        """Parameters and moments of a state; the generators stay where they are."""
        for name, parameter in self._parameters.items():
            parameter.data.copy_(state.tensors[name])
        adam_state.restore(self._optimiser, self._parameters, state.tensors)

    def restore(self, state: base.State) -> None:
        """Goes on from a checkpoint bit for bit."""
        self.rewind(state)
        self._distilling.restore(state.tensors, state.values)
        seeds.restore(self._behind, state.values["background"])
        self._views.restore(state.values["views"])
