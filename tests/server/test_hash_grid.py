"""The hash grid against trilinear interpolation, the paper's hash and autograd."""

import itertools

import pytest
import torch
from maquette_server.fields import hash_grid, mlp

SMALL = hash_grid.Settings(levels=4, log2_rows=9, coarsest=4, growth=2.0)  # 4, 8 dense; 16, 32 hashed


def grid(settings: hash_grid.Settings, seed: int = 0) -> hash_grid.HashGrid:
    """A grid with features of the size of 1 in float64, so that differences show."""
    made = hash_grid.HashGrid(settings).double()
    with torch.no_grad():
        made.table.normal_(generator=torch.Generator().manual_seed(seed))
    return made


def points(count: int, dimensions: int = 3, seed: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, dimensions, generator=generator, dtype=torch.float64)


def vertices_around(point: torch.Tensor, level: hash_grid.Level) -> list[tuple[int, ...]]:
    """The vertices of the cell that a point lies in, by the definition."""
    cell = [int(c) for c in torch.floor(point * level.scale + 0.5)]
    return [
        tuple(c + s for c, s in zip(cell, step, strict=True)) for step in itertools.product((0, 1), repeat=3)
    ]


def hashed(vertex: tuple[int, ...], rows: int) -> int:
    """Equation 4 of the paper in whole numbers of any length."""
    x, y, z = vertex
    return (x ^ (y * 2654435761) ^ (z * 805459861)) % rows


def test_levels_grow_from_dense_to_hashed() -> None:
    levels = SMALL.table
    assert [level.side for level in levels] == [4, 8, 16, 32]
    assert [level.dense for level in levels] == [True, True, False, False]
    assert [level.size for level in levels] == [64, 512, 512, 512]
    assert [level.rows.start for level in levels] == [0, 64, 576, 1088]
    assert hash_grid.Settings(levels=1, coarsest=3).table[0].size == 32  # 27 rounded up to a multiple of 8


def test_the_default_reaches_2048_vertices() -> None:
    sides = [level.side for level in hash_grid.Settings().table]
    assert sides[0] == 16
    assert 2047 <= sides[-1] <= 2049


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_dense_level_is_linear_interpolation(dimensions: int) -> None:
    settings = hash_grid.Settings(dimensions=dimensions, levels=1, features=3, coarsest=6)
    made, level = grid(settings), settings.table[0]
    # up to the last vertex: beyond it, half a cell wide, indices wrap around
    seen = points(200, dimensions) * (level.side - 1.5) / level.scale
    volume = made.table[: level.side**dimensions].detach().reshape(*[level.side] * dimensions, 3)
    volume = volume.movedim(-1, 0)[None]
    where = (seen * level.scale + 0.5) / (level.side - 1) * 2 - 1
    expected = torch.nn.functional.grid_sample(
        volume, where.reshape(1, -1, *[1] * (dimensions - 1), dimensions), align_corners=True
    )
    torch.testing.assert_close(made(seen), expected.reshape(3, -1).T)


def test_the_far_border_wraps_around_as_documented() -> None:
    settings = hash_grid.Settings(levels=1, features=1, coarsest=4)
    made = grid(settings)
    made(torch.ones(1, 3, dtype=torch.float64)).sum().backward()
    rows = set(made.table.grad.nonzero()[:, 0].tolist())
    assert rows == {(x + 4 * y + 16 * z) % 64 for x, y, z in itertools.product((3, 4), repeat=3)}


def test_a_hashed_level_reads_the_rows_of_the_papers_hash() -> None:
    settings = hash_grid.Settings(levels=1, features=1, log2_rows=12, coarsest=4000)
    made, level = grid(settings), settings.table[0]
    assert not level.dense
    for point in points(20):
        index, weight = hash_grid.corners_of(point[None], level, settings.log2_rows)
        expected = {hashed(vertex, level.size) for vertex in vertices_around(point, level)}
        assert set(index[0].tolist()) == expected
        by_hand = (made.table[index[0].long(), 0] * weight[0]).sum()
        torch.testing.assert_close(made(point[None])[0, 0], by_hand)


@pytest.mark.parametrize("log2_rows", [12, 20])
def test_long_and_short_indices_agree_with_whole_numbers(log2_rows: int) -> None:
    """20 bits and 4000 vertices overflow 32 bits; 12 do not."""
    settings = hash_grid.Settings(levels=1, log2_rows=log2_rows, coarsest=4000)
    level = settings.table[0]
    seen = points(50)
    index, _ = hash_grid.corners_of(seen, level, log2_rows)
    assert index.dtype == (torch.int32 if log2_rows == 12 else torch.int64)
    for rows, point in zip(index.tolist(), seen, strict=True):
        assert set(rows) == {hashed(vertex, level.size) for vertex in vertices_around(point, level)}


def test_weights_add_up_to_one_and_constants_stay() -> None:
    made = grid(SMALL)
    with torch.no_grad():
        made.table.copy_(torch.tensor([0.25, -3.0]).expand_as(made.table))
    expected = torch.tensor([0.25, -3.0], dtype=torch.float64).repeat(SMALL.levels).expand(100, -1)
    torch.testing.assert_close(made(points(100)), expected)


def test_output_is_continuous_across_cell_borders() -> None:
    made = grid(SMALL)
    for level in SMALL.table:
        border = (torch.arange(1, level.side - 1, dtype=torch.float64) - 0.5) / level.scale
        on = torch.stack([border, torch.full_like(border, 0.3), torch.full_like(border, 0.7)], 1)
        step = torch.tensor([1e-9, 0.0, 0.0], dtype=torch.float64)
        # a jump would be of the size of the features; a slope changes them by at most scale times 2e-9
        torch.testing.assert_close(made(on - step), made(on + step), atol=1e-6, rtol=0)


