"""Our hash grid on a GPU against itself on the CPU, and against tiny-cuda-nn's where that is at hand.

tiny-cuda-nn keeps all parameters as one row: the network's layers first, each by rows, then the grid's table.
Ours are copied into it, so that both must give the same features.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import torch
from maquette_server.fields import hash_grid, mlp
from torch import Tensor

from benchmarks import frame
from benchmarks.cuda.diffusion import HALF_ERROR, Bench, compare, in_ms

DEVICE_ERROR = 1e-4  # relative, of float32 sums in another order
PLACE_ERROR = 2e-3  # relative, against tiny-cuda-nn: on 2048 vertices a float32 place has four digits left
OUTPUTS, WIDTH, HIDDEN = 16, 64, 2


def hash_grids(bench: Bench) -> list[frame.Figure]:
    """Features and gradients compared, and the times of grid and network, forward and back."""
    return compared(bench, bench.sizes.grid)


def scene_grids(bench: Bench) -> list[frame.Figure]:
    """The same of the grid that scenes are learnt with."""
    return [
        dataclasses.replace(one, name=f"grid of a scene: {one.name}")
        for one in compared(bench, bench.sizes.scene_grid)
    ]


def compared(bench: Bench, settings: hash_grid.Settings) -> list[frame.Figure]:
    """A grid of these settings on the device against itself on the CPU, and against tiny-cuda-nn's."""
    sizes = bench.sizes
    random = torch.Generator().manual_seed(0)
    grid, network = (
        hash_grid.HashGrid(settings),
        mlp.Mlp(settings.width, OUTPUTS, width=WIDTH, hidden=HIDDEN, generator=random),
    )
    with torch.no_grad():
        grid.table.uniform_(-1, 1, generator=random)
    points = torch.rand(sizes.points, settings.dimensions, generator=random)
    weights = torch.randn(sizes.points, settings.width, generator=random)
    few = slice(0, 4096)
    on_cpu = features_and_gradient(grid, grid.table, points[few], weights[few])
    grid, network = grid.to(sizes.device), network.to(sizes.device)
    points, weights = points.to(sizes.device), weights.to(sizes.device)
    on_device = features_and_gradient(grid, grid.table, points[few], weights[few])
    found = [
        compare("hash grid: features, difference to the CPU", on_device[0], on_cpu[0], DEVICE_ERROR),
        compare("hash grid: gradient, difference to the CPU", on_device[1], on_cpu[1], DEVICE_ERROR),
    ]
    actions = {"ours": trained(bench, lambda at: network(grid(at)), [grid.table, *network.weights], points)}
    theirs = tiny_cuda_nn(bench) if sizes.cuda else None
    if theirs is not None:
        found += encoding_compared(theirs, grid, points[few], weights[few], on_device)
        model = fused(theirs, grid, network)
        with torch.no_grad():
            got, wanted = model(points[few]), network(grid(points[few]))
        found.append(compare("tiny-cuda-nn: grid and network, difference to ours", got, wanted, HALF_ERROR))
        actions["tiny-cuda-nn"] = trained(bench, model, [model.params], points)
    taken = bench.clock.turns(actions, sizes.repeats)
    for name, values in taken.items():
        what = f"{name}: grid and network, {sizes.points:,} points, forward and back"
        found.append(frame.median(what, "ms", in_ms(values)))
    if "tiny-cuda-nn" in taken:
        pairs = list(zip(taken["ours"], taken["tiny-cuda-nn"], strict=True))
        found.append(
            frame.ratio("grid and network: ours / tiny-cuda-nn", pairs, note="float32 / half precision")
        )
    return found


def features_and_gradient(
    encode: Callable[[Tensor], Tensor], table: Tensor, points: Tensor, weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Features, and the table's gradient of their weighted sum, both on the CPU."""
    table.grad = None
    features = encode(points)
    (features.float() * weights).sum().backward()
    gradient = table.grad
    assert gradient is not None
    table.grad = None
    return features.detach().float().cpu(), gradient.reshape(-1).float().cpu()


def trained(
    bench: Bench, model: Callable[[Tensor], Tensor], parameters: list[Any], points: Tensor
) -> Callable[[], None]:
    """A forward and a backward through a model, waited for."""

    def once() -> None:
        for parameter in parameters:
            parameter.grad = None
        model(points).sum().backward()
        bench.wait()

    return once


def tiny_cuda_nn(bench: Bench) -> Any:
    """The module, or None with a sentence; its import fails in several ways."""
    try:
        import tinycudann
    except (ImportError, OSError, RuntimeError) as error:
        print(f"  tiny-cuda-nn: not measured ({(str(error).splitlines() or [type(error).__name__])[0]})")
        return None
    return tinycudann


def settings_of(grid: hash_grid.HashGrid) -> dict[str, Any]:
    """The same grid in tiny-cuda-nn's words."""
    ours = grid.settings
    return {
        "otype": "HashGrid",
        "n_levels": ours.levels,
        "n_features_per_level": ours.features,
        "log2_hashmap_size": ours.log2_rows,
        "base_resolution": ours.coarsest,
        "per_level_scale": ours.growth,
    }


def encoding_compared(
    theirs: Any, grid: hash_grid.HashGrid, points: Tensor, weights: Tensor, ours: tuple[Tensor, Tensor]
) -> list[frame.Figure]:
    """Their encoding in float32 with our table. Raises AssertionError when it has another number of rows."""
    encoding = theirs.Encoding(grid.settings.dimensions, settings_of(grid), dtype=torch.float32).to(
        points.device
    )
    fill(encoding, [grid.table])
    got = features_and_gradient(encoding, encoding.params, points, weights)
    return [
        compare("tiny-cuda-nn: features, difference to ours", got[0], ours[0], PLACE_ERROR),
        compare("tiny-cuda-nn: gradient, difference to ours", got[1], ours[1], PLACE_ERROR),
    ]


def fused(theirs: Any, grid: hash_grid.HashGrid, network: mlp.Mlp) -> Any:
    """Their grid and fully fused network, with our parameters."""
    layers = {
        "otype": "FullyFusedMLP",
        "activation": "ReLU",
        "output_activation": "None",
        "n_neurons": WIDTH,
        "n_hidden_layers": HIDDEN,
    }
    model = theirs.NetworkWithInputEncoding(grid.settings.dimensions, OUTPUTS, settings_of(grid), layers)
    model = model.to(grid.table.device)
    fill(model, [*network.weights, grid.table])
    return model


def fill(model: Any, ours: list[Tensor]) -> None:
    """Our parameters in the place of theirs. Raises AssertionError when they are not as many."""
    row = torch.cat([part.detach().reshape(-1) for part in ours])
    assert row.numel() == model.params.numel(), f"{row.numel()} parameters for {model.params.numel()}"
    with torch.no_grad():
        model.params.copy_(row)
