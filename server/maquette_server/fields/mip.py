"""The network of mip-NeRF: Gaussians in space as density and colour (arXiv:2103.13415, sec. 3.2, and the
released code, where the paper leaves room).

R rays, S Gaussians along each. A trunk of layers reads the integrated encoding of a Gaussian, once more in
its middle. Density comes straight from the trunk; colour comes from a layer without activation (the
*bottleneck*), a layer that also reads the encoding of the viewing direction, and one more.

Encodings, density and colour are in float32. The layers may run in a narrower dtype, their weights stay in
float32. Rewritten for speed, with the same function and the same parameters: what a layer reads of two parts
goes through two products instead of a concatenation, what the viewing direction adds is worked out once a
ray, and the bottleneck is multiplied into the layer behind it.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils import checkpoint

from . import encodings


@dataclass(frozen=True)
class Settings:
    """What a network is like; the defaults are the paper's."""

    degrees: int = 16  # of the encoding of points
    depth: int = 8  # layers of the trunk
    width: int = 256  # numbers behind each of them
    skip: int = 4  # behind the layer of this index the encoding is read again, if there is a next one
    integrate: bool = True  # False: the encoding of the mean alone
    density_bias: float = -1.0  # added before the softplus
    density_noise: float = 0.0  # standard deviation of what training adds to densities before the softplus
    view_degrees: int = 4  # of the encoding of directions
    view_width: int = 128  # of the layer that reads them
    colour_padding: float = 0.001  # colours reach beyond 0..1 by this, so that 0 and 1 can be learnt

    def __post_init__(self) -> None:
        sizes = (self.degrees, self.depth, self.width, self.skip + 1, self.view_degrees, self.view_width)
        if min(sizes) < 1 or min(self.density_noise, self.colour_padding) < 0:
            raise ValueError(f"a network cannot have these settings: {self}")

    @property
    def encoded(self) -> int:
        """Numbers that a Gaussian becomes."""
        return 6 * self.degrees

    @property
    def encoded_view(self) -> int:
        """Numbers that a direction becomes."""
        return 3 + 6 * self.view_degrees


@dataclass(frozen=True)
class Mode:
    """How a network is evaluated."""

    noise: torch.Generator | None = None  # draws the density noise; None leaves it out
    dtype: torch.dtype = torch.float32  # of the layers
    recompute: bool = False  # keep no activations of the trunk for the way back, compute them again there


class DensityField(torch.nn.Module):
    """Trunk and density; by itself a proposal network, which only says where the next samples go."""

    def __init__(self, settings: Settings | None = None, *, generator: torch.Generator | None = None) -> None:
        """generator: of the first weights (Glorot, uniform; biases are 0); on the CPU."""
        super().__init__()
        self.settings = settings or Settings()
        encoded, width = self.settings.encoded, self.settings.width
        before = [encoded, *[width] * (self.settings.depth - 1)]
        if self.settings.skip + 1 < self.settings.depth:
            before[self.settings.skip + 1] += encoded
        self.trunk = torch.nn.ModuleList(linear(inputs, width, generator) for inputs in before)
        self.to_density = linear(width, 1, generator)

    def density(self, means: Tensor, variances: Tensor, mode: Mode | None = None) -> Tensor:
        """Densities [R, S] per unit of length, from Gaussians [R, S, 3] each; differentiable.

        Raises ValueError for other shapes or half precision.
        """
        mode = mode or Mode()
        return self._density(self._features(means, variances, mode), means, mode)

    def _density(self, features: Tensor, means: Tensor, mode: Mode) -> Tensor:
        weight, bias = self.to_density.weight.to(mode.dtype), self.to_density.bias
        raw = functional.linear(features, weight).reshape(means.shape[:2]).float() + bias
        if mode.noise is not None and self.settings.density_noise > 0:
            drawn = torch.randn(raw.shape, generator=mode.noise, device=raw.device)
            raw = raw + self.settings.density_noise * drawn
        return functional.softplus(raw + self.settings.density_bias)

    def _features(self, means: Tensor, variances: Tensor, mode: Mode) -> Tensor:
        """What the trunk makes of Gaussians, [R S, width], in the mode's dtype."""
        if means.dim() != 3 or means.shape[2] != 3 or variances.shape != means.shape:
            raise ValueError(
                f"Gaussians must be [R, S, 3] twice, not {list(means.shape)} and {list(variances.shape)}"
            )
        settings = self.settings
        spread = variances if settings.integrate else None
        encoded = encodings.integrated(means, spread, settings.degrees).flatten(0, 1).to(mode.dtype)
        if mode.recompute and torch.is_grad_enabled():
            found: Tensor = checkpoint.checkpoint(
                self._trunk, encoded, use_reentrant=False, preserve_rng_state=False
            )
            return found
        return self._trunk(encoded)

    def _trunk(self, encoded: Tensor) -> Tensor:
        hidden = encoded
        for index, layer in enumerate(self.trunk):
            assert isinstance(layer, torch.nn.Linear)
            weight, bias = layer.weight.to(encoded.dtype), layer.bias.to(encoded.dtype)
            if index == self.settings.skip + 1:
                again = functional.linear(encoded, weight[:, self.settings.width :], bias)
                hidden = again.addmm_(hidden, weight[:, : self.settings.width].T)
            else:
                hidden = functional.linear(hidden, weight, bias)
            hidden = hidden.relu_()
        return hidden


