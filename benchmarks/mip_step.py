"""One step of training mip-NeRF (forward, back, Adam) in the paper's network, on one thread.

The *floor* is the bare matrix products of the same network: every layer of the paper's forward, its two
products back (one where nothing needs the other), into memory that is there already, and nothing between
them. It takes as many points at a time as ours does. Ours needs fewer products than that, as it folds two
layers into one; the second floor has only those.
"""

import math
from collections.abc import Callable

import torch
from maquette_server.fields import mip
from maquette_server.rendering import cone_render, rays
from maquette_server.training import mip_presets, mip_training
from torch import Tensor

from benchmarks import frame

TITLE = "A training step of mip-NeRF on a CPU"
RAYS = (16, 64, 256)
TABLED = 256
GOAL = 1.3
FLOOR = "floor: the products of the paper's layers"
Product = Callable[[], object]
_CPU = torch.device("cpu")
_MOST_RAYS = 1024  # of a block, so that the memory of the products stays small on any device


def run() -> list[frame.Figure | frame.Series]:
    """Seconds of a step against the products in it."""
    torch.set_num_threads(1)
    curves = frame.Curves("Time of a training step of mip-NeRF, against rays", "rays", "time", "ms")
    found: list[frame.Figure | frame.Series] = []
    for count in RAYS:
        batch = drawn(count)
        task = mip_training.MipTask(mip_presets.PAPER, lambda step, batch=batch: batch, seed=0)
        paper, folded = products(count, fold=False), products(count, fold=True)
        actions: dict[str, Callable[[], object]] = {
            "ours": lambda task=task: task.advance(0),
            "paper": lambda paper=paper: everything(paper),
            "folded": lambda folded=folded: everything(folded),
        }
        taken = frame.turns(actions, 5)
        in_ms = {name: [1000 * value for value in values] for name, values in taken.items()}
        curves.add("ours", count, in_ms["ours"])
        curves.add(FLOOR, count, in_ms["paper"], floor=True)
        if count == TABLED:
            paper_pairs = list(zip(taken["ours"], taken["paper"], strict=True))
            folded_pairs = list(zip(taken["ours"], taken["folded"], strict=True))
            found += [
                frame.median(f"{count} rays", "ms", in_ms["ours"]),
                frame.ratio(f"{count} rays / products of the paper's layers", paper_pairs, goal=GOAL),
                frame.ratio(f"{count} rays / products that ours needs", folded_pairs),
            ]
    return [*found, curves.series()]


def drawn(count: int) -> rays.Batch:
    """Rays towards the middle from all sides, with colours of no meaning."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.nn.functional.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    near, far, radii = (torch.full((count,), value) for value in (2.0, 6.0, 5e-4))
    seen = rays.Rays(-4 * directions, directions, radii, near, far)
    return rays.Batch(seen, torch.rand(count, 3, generator=generator), torch.ones(count))


def layers(fold: bool, network: mip.Settings) -> list[tuple[int, int, int]]:
    """Inputs, outputs and how many of the inputs need a gradient, of every layer of the paper's network."""
    s = network
    found = [(s.encoded, s.width, 0)]
    for index in range(1, s.depth):
        again = s.encoded if index == s.skip + 1 else 0
        found.append((s.width + again, s.width, s.width))
    found.append((s.width, 1, s.width))
    if fold:
        return [*found, (s.width, s.view_width, s.width), (s.view_width, 3, s.view_width)]
    view = (s.width + s.encoded_view, s.view_width, s.width)
    return [*found, (s.width, s.width, s.width), view, (s.view_width, 3, s.view_width)]


def products(
    count: int,
    fold: bool,
    preset: mip_presets.Preset = mip_presets.PAPER,
    device: torch.device = _CPU,
    dtype: torch.dtype = torch.float32,
) -> list[list[Product]]:
    """What one block of points needs, forward then back; once for every block and pass of a step.

    Both passes must have as many intervals and the same network.
    """
    at_once = min(count, cone_render.rays_at_once(device, preset.sampling, preset.network), _MOST_RAYS)
    at_once = math.ceil(count / math.ceil(count / at_once))  # blocks alike, as the training has them
    block = block_products(at_once * preset.sampling.fine, layers(fold, preset.network), device, dtype)
    return [block] * (2 * math.ceil(count / at_once))


def block_products(
    points: int, sizes: list[tuple[int, int, int]], device: torch.device, dtype: torch.dtype
) -> list[Product]:
    """The products of one block."""

    def drawn(rows: int, columns: int) -> Tensor:
        return torch.rand(rows, columns, device=device, dtype=dtype) - 0.5

    forward: list[Product] = []
    back: list[Product] = []
    for inputs, outputs, needed in sizes:
        before, after, weight = drawn(points, inputs), drawn(points, outputs), drawn(outputs, inputs) / inputs
        forward.append(product(before, weight.T))
        if needed:
            back.append(product(after, weight[:, :needed]))
        back.append(product(after.T, before))
    return forward + back[::-1]


def product(first: Tensor, second: Tensor) -> Product:
    """The product of two matrices, into memory of its own."""
    into = first.new_empty(first.shape[0], second.shape[1])
    return lambda: torch.mm(first, second, out=into)


def everything(blocks: list[list[Product]]) -> None:
    """All products, one after the other."""
    with torch.no_grad():
        for block in blocks:
            for one in block:
                one()
