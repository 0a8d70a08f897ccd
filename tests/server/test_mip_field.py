"""The network of mip-NeRF against the same network written plainly, and its printed sizes."""

import dataclasses

import pytest
import torch
from maquette_server.fields import encodings, mip
from torch import Tensor

SMALL = mip.Settings(degrees=4, depth=7, width=24, view_width=12)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gaussians(rays: int = 5, intervals: int = 7) -> tuple[Tensor, Tensor, Tensor]:
    means = torch.randn(rays, intervals, 3, generator=seeded(1))
    variances = torch.rand(rays, intervals, 3, generator=seeded(2)) * 0.1
    return means, variances, torch.randn(rays, 3, generator=seeded(3))


def with_biases(field: mip.DensityField) -> None:
    """Draws the biases too, so that differences show."""
    generator = seeded(4)
    with torch.no_grad():
        for name, value in field.named_parameters():
            if name.endswith("bias"):
                value.uniform_(-0.5, 0.5, generator=generator)


def plainly(field: mip.MipField, means: Tensor, variances: Tensor, views: Tensor) -> tuple[Tensor, Tensor]:
    """The network layer by layer as the paper has it, with concatenations."""
    s = field.settings
    encoded = encodings.integrated(means, variances, s.degrees)
    hidden = encoded
    for index, layer in enumerate(field.trunk):
        hidden = torch.relu(layer(hidden))
        if index == s.skip:
            hidden = torch.cat([hidden, encoded], -1)
    density = torch.nn.functional.softplus(field.to_density(hidden)[..., 0] - 1)
    seen = encodings.positional(views / views.norm(dim=-1, keepdim=True), s.view_degrees)
    seen = seen[:, None].expand(*means.shape[:2], -1)
    both = torch.cat([field.bottleneck(hidden), seen], -1)
    raw = field.to_colour(torch.relu(field.view(both)))
    return density, torch.sigmoid(raw) * 1.002 - 0.001


def test_the_papers_network_has_612740_parameters() -> None:
    field = mip.MipField(generator=seeded())
    assert sum(value.numel() for value in field.parameters()) == 612_740
    assert (field.settings.encoded, field.settings.encoded_view) == (96, 27)
    assert [layer.in_features for layer in field.trunk] == [96, 256, 256, 256, 256, 352, 256, 256]


def test_it_is_the_network_of_the_paper() -> None:
    field = mip.MipField(SMALL, generator=seeded())
    with_biases(field)
    means, variances, views = gaussians()
    found = field.density_and_colour(means, variances, views)
    torch.testing.assert_close(found, plainly(field, means, variances, views), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(field.density(means, variances), found[0])


def test_its_gradient_is_that_of_the_paper() -> None:
    field = mip.MipField(SMALL, generator=seeded())
    with_biases(field)
    inputs = gaussians()
    gradients = []
    for evaluate in (field.density_and_colour, lambda *given: plainly(field, *given)):
        density, colour = evaluate(*inputs)
        loss = density.square().sum() + (colour - 0.3).square().sum()
        gradients.append(torch.autograd.grad(loss, tuple(field.parameters())))
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-4)


def test_heads_at_zero_give_the_printed_values() -> None:
    field = mip.MipField(SMALL, generator=seeded())
    with torch.no_grad():
        for value in field.parameters():
            value.zero_()
    density, colour = field.density_and_colour(*gaussians())
    torch.testing.assert_close(density, torch.full_like(density, 0.31326169))
    torch.testing.assert_close(colour, torch.full_like(colour, 0.5), rtol=0, atol=1e-7)


def test_colours_reach_beyond_black_and_white() -> None:
    field = mip.MipField(SMALL, generator=seeded())
    means, variances, views = gaussians()
    for bias, limit in ((100.0, 1.001), (-100.0, -0.001)):
        torch.nn.init.constant_(field.to_colour.bias, bias)
        _, colour = field.density_and_colour(means, variances, views)
        torch.testing.assert_close(colour, torch.full_like(colour, limit))


def test_first_weights_are_glorots_and_hang_on_the_generator_alone() -> None:
    torch.manual_seed(5)
    one = mip.MipField(SMALL, generator=seeded(7))
    torch.manual_seed(6)
    other = mip.MipField(SMALL, generator=seeded(7))
    for (name, value), again in zip(one.named_parameters(), other.parameters(), strict=True):
        assert torch.equal(value, again)
        if name.endswith("bias"):
            assert not value.any()
        else:
            limit = (6 / sum(value.shape)) ** 0.5
            assert limit * 0.8 < float(value.detach().abs().max()) <= limit


def test_a_global_generator_is_not_touched() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    mip.MipField(SMALL, generator=seeded(7))
    assert torch.equal(before, torch.get_rng_state())


def test_without_integration_variance_does_not_matter() -> None:
    field = mip.MipField(dataclasses.replace(SMALL, integrate=False), generator=seeded())
    means, variances, _ = gaussians()
    assert torch.equal(field.density(means, variances), field.density(means, 5 * variances))


def test_the_length_of_a_direction_does_not_matter() -> None:
    field = mip.MipField(SMALL, generator=seeded())
    means, variances, views = gaussians()
    torch.testing.assert_close(
        field.density_and_colour(means, variances, views)[1],
        field.density_and_colour(means, variances, 3 * views)[1],
    )


def test_noise_is_drawn_only_when_asked_for() -> None:
    field = mip.MipField(dataclasses.replace(SMALL, density_noise=1.0), generator=seeded())
    means, variances, _ = gaussians()
    plain = field.density(means, variances)
    assert torch.equal(plain, field.density(means, variances))
    noisy = field.density(means, variances, mip.Mode(noise=seeded(8)))
    assert torch.equal(noisy, field.density(means, variances, mip.Mode(noise=seeded(8))))
    assert not torch.allclose(noisy, plain)


def test_recomputing_activations_gives_the_same_gradient() -> None:
    field = mip.MipField(SMALL, generator=seeded())
    gradients = []
    for recompute in (False, True):
        density, colour = field.density_and_colour(*gaussians(), mip.Mode(recompute=recompute))
        gradients.append(torch.autograd.grad(density.sum() + colour.sum(), tuple(field.parameters())))
    torch.testing.assert_close(gradients[0], gradients[1])


def test_a_bfloat16_trunk_gives_nearly_the_same() -> None:
    field = mip.MipField(generator=seeded())
    inputs = gaussians()
    exact = field.density_and_colour(*inputs)
    found = field.density_and_colour(*inputs, mip.Mode(dtype=torch.bfloat16))
    assert all(value.dtype == torch.float32 for value in found)
    torch.testing.assert_close(found, exact, rtol=0, atol=0.03)
    found[1].sum().backward()
    assert all(value.grad is None or value.grad.dtype == torch.float32 for value in field.parameters())


def test_gradients_reach_points_and_stay_finite() -> None:
    field = mip.MipField(SMALL, generator=seeded())
    means, variances, _ = gaussians()
    means.requires_grad_()
    views = torch.zeros(len(means), 3, requires_grad=True)  # no direction at all
    density, colour = field.density_and_colour(means, variances, views)
    (density.sum() + colour.sum()).backward()
    for value in (means, views):
        assert value.grad is not None
        assert value.grad.isfinite().all()
    assert means.grad is not None
    assert means.grad.any()


def test_impossible_settings_and_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="width=0"):
        mip.Settings(width=0)
    field = mip.MipField(SMALL, generator=seeded())
    means, variances, views = gaussians()
    with pytest.raises(ValueError, match=r"\[5, 7, 3\]"):
        field.density(means, variances[:, :3])
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        field.density_and_colour(means, variances, views[:2])
