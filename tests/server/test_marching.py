"""Steps along rays: where they lie, which are kept, how long they are; compiled and for any device alike."""

import ball_captures
import pytest
import torch
from maquette_server.cameras.lens import Lens
from maquette_server.fields.domain import Domain
from maquette_server.rendering import marching
from maquette_server.rendering.posed import CameraRays, Posed
from maquette_server.rendering.rays import Rays

BOX = Domain((0.0, 0.0, 0.0), 1.0, unbounded=False)
PLACE = Domain((0.0, 0.0, 0.0), 1.0, unbounded=True)
STEP = 0.02


def rays(count: int, *, inside: bool = False) -> Rays:
    """Rays from places round the cube, or within it, most of which meet it; lengths differ from 1."""
    generator = torch.Generator().manual_seed(0)
    origins = torch.rand(count, 3, generator=generator) * 2 - 1
    if not inside:
        origins = 3 * torch.nn.functional.normalize(origins, dim=-1)
    aims = torch.rand(count, 3, generator=generator) * 2.4 - 1.2
    directions = torch.nn.functional.normalize(aims - origins, dim=-1)
    directions = directions * (1 + torch.rand(count, 1, generator=generator))
    near = torch.rand(count, generator=generator) * 0.3
    return Rays(origins, directions, torch.full((count,), 0.01), near, near + 12)


def shifts(count: int) -> torch.Tensor:
    return torch.rand(count, generator=torch.Generator().manual_seed(3))


def blocks(share: float) -> torch.Tensor:
    return torch.rand(8, 8, 8, generator=torch.Generator().manual_seed(4)) < share


FULL = torch.ones(1, 1, 1, dtype=torch.bool)


@pytest.mark.parametrize("inside", [False, True], ids=["outside", "inside"])
def test_compiled_samples_are_those_of_the_lattice(inside: bool) -> None:
    arguments = (rays(300, inside=inside), shifts(300), blocks(0.4), BOX, STEP)
    found, expected = marching.march(*arguments), marching.on_lattice(*arguments)
    counts = found.offsets.diff(), expected.offsets.diff()
    alike = counts[0] == counts[1]  # a sample within rounding of a cell's border may go either way
    assert float(alike.float().mean()) > 0.98
    assert len(found) > 3000
    torch.testing.assert_close(found.rays.bincount(minlength=300), counts[0])
    one, other = alike[found.rays], alike[expected.rays]
    for name, loose in (("points", 1e-5), ("spreads", 1e-5), ("places", 1e-4), ("lengths", 1e-4)):
        values = getattr(found, name)[one], getattr(expected, name)[other]
        torch.testing.assert_close(*values, rtol=1e-4, atol=loose)


@pytest.mark.parametrize("march", [marching.march, marching.on_lattice], ids=["compiled", "lattice"])
def test_samples_lie_on_their_ray_within_its_reach_and_the_field(march) -> None:
    given = rays(200)
    found = march(given, shifts(200), blocks(0.5), BOX, STEP)
    assert bool((found.places >= given.near[found.rays] - 1e-4).all())
    assert bool((found.places <= given.far[found.rays] + 1e-4).all())
    on_ray = given.origins[found.rays] + found.places[:, None] * given.directions[found.rays]
    assert float(on_ray.abs().max()) < 1 + 1e-4
    torch.testing.assert_close(found.points, BOX.unit(on_ray).clamp(0, 1), rtol=0, atol=1e-5)
    cell = (found.points * 8).long().clamp(max=7)
    assert float(blocks(0.5)[cell.unbind(1)].float().mean()) > 0.999
    assert float((found.places.diff()[found.rays.diff() == 0]).min()) > 0


@pytest.mark.parametrize("march", [marching.march, marching.on_lattice], ids=["compiled", "lattice"])
def test_lengths_add_up_to_the_path_within_a_step(march) -> None:
    given = rays(100)
    found = march(given, shifts(100), FULL, BOX, STEP)
    summed = torch.zeros(100).index_add(0, found.rays, found.lengths)
    last = torch.zeros(100).scatter_reduce(0, found.rays, found.lengths, "amax")
    ends = torch.stack([(side - given.origins) / given.directions for side in (-1.0, 1.0)])
    near = torch.maximum(ends.amin(0).amax(-1), given.near)
    far = torch.minimum(ends.amax(0).amin(-1), given.far)
    path = (far - near).clamp(min=0) * given.directions.norm(dim=-1)
    assert bool((summed > 0.5).any())
    assert bool(((summed - path).abs() <= 1.01 * last + 1e-3).all())