class MipField(DensityField):
    """Density and colour."""

    def __init__(self, settings: Settings | None = None, *, generator: torch.Generator | None = None) -> None:
        """generator: as of `DensityField`."""
        super().__init__(settings, generator=generator)
        width, view_width = self.settings.width, self.settings.view_width
        self.bottleneck = linear(width, width, generator)
        self.view = linear(width + self.settings.encoded_view, view_width, generator)
        self.to_colour = linear(view_width, 3, generator)

    def density_and_colour(
        self, means: Tensor, variances: Tensor, directions: Tensor, mode: Mode | None = None
    ) -> tuple[Tensor, Tensor]:
        """Densities [R, S] and colours [R, S, 3], these in -0.001..1.001; differentiable.

        means, variances: [R, S, 3].  directions: [R, 3], of any length.
        Raises ValueError for other shapes or half precision.
        """
        mode = mode or Mode()
        if directions.shape != (len(means), 3):
            raise ValueError(f"directions of {len(means)} rays must be [R, 3], not {list(directions.shape)}")
        features = self._features(means, variances, mode)
        return self._density(features, means, mode), self._colour(features, means, directions)

    def _colour(self, features: Tensor, means: Tensor, directions: Tensor) -> Tensor:
        settings = self.settings
        seen = encodings.positional(functional.normalize(directions, dim=-1), settings.view_degrees)
        of_features, of_view = self.view.weight.split([settings.width, settings.encoded_view], 1)
        weight = (of_features @ self.bottleneck.weight).to(features.dtype)
        per_ray = functional.linear(seen, of_view, self.view.bias + of_features @ self.bottleneck.bias)
        hidden = functional.linear(features, weight).unflatten(0, means.shape[:2])
        hidden = (hidden + per_ray[:, None].to(hidden.dtype)).relu_()
        raw = functional.linear(hidden, self.to_colour.weight.to(hidden.dtype)).float() + self.to_colour.bias
        return torch.sigmoid(raw) * (1 + 2 * settings.colour_padding) - settings.colour_padding


def linear(inputs: int, outputs: int, generator: torch.Generator | None) -> torch.nn.Linear:
    """A layer with weights spread evenly after Glorot, and biases of 0."""
    # `skip_init`, as torch's own first weights would be drawn from the global generator
    layer = torch.nn.utils.skip_init(torch.nn.Linear, inputs, outputs)
    torch.nn.init.xavier_uniform_(layer.weight, generator=generator)
    torch.nn.init.zeros_(layer.bias)
    return layer
