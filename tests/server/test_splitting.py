"""Facts about pixels as several rays each."""

import math

import numpy as np
import pytest
import torch
from maquette_server.cameras.lens import Lens
from maquette_server.fields import grid, hash_grid
from maquette_server.fields.domain import Domain
from maquette_server.rendering import grid_render, splitting
from maquette_server.rendering.occupied import OccupiedSampler
from maquette_server.rendering.posed import CameraRays, Posed
from maquette_server.rendering.rays import Rays
from scipy.spatial.transform import Rotation

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
    parts = splitting.split(given, given.radii / 2)
    assert len(parts) == 4 * len(given)
    shifts = parts.directions.view(7, 4, 3) - given.directions[:, None]
    assert torch.allclose(shifts.mean(1), torch.zeros(7, 3), atol=1e-7)
    along = torch.nn.functional.normalize(given.directions, dim=-1)
    assert float((shifts * along[:, None]).sum(-1).abs().max()) < 1e-6, "across the ray"
    width = 0.01 * math.sqrt(12) / 2  # of a pixel with this radius
    assert torch.allclose(shifts.norm(dim=-1), torch.full((7, 4), width * math.sqrt(2) / 4), rtol=1e-3)
    assert torch.allclose((shifts[:, 0] * shifts[:, 1]).sum(-1), torch.zeros(7), atol=1e-7), "a square"
    assert torch.equal(parts.radii, torch.full((28,), 0.005))
    assert torch.equal(parts.origins[::4], given.origins)
    assert torch.equal(parts.near, given.near.repeat_interleave(4))


@pytest.mark.parametrize(("focal_x", "focal_y"), [(11.0, 11.0), (9.0, 14.0)])
def test_the_parts_of_a_cameras_pixels_are_the_pixels_of_a_finer_picture(
    focal_x: float, focal_y: float
) -> None:
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_rotvec([0.3, -0.8, 1.9]).as_matrix()
    pose[:3, 3] = 1.0, 2.0, 3.0
    domain = Domain((0.5, 0.0, -1.0), 0.7, False)
    lens = Lens(6, 4, focal_x, focal_y, 2.7, 2.2)
    found = []
    for one in (lens, lens.resized(18, 12)):
        found.append(CameraRays([Posed(pose, one)], domain, 0.1, 9).whole(0))
    whole, fine = found
    parts = splitting.split(whole, whole.radii / 3, 3).directions.view(4, 6, 3, 3, 3)
    # places go right, then up; rows of pictures go down
    wanted = fine.directions.view(4, 3, 6, 3, 3).flip(1).permute(0, 2, 3, 1, 4)
    torch.testing.assert_close(parts, wanted)
    torch.testing.assert_close(whole.radii[0] / 3, fine.radii[0])


def test_a_fisheyes_pixels_are_squares_across_their_rays() -> None:
    lens = Lens(6, 4, 2.0, 2.0, 3.0, 2.0, model="fisheye", distortion=(0.0,) * 4)
    given = CameraRays([Posed(np.eye(4), lens)], DOMAIN, 0.1, 9).whole(0)
    assert given.sides is None
    shifts = splitting.split(given, given.radii).directions.view(24, 4, 3) - given.directions[:, None]
    assert float((shifts * given.directions[:, None]).sum(-1).abs().max()) < 1e-6


@pytest.mark.parametrize("number", [1, 3, 8])
def test_the_parts_of_a_pixel_have_its_moments(number: int) -> None:
    given = rays(5)
    shifts = splitting.split(given, given.radii, number).directions.view(5, -1, 3) - given.directions[:, None]
    width = 0.01 * math.sqrt(3)
    between = width**2 / 12 * (1 - 1 / number**2)  # and each part has the rest within
    assert torch.allclose(
        shifts.square().sum(-1).mean(1), torch.full((5,), 2 * between), rtol=1e-3, atol=1e-12
    )


@pytest.mark.parametrize("paired", [False, True])
def test_drawn_parts_fill_the_pixel_evenly(paired: bool) -> None:
    given = rays(1)
    many = given[torch.zeros(20_000, dtype=torch.long)]
    radii, pairs = torch.full((20_000,), 0.003), torch.full((20_000,), paired)
    parts = splitting.drawn(many, radii, pairs, torch.Generator().manual_seed(0))
    shifts = (parts.directions - many.directions.repeat_interleave(4, 0)).view(-1, 4, 3)
    one, other = splitting.across(given.directions)
    width = 0.01 * math.sqrt(3)
    places = torch.stack([shifts @ one[0], shifts @ other[0]], -1) / width  # -1/2..1/2
    assert float(places.abs().max()) <= 0.5 + 1e-4
    assert float(places.mean((0, 1)).abs().max()) < 0.005
    assert torch.allclose(places.var((0, 1)), torch.full((2,), 1 / 12), rtol=0.02)
    assert torch.equal(parts.radii, radii.repeat_interleave(4))
    for half in splitting.halves(places.reshape(-1, 2)):  # of pairs each is a sample of the whole pixel
        assert float(half.mean(0).abs().max()) < 0.005
    first, _, _, fourth = places.unbind(1)
    together = torch.cat([first, fourth])
    mixed = float((together[:, 0] * together[:, 1]).mean())  # of one diagonal, if they are quarters
    assert mixed == pytest.approx(0.0 if paired else 1 / 16, abs=0.004)


