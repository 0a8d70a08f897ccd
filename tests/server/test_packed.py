"""Compositing of packed samples: closed forms, and the compiled one against autograd."""

import math

import pytest
import torch
from maquette_server.rendering import packed
from torch import Tensor

COUNTS = [5, 0, 1, 40, 0, 17]  # samples of each ray


def given(dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """Densities, colours, lengths, offsets, background of rays with very different numbers of samples."""
    generator = torch.Generator().manual_seed(0)
    total = sum(COUNTS)
    densities = torch.rand(total, generator=generator) ** 4 * 60
    densities[7] = 0.0
    densities[20] = 1e5  # opaque: nothing behind it counts
    colours = torch.rand(total, 3, generator=generator)
    lengths = torch.rand(total, generator=generator) * 0.1
    offsets = torch.tensor([0, *COUNTS]).cumsum(0)
    background = torch.rand(len(COUNTS), 3, generator=generator)
    floats = [each.to(dtype) for each in (densities, colours, lengths)]
    return [*floats, offsets, background.to(dtype)]


@pytest.mark.parametrize("composite", [packed.composite, packed.segmented])
def test_a_constant_density_is_beers_law(composite) -> None:
    colour, behind = torch.tensor([0.2, 0.6, 1.0]), torch.tensor([[1.0, 0.5, 0.0]])
    for density, count in ((0.7, 1), (0.7, 100), (0.0, 10), (1e4, 3)):
        lengths = torch.linspace(0.5, 1.5, count) * 2 / count
        passed = math.exp(-density * float(lengths.sum()))
        seen, opacities, _ = composite(
            torch.full((count,), density),
            colour.expand(count, 3).contiguous(),
            lengths,
            torch.tensor([0, count]),
            behind,
        )
        torch.testing.assert_close(opacities, torch.tensor([1 - passed]), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(seen, (1 - passed) * colour[None] + passed * behind, rtol=1e-5, atol=1e-6)


def test_compiled_and_segmented_agree() -> None:
    for found, expected in zip(packed.composite(*given()), packed.segmented(*given()), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("of_opacities", [0.0, 3.0])
def test_compiled_gradients_are_those_of_autograd(of_opacities: float) -> None:
    random = torch.Generator().manual_seed(5)
    factors = torch.randn(len(COUNTS), 3, generator=random)
    more = of_opacities * torch.randn(len(COUNTS), generator=random)
    gradients = {}
    for name, composite, dtype in (
        ("compiled", packed.composite, torch.float32),
        ("autograd", packed.segmented, torch.float64),
    ):
        densities, colours, *rest = given(dtype)
        densities.requires_grad_()
        colours.requires_grad_()
        seen, opacities, weights = composite(densities, colours, *rest)
        assert not weights.requires_grad
        ((seen * factors).sum() + (opacities * more).sum()).backward()
        assert densities.grad is not None
        assert colours.grad is not None
        gradients[name] = densities.grad.double(), colours.grad.double()
    for found, expected in zip(gradients["compiled"], gradients["autograd"], strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=2e-7)


def test_weights_add_up_to_the_opacity() -> None:
    _, opacities, weights = packed.composite(*given())
    rays = torch.repeat_interleave(torch.arange(len(COUNTS)), torch.tensor(COUNTS))
    summed = packed.along(torch.ones_like(weights), weights, rays, len(COUNTS))
    torch.testing.assert_close(summed, opacities, rtol=1e-5, atol=1e-6)
    assert bool(((opacities >= 0) & (opacities <= 1)).all())


@pytest.mark.parametrize("composite", [packed.composite, packed.segmented])
def test_rays_without_samples_show_the_background(composite) -> None:
    seen, opacities, _ = composite(*given())
    background = given()[4]
    for ray, count in enumerate(COUNTS):
        if count == 0:
            assert torch.equal(seen[ray], background[ray])
            assert float(opacities[ray]) == 0
    nothing = [torch.zeros(0), torch.zeros(0, 3), torch.zeros(0), torch.zeros(3, dtype=torch.int64)]
    seen, opacities, weights = composite(*nothing, background[:2])
    assert torch.equal(seen, background[:2])
    assert not opacities.any()
    assert len(weights) == 0


def test_what_lies_behind_something_opaque_does_not_count() -> None:
    densities, colours, lengths, offsets, background = given()
    first = packed.composite(densities, colours, lengths, offsets, background)[0]
    colours[21:46] = 0.0  # the ray with 40 samples begins at 6; the 20th of all is opaque
    background[3] = 1.0
    second = packed.composite(densities, colours, lengths, offsets, background)[0]
    torch.testing.assert_close(first[3], second[3], rtol=0, atol=1e-6)
