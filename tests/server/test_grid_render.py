"""Facts about pictures of grid fields: what is compiled shows the same as what torch computes."""

import pytest
import torch
from maquette_server.fields import grid, hash_grid, spherical_harmonics
from maquette_server.fields.domain import Domain
from maquette_server.rendering import grid_render, marching
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
    assert torch.allclose(seen.colours, colours, atol=1 / 256)  # what is faint shares a colour
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


@pytest.mark.parametrize("settings", [{}, {"smooth": False}, {"width": 32}])
def test_compiled_densities_are_those_of_torch(settings: dict[str, object]) -> None:
    field = scene(0.05, **settings).field
    points = torch.rand(3000, 3, generator=torch.Generator().manual_seed(5))
    for spread in (0.0, 0.03):
        with torch.no_grad():
            wanted = grid.density(field.code(points, torch.full((3000,), spread)))
        torch.testing.assert_close(field.density_at(points, spread), wanted, rtol=1e-4, atol=1e-4)
        assert float(wanted.std()) > 0.01


@pytest.mark.parametrize("density", [0.02, 0.2, 0.5])
def test_light_ends_rays_alike_however_they_are_marched(density: float) -> None:
    view, given = scene(density), rays(300)
    cells, domain = view.sampler.cells, view.domain
    shifts = torch.rand(300, generator=torch.Generator().manual_seed(6))
    everything = marching.march(given, shifts, cells, domain, 0.03)
    found = marching.march(given, shifts, cells, domain, 0.03, view.field)
    wanted = marching.lit_ones(everything, view.field)
    counts = found.offsets.diff(), wanted.offsets.diff()
    alike = counts[0] == counts[1]
    assert float(alike.float().mean()) > 0.98
    assert int((counts[0] - counts[1]).abs().max()) <= 1
    mine, theirs = (alike[one.rays].nonzero()[:, 0] for one in (found, wanted))
    torch.testing.assert_close(found.points[mine], wanted.points[theirs])
    torch.testing.assert_close(found.rays[mine], wanted.rays[theirs])
    assert len(wanted) < len(everything) or density < 0.1


def test_what_light_does_not_reach_would_have_shown_nothing() -> None:
    view, given = scene(0.3), rays(200)
    shifts = torch.full((200,), 0.5)
    basis = spherical_harmonics.basis(torch.nn.functional.normalize(given.directions, dim=-1))
    seen = []
    for lit in (None, view.field):
        samples = marching.march(given, shifts, view.sampler.cells, view.domain, 0.03, lit)
        with torch.no_grad():
            seen.append(view.composited(samples, basis)[:2])
    for one, other in zip(*seen, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=marching.SPENT)
