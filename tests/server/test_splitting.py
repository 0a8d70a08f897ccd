"""Facts about pixels as several rays each."""

import math

import torch
from maquette_server.fields import grid, hash_grid
from maquette_server.fields.domain import Domain
from maquette_server.rendering import grid_render, splitting
from maquette_server.rendering.occupied import OccupiedSampler
from maquette_server.rendering.rays import Rays

DOMAIN = Domain((0.0, 0.0, 0.0), 1.0, False)


def rays(count: int, radius: float = 0.01) -> Rays:
    generator = torch.Generator().manual_seed(3)
    directions = torch.cat([0.3 * torch.randn(count, 2, generator=generator), -torch.ones(count, 1)], 1)
    ones = torch.ones(count)
    origins = torch.tensor([[0.0, 0.0, 3.0]]).repeat(count, 1)
    return Rays(origins, directions, radius * ones, 0.5 * ones, 9 * ones)


def scene(density: float) -> grid_render.GridScene:
    """A field of about one density everywhere, with random features."""
    generator = torch.Generator().manual_seed(2)
    levels = hash_grid.Settings(levels=3, features=2, log2_rows=10, growth=1.6)
    field = grid.GridField(grid.Settings(grid=levels), generator=generator).eval()
    with torch.no_grad():
        field.grid.table.uniform_(0.2, 1, generator=generator)
        field.density.weights[0].abs_()
        field.density.weights[1][0] = density
    cells = torch.ones(8, 8, 8, dtype=torch.bool)
    return grid_render.GridScene(field, OccupiedSampler(cells, DOMAIN, 0.05))


def test_the_parts_of_a_pixel_are_the_middles_of_its_quarters() -> None:
    given = rays(7)
    parts = splitting.split(given)
    assert len(parts) == splitting.PARTS * len(given)
    shifts = parts.directions.view(7, splitting.PARTS, 3) - given.directions[:, None]
    assert torch.allclose(shifts.mean(1), torch.zeros(7, 3), atol=1e-7)
    along = torch.nn.functional.normalize(given.directions, dim=-1)
    assert float((shifts * along[:, None]).sum(-1).abs().max()) < 1e-6, "across the ray"
    width = 0.01 * math.sqrt(12) / 2  # of a pixel with this radius
    assert torch.allclose(shifts.norm(dim=-1), torch.full((7, 4), width * math.sqrt(2) / 4), rtol=1e-3)
    assert torch.allclose((shifts[:, 0] * shifts[:, 1]).sum(-1), torch.zeros(7), atol=1e-7), "a square"
    assert torch.equal(parts.radii, torch.full((28,), 0.005))
    assert torch.equal(parts.origins[::4], given.origins)
    assert torch.equal(parts.near, given.near.repeat_interleave(4))


def test_drawn_parts_fill_the_disc_evenly() -> None:
    given = rays(1)
    many = given[torch.zeros(20_000, dtype=torch.long)]
    parts = splitting.split(many, torch.Generator().manual_seed(0))
    shifts = parts.directions - many.directions.repeat_interleave(4, 0)
    away = shifts.norm(dim=-1) / 0.01
    assert float(away.max()) <= 1 + 1e-4
    assert abs(float((away < math.sqrt(0.5)).float().mean()) - 0.5) < 0.01
    assert float(shifts.mean(0).abs().max()) < 1e-4


def test_together_is_the_mean_of_every_pixels_parts() -> None:
    values = torch.arange(24.0).view(8, 3)
    assert torch.equal(splitting.together(values), torch.stack([values[:4].mean(0), values[4:].mean(0)]))


def test_a_split_picture_is_the_mean_of_finer_ones() -> None:
    view, given = scene(0.4), rays(30, radius=0.05)
    split = grid_render.GridScene(view.field, view.sampler, 0.04)
    seen = split.see(given)
    parts = view.see(splitting.split(given))
    assert torch.allclose(seen.colours, splitting.together(parts.colours))
    assert torch.allclose(seen.opacities, splitting.together(parts.opacities))
    solid = seen.opacities > 0.5
    assert bool(solid.any())
    assert torch.equal(seen.depths[solid], parts.depths.view(-1, 4).amin(1)[solid])
    narrow = rays(30, radius=0.03)
    assert torch.equal(split.see(narrow).colours, view.see(narrow).colours), "a finer pixel is one ray"
