"""Encoding points by the hash grid, forward and back, for several numbers of points.

The *floor* is the bare reading of as many rows: one fetched (`index_select`) for every point, level and
corner, their places known, in no particular order. It is a floor of the way forward; the way back has none.
*Plain indexing* is the same grid as one would write it first, with torch's own derivative.
"""

from collections.abc import Callable

import torch
from maquette_server.fields import hash_grid
from torch import Tensor

from benchmarks import frame

TITLE = "Encoding points by a hash grid on a CPU"
POINTS = (1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18)
TABLED = 1 << 16
FLOOR = "floor of forward: as many rows read"


def run() -> list[frame.Figure | frame.Series]:
    """Milliseconds of encoding points, and of encoding with the gradient of the table."""
    torch.set_num_threads(1)
    grid = hash_grid.HashGrid(generator=torch.Generator().manual_seed(0))
    curves = frame.Curves("Time of a hash grid, forward and back, against points", "points", "time", "ms")
    found: list[frame.Figure | frame.Series] = []
    for count in POINTS:
        points = torch.rand(count, 3, generator=torch.Generator().manual_seed(1))
        actions: dict[str, Callable[[], object]] = {
            "both": lambda points=points: backward(grid, points),
            "forward": lambda points=points: forward(grid, points),
            "floor": bare(grid, count),
        }
        if count <= TABLED:  # beyond, plain indexing takes many seconds a run
            actions["plain"] = lambda points=points: plain(grid, points)
        taken = frame.turns(actions, 5 if count <= TABLED else 3)
        in_ms = {name: [1000 * value for value in values] for name, values in taken.items()}
        curves.add("ours", count, in_ms["both"])
        curves.add("ours, forward only", count, in_ms["forward"])
        if "plain" in in_ms:
            curves.add("plain indexing", count, in_ms["plain"])
        curves.add(FLOOR, count, in_ms["floor"], floor=True)
        if count == TABLED:
            pairs = list(zip(taken["forward"], taken["floor"], strict=True))
            against = list(zip(taken["plain"], taken["both"], strict=True))
            found += [
                frame.median(f"{count:,} points, forward and back", "ms", in_ms["both"]),
                frame.median(f"{count:,} points, forward only", "ms", in_ms["forward"]),
                frame.ratio(f"{count:,} points, forward / floor", pairs),
                frame.ratio(f"{count:,} points, plain indexing / ours", against),
            ]
    return [*found, curves.series()]


def forward(grid: hash_grid.HashGrid, points: Tensor) -> None:
    """Features without a gradient."""
    with torch.no_grad():
        grid(points)


def backward(grid: hash_grid.HashGrid, points: Tensor) -> None:
    """Features, and the gradient of their sum."""
    grid.table.grad = None
    grid(points).sum().backward()


def plain(grid: hash_grid.HashGrid, points: Tensor) -> None:
    """The same by indexing, with the derivative that torch makes of it."""
    table = grid.table
    table.grad = None
    found = []
    for level in grid.settings.table:
        index, weight = hash_grid.corners_of(points, level, grid.settings.log2_rows)
        found.append((table[level.rows][index] * weight[..., None]).sum(1))
    torch.cat(found, 1).sum().backward()


def bare(grid: hash_grid.HashGrid, count: int) -> Callable[[], object]:
    """The floor, for `count` points."""
    table = grid.table.detach()
    rows = [
        torch.randint(
            level.rows.start, level.rows.stop, (count * 8,), generator=torch.Generator().manual_seed(2)
        )
        for level in grid.settings.table
    ]

    def fetch() -> None:
        for index in rows:
            table.index_select(0, index)

    return fetch
