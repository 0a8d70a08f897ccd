"""Facts about pictures of grid fields: what is compiled shows the same as what torch computes."""

import pytest
import torch
from maquette_server.fields import grid, hash_grid, spherical_harmonics
from maquette_server.fields.domain import Domain
from maquette_server.rendering import grid_render
from maquette_server.rendering.occupied import OccupiedSampler
from maquette_server.rendering.rays import Rays


def scene(density: float, **settings: object) -> grid_render.GridScene:
    """A field of random features whose densities lie around a value."""
    levels = hash_grid.Settings(levels=4, features=2, log2_rows=12, growth=1.6)
    generator = torch.Generator().manual_seed(2)
    field = grid.GridField(grid.Settings(grid=levels, **settings), generator=generator)  # type: ignore[arg-type]
    with torch.no_grad():
        field.grid.table.normal_(0, 1, generator=generator)
        field.density.weights[-1][0] *= 3
        field.appearance.normal_(0, 1, generator=generator)
        field.grid.table[:, 0] += 0.3
        field.density.weights[-1][0, :] += density
    cells = torch.rand(16, 16, 16, generator=generator) > 0.3
    domain = Domain((0.0, 0.0, 0.0), 1.0, False)
    return grid_render.GridScene(field.eval(), OccupiedSampler(cells, domain, 0.03))


def rays(count: int) -> Rays:
    generator = torch.Generator().manual_seed(3)
    across = 0.3 * torch.randn(count, 2, generator=generator)
    directions = torch.cat([across, -torch.ones(count, 1)], 1)
    ones = torch.ones(count)
    origins = torch.tensor([[0.0, 0.0, 3.0]]).repeat(count, 1)
    return Rays(origins, directions, 0.02 * ones, 0 * ones, 9 * ones)


@pytest.mark.parametrize("density", [-0.05, 0.02, 0.2])
@pytest.mark.parametrize("settings", [{}, {"smooth": False}, {"appearances": 3, "width": 32}])
def test_the_compiled_picture_is_that_of_torch(density: float, settings: dict[str, object]) -> None:
    view, given = scene(density, **settings), rays(200)
    samples = view.sampler.samples(given)
    basis = spherical_harmonics.basis(torch.nn.functional.normalize(given.directions, dim=-1))
    with torch.no_grad():
        colours, opacities, sums = view.composited(samples, basis)
    seen = view.see(given)
    assert torch.allclose(seen.opacities, opacities, atol=1.1e-3)
    assert torch.allclose(seen.colours, colours, atol=1.5e-3)
    solid = opacities > 0.55
    assert torch.allclose(seen.depths[solid], (sums / opacities)[solid], atol=1e-2)
    assert float(opacities.mean()) > 0.02
    assert float(colours.std()) > 0.01


def test_a_ray_with_no_sample_sees_nothing() -> None:
    view, given = scene(0.2), rays(5)
    away = Rays(given.origins, -given.directions, given.radii, given.near, given.far)
    seen = view.see(away)
    assert not seen.colours.any()
    assert not seen.opacities.any()
    assert bool(torch.isinf(seen.depths).all())
