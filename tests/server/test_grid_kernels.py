"""The compiled lookup of the hash grid against the one in torch."""

import itertools
import os
import subprocess
import sys

import pytest
import torch
from maquette_server.fields import hash_grid

CASES = {
    "dense": hash_grid.Settings(levels=2, log2_rows=12, coarsest=5, growth=2.0),
    "hashed": hash_grid.Settings(levels=3, features=4, log2_rows=8, coarsest=40, growth=1.7),
    "mixed": hash_grid.Settings(levels=6, log2_rows=10, coarsest=4, growth=1.5),
    "tiled": hash_grid.Settings(
        levels=3, log2_rows=8, coarsest=5, growth=2.0, tiled=True
    ),  # the last without z
    "wrapping": hash_grid.Settings(levels=1, features=1, log2_rows=10, coarsest=4),  # 64 rows, 4 vertices
}


def grid(settings: hash_grid.Settings) -> hash_grid.HashGrid:
    made = hash_grid.HashGrid(settings)
    with torch.no_grad():
        made.table.normal_(generator=torch.Generator().manual_seed(0))
    return made


def points(settings: hash_grid.Settings) -> torch.Tensor:
    """Points anywhere, the corners of the cube, points on its faces and on borders of cells."""
    free = torch.rand(400, 3, generator=torch.Generator().manual_seed(1))
    corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)))
    faces = free[:60].clone()
    faces[torch.arange(60), torch.arange(60) % 3] = (torch.arange(60) % 2).float()
    borders = (torch.arange(1, settings.coarsest - 1) - 0.5) / settings.table[0].scale
    return torch.cat([free, corners, faces, borders[:, None].expand(-1, 3)])


@pytest.mark.parametrize("name", CASES)
def test_compiled_features_and_gradients_are_those_of_torch(name: str) -> None:
    made, seen = grid(CASES[name]), points(CASES[name])
    exact = grid(CASES[name]).double()
    exact.load_state_dict(made.state_dict())
    weights = torch.randn(len(seen), CASES[name].width, generator=torch.Generator().manual_seed(2))
    found, expected = made(seen), exact(seen.double())
    # a coordinate of float32 among n cells is exact to n times 6e-8 of a cell
    torch.testing.assert_close(found.double(), expected, rtol=0, atol=2e-4)
    (found * weights).sum().backward()
    (expected * weights).sum().backward()
    assert made.table.grad is not None
    torch.testing.assert_close(made.table.grad.double(), exact.table.grad, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", CASES)
def test_compiled_features_are_those_of_torch_in_the_same_precision(name: str) -> None:
    made, seen = grid(CASES[name]), points(CASES[name])
    plain = made(seen.clone().requires_grad_()).detach()
    torch.testing.assert_close(made(seen).detach(), plain, rtol=0, atol=2e-5)


def test_a_corner_beyond_the_far_border_wraps_around() -> None:
    made = grid(CASES["wrapping"])
    made(torch.ones(1, 3)).sum().backward()
    assert made.table.grad is not None
    rows = set(made.table.grad.nonzero()[:, 0].tolist())
    assert rows == {(x + 4 * y + 16 * z) % 64 for x, y, z in itertools.product((3, 4), repeat=3)}


def test_points_that_need_a_gradient_get_one() -> None:
    made = grid(CASES["mixed"])
    seen = points(CASES["mixed"])[:50].requires_grad_()
    made(seen).square().sum().backward()
    assert seen.grad is not None
    assert float(seen.grad.abs().amin(0).max()) > 0
    with torch.no_grad():
        assert made(seen).grad_fn is None


def test_points_and_tables_of_other_precision_are_served_too() -> None:
    made = grid(CASES["mixed"])
    seen = points(CASES["mixed"])
    assert made(seen.double()).dtype == torch.float32
    torch.testing.assert_close(made(seen.double()), made(seen), rtol=0, atol=2e-4)


def test_memory_order_does_not_matter() -> None:
    made, seen = grid(CASES["mixed"]), points(CASES["mixed"])
    assert torch.equal(made(seen.T.contiguous().T), made(seen))


def test_no_points_give_no_features_and_no_gradient() -> None:
    made = grid(CASES["mixed"])
    made(torch.zeros(0, 3)).sum().backward()
    assert made.table.grad is not None
    assert not made.table.grad.any()


THREADS = """
import numba
import numpy as np
from maquette_server.fields import grid_kernels

rng = np.random.default_rng(0)
points = rng.random((5000, 3), np.float32)
table = rng.standard_normal((64 + 512 + 512, 2)).astype(np.float32)
levels = (np.float32([3, 7, 15.3]), np.int64([4, 8, 17]), np.int64([0, 64, 576]),
          np.uint32([64, 512, 512]), np.array([True, True, False]))
gradient = rng.standard_normal((5000, 6)).astype(np.float32)
seen = set()
for threads in (1, 2, 3):
    numba.set_num_threads(threads)
    out, total = np.empty((5000, 6), np.float32), np.zeros_like(table)
    grid_kernels.encode(points, table, *levels, out)
    grid_kernels.add_gradient(points, gradient, *levels, np.int64([0, 2, 1]), total)
    seen.add(out.tobytes() + total.tobytes())
print(len(seen), bool(out.any() and total.any()))
"""


def test_the_number_of_threads_changes_no_bit() -> None:
    done = subprocess.run(
        [sys.executable, "-c", THREADS],
        env=os.environ | {"NUMBA_NUM_THREADS": "3"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["1", "True"], done.stderr
