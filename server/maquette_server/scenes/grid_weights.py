"""A grid field, with what places its samples and all settings, as one safetensors file and one JSON value."""

import math
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


def record(scene: GridScene) -> dict[str, Any]:
    """All but the weights, for scene.json."""
    found = {
        "type": TYPE,
        "settings": scene.field.settings.as_json(),
        "unbounded": scene.domain.unbounded,
        "split_above": scene.split_above if math.isfinite(scene.split_above) else None,
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
    """What `record` and `encode` gave. Raises ValueError, KeyError, TypeError, SafetensorError, RuntimeError
    for anything else.
    """
    tensors = safetensors.torch.load(data)
    field = _loaded(grid.GridField(grid.Settings.from_json(saved["settings"])), "field.", tensors, device)
    sampler: Sampler
    if "proposal" in saved:
        proposes = proposal.Proposal(proposal.Settings.from_json(saved["proposal"]))
        proposes = _loaded(proposes, "proposal.", tensors, device)
        sampler = ProposedSampler(proposes, domain, Counts(**saved["counts"]))
    else:
        cells = int(saved["cells"])
        occupied = tensors["occupied"]
        if occupied.shape != (cells, cells, cells):
            raise ValueError(f"the occupancy is {list(occupied.shape)}, not {cells} along each axis")
        if domain.unbounded:
            raise ValueError("a field without bounds needs a proposal")
        sampler = OccupiedSampler(occupied.bool().to(device), domain, float(saved["step"]))
    above = saved.get("split_above")
    return GridScene(field, sampler, math.inf if above is None else float(above))


def _loaded(module: Module, prefix: str, tensors: dict[str, Tensor], device: torch.device | str) -> Module:
    own = {name[len(prefix) :]: each for name, each in tensors.items() if name.startswith(prefix)}
    module.load_state_dict(own)
    if not all(bool(each.isfinite().all()) for each in own.values()):
        raise ValueError("weights are not finite")
    return module.to(device).eval()
