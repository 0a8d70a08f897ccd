"""A grid field, with what places its samples and all settings, as one safetensors file and one JSON value."""

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..fields import grid, proposal
from ..fields.domain import Domain
from ..rendering.grid_render import GridScene, Sampler
from ..rendering.occupied import OccupiedSampler
from ..rendering.proposed import Counts, ProposedSampler

TYPE = "grid"
Module = TypeVar("Module", bound=torch.nn.Module)
S = TypeVar("S", grid.Settings, proposal.Settings)


def record(scene: GridScene) -> dict[str, Any]:
    """All but the weights, for scene.json."""
    found = {
        "type": TYPE,
        "settings": scene.field.settings.as_json(),
        "unbounded": scene.domain.unbounded,
        "finest": scene.finest if math.isfinite(scene.finest) else None,
    }
    sampler = scene.sampler
    if isinstance(sampler, ProposedSampler):
        return found | {"proposal": sampler.proposal.settings.as_json(), "counts": asdict(sampler.counts)}
    assert isinstance(sampler, OccupiedSampler)
    return found | {"step": sampler.step, "cells": sampler.cells.shape[0]}


def encode(scene: GridScene) -> bytes:
    """The weights."""
    tensors = {f"field.{name}": each for name, each in scene.field.state_dict().items()}
    if isinstance(scene.sampler, ProposedSampler):
        proposes = scene.sampler.proposal.state_dict()
        tensors |= {f"proposal.{name}": each for name, each in proposes.items()}
    if isinstance(scene.sampler, OccupiedSampler):
        tensors["occupied"] = scene.sampler.cells.to(torch.uint8)
    data: bytes = safetensors.torch.save(
        {name: each.detach().cpu().contiguous() for name, each in tensors.items()}
    )
    return data


def decode(saved: dict[str, Any], domain: Domain, data: bytes, device: torch.device | str) -> GridScene:
    """What `record` and `encode` gave. Raises ValueError, KeyError, TypeError, SafetensorError, RuntimeError,
    OverflowError for anything else.
    """
    tensors = safetensors.torch.load(data)
    settings = grid.Settings.from_json(saved["settings"])
    field = _loaded(grid.GridField, settings, "field.", tensors, device)
    sampler: Sampler
    if "proposal" in saved:
        sizes = proposal.Settings.from_json(saved["proposal"])
        proposes = _loaded(proposal.Proposal, sizes, "proposal.", tensors, device)
        sampler = ProposedSampler(proposes, domain, Counts(**saved["counts"]))
    else:
        cells = int(saved["cells"])
        occupied = tensors["occupied"]
        if occupied.shape != (cells, cells, cells):
            raise ValueError(f"the occupancy is {list(occupied.shape)}, not {cells} along each axis")
        if domain.unbounded:
            raise ValueError("a field without bounds needs a proposal")
        step = float(saved["step"])
        if not 0 < step < math.inf:
            raise ValueError(f"samples along rays cannot lie {step:g} apart")
        sampler = OccupiedSampler(occupied.bool().to(device), domain, step)
    finest = saved.get("finest")
    if finest is not None and not 0 < finest < math.inf:
        raise ValueError(f"rays cannot have a footprint of {finest}")
    return GridScene(field, sampler, math.inf if finest is None else float(finest))


def _loaded(
    make: Callable[[S], Module],
    settings: S,
    prefix: str,
    tensors: dict[str, Tensor],
    device: torch.device | str,
) -> Module:
    """What `make` gives for the settings, with the weights of the file whose names have the prefix."""
    own = {name: each for name, each in tensors.items() if name.startswith(prefix)}
    _check(make, settings, prefix, own)
    if not all(bool(each.isfinite().all()) for each in own.values()):
        raise ValueError("weights are not finite")
    module = make(settings)
    module.load_state_dict({name.removeprefix(prefix): each for name, each in own.items()})
    return module.to(device).eval()


def _check(make: Callable[[S], Module], settings: S, prefix: str, own: dict[str, Tensor]) -> None:
    """Refuses settings that mean other weights than the file's, before anything of their size is made."""
    table = own[f"{prefix}grid.table"]
    if settings.grid.levels > table.numel():
        raise ValueError(f"a grid of {settings.grid.levels} levels has more than {table.numel()} weights")
    with torch.device("meta"):  # shapes alone
        meant = {f"{prefix}{name}": each.shape for name, each in make(settings).state_dict().items()}
    for name, shape in meant.items():
        if own[name].shape != shape:
            raise ValueError(f"'{name}' is {list(own[name].shape)}, by the settings it is {list(shape)}")
