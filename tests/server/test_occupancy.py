"""Which cells hold something: found at the first look, thinned by the next ones."""

import torch
from maquette_server.rendering.occupancy import Occupancy

SIDE, STEP = 24, 0.02
RADIUS = 0.22


def ball(points: torch.Tensor) -> torch.Tensor:
    """Dense within a ball round the middle of the unit cube, and nothing outside."""
    return 80.0 * ((points - 0.5).norm(dim=-1) < RADIUS)


def looked(count: int, density=ball, seed: int = 0) -> Occupancy:
    made = Occupancy(SIDE, torch.device("cpu"))
    random = torch.Generator().manual_seed(seed)
    for _ in range(count):
        made.look(density, STEP, random)
    return made


def reach() -> tuple[torch.Tensor, torch.Tensor]:
    """The least and the greatest distance of each cell [G, G, G] from the middle."""
    edges = torch.arange(SIDE + 1) / SIDE - 0.5
    low, high = edges[:-1].abs(), edges[1:].abs()
    least, most = torch.minimum(low, high), torch.maximum(low, high)
    least[(edges[:-1] < 0) & (edges[1:] > 0)] = 0

    def distance(along: torch.Tensor) -> torch.Tensor:
        return (along[:, None, None] ** 2 + along[None, :, None] ** 2 + along**2).sqrt()

    return distance(least), distance(most)


def test_nothing_is_left_out_before_the_first_look() -> None:
    assert bool(Occupancy(SIDE, torch.device("cpu")).occupied.all())


def test_the_first_look_finds_every_cell_that_is_full_and_none_that_is_empty() -> None:
    least, most = reach()
    made = looked(1)
    assert bool(made.occupied[most < RADIUS].all())
    assert not made.occupied[least > RADIUS].any()
    assert made.looks == 1


def test_full_cells_stay_and_empty_ones_stay_away() -> None:
    least, most = reach()
    made = Occupancy(SIDE, torch.device("cpu"))
    random = torch.Generator().manual_seed(0)
    for _ in range(40):
        made.look(ball, STEP, random)
        assert bool(made.occupied[most < RADIUS].all())
        assert not made.occupied[least > RADIUS].any()


def test_later_looks_find_cells_that_are_partly_full() -> None:
    least, _ = reach()
    touched = least < RADIUS
    share = [float(looked(count).occupied[touched].float().mean()) for count in (1, 60)]
    assert share[1] > share[0] > 0.5


def test_what_has_become_empty_is_given_up() -> None:
    made = looked(1)
    before = made.occupied.clone()
    random = torch.Generator().manual_seed(1)

    def shrunk(points: torch.Tensor) -> torch.Tensor:
        return 80.0 * ((points - 0.5).norm(dim=-1) < RADIUS / 2)

    for _ in range(150):
        made.look(shrunk, STEP, random)
    least, most = reach()
    assert bool(made.occupied[most < RADIUS / 2].all())
    assert int(made.occupied.sum()) < 0.5 * int(before.sum())
    assert not made.occupied[least > RADIUS].any()


def test_what_has_become_full_is_found() -> None:
    made = looked(1)
    random = torch.Generator().manual_seed(1)
    for _ in range(60):
        made.look(lambda points: 80.0 * ((points - 0.2).norm(dim=-1) < 0.1), STEP, random)
    cell = int(0.2 * SIDE)
    assert bool(made.occupied[cell, cell, cell])


def test_the_axes_of_the_cells_are_x_y_z() -> None:
    made = looked(1, lambda points: 80.0 * ((points[:, 0] > 0.75) & (points[:, 1] < 0.25)))
    expected = torch.zeros(SIDE, SIDE, SIDE, dtype=torch.bool)
    expected[SIDE * 3 // 4 :, : SIDE // 4] = True
    assert torch.equal(made.occupied, expected)


def test_it_goes_on_from_a_state_bit_for_bit() -> None:
    made, random = Occupancy(SIDE, torch.device("cpu")), torch.Generator().manual_seed(0)
    for _ in range(3):
        made.look(ball, STEP, random)
    state, drawn = made.state(), random.get_state()
    resumed = Occupancy(SIDE, torch.device("cpu"))
    resumed.restore(state)
    for each, source in ((made, random), (resumed, torch.Generator())):
        source.set_state(drawn)
        for _ in range(20):
            each.look(ball, STEP, source)
    assert all(torch.equal(value, resumed.state()[name]) for name, value in made.state().items())
    assert int(state["looks"]) == 3  # what was taken is a copy