def test_the_product_of_two_halves_errors_is_on_average_the_square_of_the_pixels() -> None:
    """For a pattern that a pixel's few rays cannot tell from its mean."""
    given = rays(1)
    many = given[torch.zeros(100_000, dtype=torch.long)]
    wide = torch.ones(100_000, dtype=torch.bool)
    parts = splitting.drawn(many, many.radii, wide, torch.Generator().manual_seed(0))
    shifts = parts.directions - many.directions.repeat_interleave(4, 0)
    one, other = splitting.across(given.directions)
    width = 0.01 * math.sqrt(3)
    x, y = shifts @ one[0] / width, shifts @ other[0] / width
    values = 0.7 + torch.sign(torch.sin(9 * x) * torch.sin(7 * y)) * 0.3  # its mean is 0.7
    wanted = 0.6
    first, second = splitting.halves(values)
    product = float(((first - wanted) * (second - wanted)).mean())
    square = float((splitting.together(values) - wanted).square().mean())
    assert product == pytest.approx(0.01, abs=0.002)
    assert square > 0.025


def test_together_is_the_mean_of_every_pixels_parts() -> None:
    values = torch.arange(24.0).view(8, 3)
    assert torch.equal(splitting.together(values), torch.stack([values[:4].mean(0), values[4:].mean(0)]))
    assert torch.equal(splitting.together(values, 8), values.mean(0)[None])


@pytest.mark.parametrize(("radius", "number"), [(0.01, 1), (0.05, 2), (0.1, 4), (0.4, 8)])
def test_a_pixel_is_seen_by_as_many_rays_as_make_them_fine(radius: float, number: int) -> None:
    view, given = scene(0.4), rays(30, radius)
    finest = 0.025 * 3  # origins lie 3 from the middle
    seen = grid_render.GridScene(view.field, view.sampler, finest).see(given)
    radii = given.radii if number == 1 else torch.full((30,), 0.025)
    parts = view.see(splitting.split(given, radii, number))
    assert torch.allclose(seen.colours, splitting.together(parts.colours, number**2))
    assert torch.allclose(seen.opacities, splitting.together(parts.opacities, number**2))
    solid = seen.opacities > 0.5
    assert bool(solid.any())
    assert torch.equal(seen.depths[solid], parts.depths.view(30, -1).amin(1)[solid])


def test_a_pixel_is_wide_by_where_it_is_seen_from() -> None:
    """From twice as far it covers twice as much, and is seen by twice as many rays along a side."""
    near = rays(4, 0.02)
    far = Rays(2 * near.origins, near.directions, near.radii, near.near, near.far)
    view = grid_render.GridScene(scene(0.4).field, scene(0.4).sampler, 0.06)
    assert (view._number(near), view._number(far)) == (1, 2)
    inside = Rays(0 * near.origins, near.directions, near.radii, near.near, near.far)
    assert view._number(inside) == 1, "from the very middle too"


def test_a_draft_takes_no_more_rays_however_small_the_picture() -> None:
    view = grid_render.GridScene(scene(0.4).field, scene(0.4).sampler, 0.06)
    assert [view.draft()._number(rays(4, radius)) for radius in (0.02, 0.04, 0.4)] == [1, 2, 2]
    assert view._number(rays(4, 0.4)) == 8


def test_across_is_an_orthonormal_basis() -> None:
    generator = torch.Generator().manual_seed(0)
    directions = torch.randn(40, 3, generator=generator, dtype=torch.float64)
    directions[:2] = torch.tensor([[0.0, 0, 1], [0, 0, -1]])  # the poles of the basis
    one, other = splitting.across(directions)
    basis = torch.stack([one, other, directions / directions.norm(dim=-1, keepdim=True)], 1)
    torch.testing.assert_close(
        basis @ basis.mT, torch.eye(3, dtype=torch.float64).expand(len(basis), 3, 3), atol=1e-9, rtol=0
    )
    with pytest.raises(ValueError, match=r"\[3\]"):
        splitting.across(torch.zeros(3))