def test_the_backward_by_hand_is_the_derivative() -> None:
    settings = hash_grid.Settings(levels=3, log2_rows=4, coarsest=2, growth=2.0)
    made = grid(settings)
    seen = points(5).requires_grad_()

    def encode(table: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(made, {"table": table}, (where,))

    assert torch.autograd.gradcheck(encode, (made.table, seen), eps=1e-7)


def test_the_backward_by_hand_is_that_of_plain_indexing() -> None:
    made, seen = grid(SMALL), points(300)
    weights = torch.randn(300, SMALL.width, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    (made(seen) * weights).sum().backward()
    table = made.table.detach().clone().requires_grad_()
    plain = []
    for level in SMALL.table:
        index, weight = hash_grid.corners_of(seen, level, SMALL.log2_rows)
        plain.append((table[level.rows][index.long()] * weight[..., None]).sum(1))
    torch.testing.assert_close(made(seen), torch.cat(plain, 1))
    (torch.cat(plain, 1) * weights).sum().backward()
    torch.testing.assert_close(made.table.grad, table.grad)


def test_the_gradient_touches_only_the_rows_that_were_read() -> None:
    made = grid(SMALL)
    point = torch.tensor([[0.31, 0.62, 0.13]], dtype=torch.float64)
    made(point).sum().backward()
    touched = set(made.table.grad.abs().sum(1).nonzero()[:, 0].tolist())
    expected = set()
    for level in SMALL.table:
        for vertex in vertices_around(point[0], level):
            x, y, z = vertex
            row = x + level.side * y + level.side**2 * z if level.dense else hashed(vertex, level.size)
            expected.add(level.rows.start + row)
    assert touched == expected


def test_no_points_give_no_features() -> None:
    assert hash_grid.HashGrid(SMALL)(torch.zeros(0, 3)).shape == (0, SMALL.width)


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (torch.zeros(4, 2), r"\[P, 3\], not \[4, 2\]"),
        (torch.zeros(3), r"\[P, 3\], not \[3\]"),
        (torch.zeros(1, 3, dtype=torch.float16), "not torch.float16"),
        (torch.tensor([[0.0, 0.5, 1.25]]), "0..1, these reach from 0 to 1.25"),
        (torch.tensor([[-0.5, 0.5, 1.0]]), "0..1, these reach from -0.5 to 1"),
        (torch.tensor([[0.5, float("nan"), 0.5]]), "0..1, these reach from nan to nan"),
    ],
)
def test_points_that_do_not_fit_are_refused(bad: torch.Tensor, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        hash_grid.HashGrid(SMALL)(bad)


@pytest.mark.parametrize(
    "wrong", [{"dimensions": 4}, {"levels": 0}, {"growth": 0.5}, {"log2_rows": 30}, {"coarsest": 2**20}]
)
def test_settings_that_cannot_be_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="hash grid"):
        hash_grid.Settings(**wrong)


def test_grid_and_network_learn_a_colour_edge() -> None:
    """Together they fit a step that the coarsest level cannot hold: the loss falls to a hundredth."""
    generator = torch.Generator().manual_seed(0)
    encoder = hash_grid.HashGrid(SMALL, generator=generator)
    network = mlp.Mlp(SMALL.width, 1, width=16, hidden=1, generator=generator)
    seen = torch.rand(500, 3, generator=generator)
    wanted = (seen[:, :1] > 0.4).float()
    optimiser = torch.optim.Adam([*encoder.parameters(), *network.parameters()], lr=0.02)
    losses = []
    for _ in range(80):
        loss = (network(encoder(seen)) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 100


def test_a_network_is_its_matrices_with_relu_between() -> None:
    network = mlp.Mlp(3, 2, width=4, hidden=2, generator=torch.Generator().manual_seed(0)).double()
    seen = points(7)
    first, second, last = (weight.detach() for weight in network.weights)
    expected = ((seen @ first.T).clamp(min=0) @ second.T).clamp(min=0) @ last.T
    torch.testing.assert_close(network(seen), expected)
    with pytest.raises(ValueError, match="cannot go from 3"):
        mlp.Mlp(3, 0)


def test_tiled_levels_have_the_sizes_of_the_released_latent_nerf() -> None:
    levels = hash_grid.Settings(tiled=True).table
    assert [level.size for level in levels[:6]] == [4920, 13824, 32768, 85184, 216000, 1 << 19]
    assert levels[-1].rows.stop == 6_119_864
    assert [level.step(2) == 0 for level in levels] == [False] * 12 + [True] * 4


def test_a_tiled_level_repeats_and_where_it_is_too_fine_is_the_same_at_every_z() -> None:
    settings = hash_grid.Settings(levels=2, log2_rows=6, coarsest=5, growth=2.0, tiled=True)  # 6^3, 11^2 > 64
    made = grid(settings)
    seen = points(50)
    above = torch.cat([seen[:, :2], points(50, seed=3)[:, 2:]], 1)
    found, higher = made(seen), made(above)
    assert not torch.allclose(found[:, :2], higher[:, :2])
    torch.testing.assert_close(found[:, 2:], higher[:, 2:])
    corner = settings.table[0]
    for point, features in zip(seen, found, strict=True):
        rows = [(x + 6 * y + 36 * z) % 64 for x, y, z in vertices_around(point, corner)]
        share = point * corner.scale + 0.5
        share = share - share.floor()
        weights = [
            torch.stack([part if upper else 1 - part for part, upper in zip(share, bits, strict=True)]).prod()
            for bits in itertools.product((0, 1), repeat=3)
        ]
        expected = sum(w * made.table[row] for w, row in zip(weights, rows, strict=True))
        torch.testing.assert_close(features[:2], expected)