@pytest.mark.parametrize("march", [marching.march, marching.on_lattice], ids=["compiled", "lattice"])
def test_rays_that_miss_the_box_have_no_samples(march) -> None:
    origins = torch.tensor([[3.0, 0, 0], [3, 0, 0], [0, 0, 3]])
    directions = torch.tensor([[1.0, 0, 0], [-1, 1, 0], [0, 0, -1]])
    given = Rays(origins, directions, torch.ones(3), torch.zeros(3), torch.full((3,), 10.0))
    counts = march(given, torch.full((3,), 0.5), FULL, BOX, STEP).offsets.diff()
    assert counts.tolist() == [0, 0, 100]
    nothing = march(given, torch.full((3,), 0.5), ~FULL, BOX, STEP)
    assert len(nothing) == 0
    assert nothing.offsets.tolist() == [0, 0, 0, 0]
    none = march(given[:0], torch.zeros(0), FULL, BOX, STEP)
    assert none.offsets.tolist() == [0]


@pytest.mark.parametrize("march", [marching.march, marching.on_lattice], ids=["compiled", "lattice"])
def test_a_ray_has_no_more_than_the_most_samples(march) -> None:
    given = Rays(
        torch.zeros(1, 3), torch.tensor([[1.0, 0, 0]]), torch.ones(1), torch.zeros(1), torch.ones(1) * 1e3
    )
    found = march(given, torch.zeros(1), FULL, BOX, 1e-4)
    assert len(found) == marching.MOST


def test_a_field_without_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="bounded"):
        marching.march(rays(2), shifts(2), FULL, PLACE, STEP)


def test_half_an_occupied_box_keeps_half_the_samples() -> None:
    half = torch.zeros(2, 2, 2, dtype=torch.bool)
    half[1] = True
    given = Rays(
        torch.tensor([[-2.0, 0.3, 0.1]]),
        torch.tensor([[1.0, 0, 0]]),
        torch.ones(1),
        torch.zeros(1),
        torch.ones(1) * 9,
    )
    found = marching.march(given, torch.full((1,), 0.5), half, BOX, STEP)
    assert len(found) == 50
    torch.testing.assert_close(found.places, 2.01 + 0.02 * torch.arange(50), rtol=1e-5, atol=0)
    torch.testing.assert_close(found.spreads, 0.5 * found.places * 0.5, rtol=1e-5, atol=0)


@pytest.mark.parametrize("size", [1e-3, 1e4, 1e9])
def test_the_size_of_a_scene_changes_nothing_in_the_unit_cube(size: float) -> None:
    lens = Lens(9, 9, 11.0, 11.0, 4.5, 4.5)
    found = []
    for scale in (1.0, size):
        pose = ball_captures.poses(7, scale)[2]
        middle = scale * ball_captures.MIDDLE
        domain = Domain((middle[0], middle[1], middle[2]), 1 / (1.2 * scale), unbounded=False)
        given = CameraRays([Posed(pose, lens)], domain, 0.5 * scale, 9 * scale).whole(0)
        found.append(marching.march(given, torch.full((81,), 0.5), FULL, domain, STEP))
    one, other = found
    counts = one.offsets.diff(), other.offsets.diff()
    assert int((counts[0] - counts[1]).abs().max()) <= 1
    alike = counts[0] == counts[1]
    assert float(alike.float().mean()) > 0.9
    first, second = alike[one.rays], alike[other.rays]
    for name, factor in (("points", 1), ("spreads", 1), ("lengths", 1), ("places", size)):
        values = getattr(one, name)[first] * factor, getattr(other, name)[second]
        torch.testing.assert_close(*values, rtol=1e-4, atol=2e-5 * factor)
