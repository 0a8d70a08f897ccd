"""Facts about texture lookups: values, adjoints, pyramids."""

import numpy as np
import pytest
import torch
from maquette_server.rendering import texture

RAMP = torch.arange(16, dtype=torch.float64).reshape(1, 4, 4)


def looked_up(uv: list[tuple[float, float]], **options) -> list[float]:
    points = torch.tensor(uv, dtype=torch.float64)
    found = texture.lookup(points, 4, **{"filter": "bilinear", "border": "clamp", **options})
    return found.render(texture.pyramid(RAMP, 1))[:, 0].tolist()


def test_bilinear_lookup_of_a_ramp_has_the_values_worked_out_by_hand():
    assert looked_up([(0.125, 0.875), (0.5, 0.5), (0.875, 0.125)]) == [0.0, 7.5, 15.0]


def test_the_border_is_held_and_not_black():
    assert looked_up([(0.0, 0.0)]) == [12.0]


def test_a_repeating_texture_mixes_its_four_corners_at_the_corner():
    assert looked_up([(0.0, 0.0)], border="repeat") == [pytest.approx((0 + 3 + 12 + 15) / 4)]


def test_whole_tiles_make_no_difference_to_a_repeating_texture():
    near = looked_up([(0.3, 0.7)], border="repeat")
    assert looked_up([(-1.7, 2.7)], border="repeat") == [pytest.approx(near[0])]


def test_the_gradient_of_a_nearest_pixel_lands_on_one_texel_with_weight_one():
    image = RAMP.clone().requires_grad_()
    found = texture.lookup(
        torch.tensor([[0.4, 0.4]], dtype=torch.float64), 4, filter="nearest", border="clamp"
    )
    found.render(texture.pyramid(image, 1)).sum().backward()
    assert sorted(image.grad.flatten().tolist()) == [0.0] * 15 + [1.0]
    assert image.grad[0, 2, 1] == 1


@pytest.mark.parametrize("filter", ["nearest", "bilinear", "mip"])
def test_rendering_and_its_gradient_are_adjoint(filter):
    generator = torch.Generator().manual_seed(1)
    uv = torch.rand(40, 2, generator=generator, dtype=torch.float64)
    hit = torch.rand(40, generator=generator) < 0.7
    footprint = torch.rand(40, generator=generator, dtype=torch.float64) * 6
    samples = texture.lookup(uv, 16, filter=filter, border="repeat", texels_per_pixel=footprint, levels=3)
    pooled, coverage = texture.pooled(samples, hit, 4)
    image = torch.randn(3, 16, 16, generator=generator, dtype=torch.float64, requires_grad=True)
    gradient = torch.randn(10, 3, generator=generator, dtype=torch.float64)
    picture = pooled.render(texture.pyramid(image, 3))
    picture.backward(gradient)
    left, right = (picture.detach() * gradient).sum(), (image.detach() * image.grad).sum()
    assert float(left) == pytest.approx(float(right), abs=1e-10)
    expected = (gradient * coverage[:, None]).sum(0)
    torch.testing.assert_close(image.grad.sum((1, 2)), expected)


def test_weights_of_a_pixel_add_up_to_its_coverage():
    uv = torch.rand(64, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    footprint = torch.linspace(0.1, 20, 64, dtype=torch.float64)
    hit = torch.arange(64) % 3 > 0
    samples = texture.lookup(uv, 32, filter="mip", border="clamp", texels_per_pixel=footprint, levels=4)
    pooled, coverage = texture.pooled(samples, hit, 16)
    torch.testing.assert_close(pooled.weight.sum(1), coverage)


def test_a_footprint_of_four_texels_reads_the_second_halving():
    values = torch.randn(1, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    table = texture.pyramid(values, 4)
    uv = torch.tensor([[2.5 / 4, 1 - 1.5 / 4]], dtype=torch.float64)  # centre of a texel of the 4 x 4 level
    four = torch.tensor([4.0], dtype=torch.float64)
    got = texture.lookup(uv, 16, filter="mip", border="clamp", texels_per_pixel=four, levels=4).render(table)
    assert float(got) == pytest.approx(float(values[0, 4:8, 8:12].mean()))


def test_every_row_of_the_table_is_a_mean_of_texels():
    values = torch.rand(2, 32, 32)
    levels = texture.level_count(32)
    table = texture.pyramid(values, levels)
    assert len(table) == sum((32 >> k) ** 2 for k in range(levels))
    torch.testing.assert_close(table[-16:].mean(0), values.mean((1, 2)))


def test_indices_stay_inside_the_table_for_any_uv():
    uv = torch.from_numpy(np.random.default_rng(0).uniform(-3, 3, (1000, 2)))
    footprint = torch.from_numpy(np.random.default_rng(1).uniform(0, 1e6, 1000))
    for border in ("clamp", "repeat"):
        found = texture.lookup(uv, 8, filter="mip", border=border, texels_per_pixel=footprint, levels=2)
        assert int(found.index.min()) >= 0
        assert int(found.index.max()) < 64 + 16
