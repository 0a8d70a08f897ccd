"""Latent-NeRF's parts against numbers worked out by hand (arXiv:2211.07600 and its released code)."""

import math

import numpy as np
import pytest
import torch
from maquette_server.cameras import sampling
from maquette_server.fields import grid, hash_grid
from maquette_server.guidance import latent_rgb
from maquette_server.rendering import packed
from maquette_server.training import latent_heads, latent_training

SMALL = hash_grid.Settings(levels=3, features=2, log2_rows=12, coarsest=4, growth=2.0)


def blank(**more: float) -> grid.GridField:
    """A field whose network says nothing."""
    field = grid.GridField(grid.Settings(grid=SMALL, code=4, smooth=False, **more))  # type: ignore[arg-type]
    for weight in field.density.weights:
        weight.data.zero_()
    return field


def at(*places: tuple[float, float, float]) -> torch.Tensor:
    """Points of the field's frame in the unit cube."""
    return torch.tensor(places) / 2 + 0.5


def test_two_slabs_before_a_background_composite_as_by_hand() -> None:
    densities = torch.tensor([2.0, 5.0])
    channels = torch.tensor([[1.0, 1.0], [-2.0, 1.0]])
    lengths, offsets = torch.tensor([0.3, 0.2]), torch.tensor([0, 2])
    nothing = torch.tensor([[0.0, 0.0]])
    found, opacities, _ = packed.composite(densities, channels, lengths, offsets, nothing)
    assert float(found[0, 1]) == pytest.approx(0.7981034820, abs=1e-6)
    assert float(opacities) == pytest.approx(0.7981034820, abs=1e-6)
    assert float(found[0, 0] + (1 - found[0, 1]) * 0.5) == pytest.approx(-0.1416936133, abs=1e-6)


def test_a_slab_in_any_number_of_pieces_stops_the_same_light() -> None:
    for count in (1, 7, 200):
        ones = torch.ones(count, 1)
        found, _, _ = packed.composite(
            torch.full((count,), 3.0),
            ones,
            ones[:, 0] * 0.8 / count,
            torch.tensor([0, count]),
            torch.zeros(1, 1),
        )
        assert float(found) == pytest.approx(0.9092820467, abs=1e-5)


def test_a_channel_of_ones_carries_the_gradient_of_the_opacity() -> None:
    densities = torch.tensor([1.0, 2.0, 0.5], requires_grad=True)
    lengths, offsets = torch.tensor([0.3, 0.2, 0.4]), torch.tensor([0, 3])
    found, _, _ = packed.composite(densities, torch.ones(3, 1), lengths, offsets, torch.zeros(1, 1))
    found.sum().backward()
    left = math.exp(-float((densities.detach() * lengths).sum()))
    assert densities.grad is not None
    assert densities.grad.tolist() == pytest.approx([left * length for length in lengths.tolist()], abs=1e-6)


def test_the_published_blob_has_the_published_densities() -> None:
    field = blank(blob=5.0)
    points = at((0, 0, 0), (0.2, 0, 0), (0, 0.6, 0))
    expected = [148.413159, 20.752221, 1.057117]
    assert grid.density(field.code(points, torch.zeros(3))).tolist() == pytest.approx(expected, rel=1e-5)
    assert field.density_at(points).tolist() == pytest.approx(expected, rel=1e-5)


def test_a_blob_with_a_reach_is_empty_far_out() -> None:
    field = blank(blob=5.0, reach=0.5)
    points = at((0, 0, 0), (0, 0.5, 0), (0, 0, 1.0))
    expected = [math.exp(5), 1.0, math.exp(-5)]
    assert grid.density(field.code(points, torch.zeros(3))).tolist() == pytest.approx(expected, rel=1e-4)
    assert field.density_at(points).tolist() == pytest.approx(expected, rel=1e-4)


def test_entropy_is_counted_in_bits() -> None:
    entropy = latent_training.entropy(torch.tensor([0.0, 0.25, 0.5, 1.0]))
    assert float(entropy) == pytest.approx(0.452910, abs=1e-5)


def test_latents_become_colours_by_the_published_matrix() -> None:
    matrix = torch.tensor(latent_rgb.STABLE_DIFFUSION)
    for latents, colour in {
        (1.0, 0.0, 0.0, 0.0): (0.6490, 0.6035, 0.6040),
        (1.0, 1.0, 1.0, 1.0): (0.5715, 0.7055, 0.5860),
        (1.0, -1.0, 0.5, -0.5): (0.5620, 0.5755, 0.70175),
        (0.0, 0.0, 0.0, 0.0): (0.5, 0.5, 0.5),
    }.items():
        found = latent_heads.rgb(torch.tensor(latents).view(1, 4, 1, 1), matrix)
        assert found.flatten().tolist() == pytest.approx(colour, abs=1e-6)


def test_colours_of_samples_and_of_pixels_are_the_same() -> None:
    random = torch.Generator().manual_seed(0)
    latents, behind = torch.randn(5, 4, generator=random), torch.randn(1, 4, generator=random)
    densities, lengths = torch.rand(5, generator=random) * 5, torch.full((5,), 0.1)
    matrix = torch.tensor(latent_rgb.STABLE_DIFFUSION)
    offsets = torch.tensor([0, 5])

    def colours(values: torch.Tensor) -> torch.Tensor:
        return latent_heads.rgb(values.T[None, :, :, None], matrix)[0, :, :, 0].T

    whole, _, _ = packed.composite(densities, latents, lengths, offsets, behind)
    each, _, _ = packed.composite(
        densities, colours(latents).contiguous(), lengths, offsets, colours(behind).contiguous()
    )
    assert colours(whole).flatten().tolist() == pytest.approx(each.flatten().tolist(), abs=1e-6)


def test_cameras_are_right_handed() -> None:
    view = sampling.place(90.0, 0.0, 1.25, size=64, fov=55.0, target=sampling.ORIGIN)
    pose = view.camera.world_from_camera
    assert pose[:3, 3] == pytest.approx((0, 0, 1.25), abs=1e-12)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0)
    assert view.camera.focal_x == pytest.approx(61.471, abs=1e-3)


def test_released_cameras_look_at_the_middle_from_their_ranges() -> None:
    views = sampling.nerf_cameras(400, np.random.default_rng(0), size=64)
    assert {view.word for view in views} == {0, 1, 2, 3, 4}
    for view in views:
        pose = view.camera.world_from_camera
        away = np.linalg.norm(pose[:3, 3])
        assert 1.0 <= away <= 1.5
        assert pose[:3, 2] == pytest.approx(pose[:3, 3] / away, abs=1e-6)
        assert 45.7 <= view.camera.focal_x <= 87.92
