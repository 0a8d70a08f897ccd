"""A grid field with its occupancy and its settings as one safetensors file and one JSON value."""

from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..fields import grid
from ..fields.domain import Domain
from ..rendering.grid_render import GridScene
from ..rendering.marching import Steps

TYPE = "grid"


def record(field: grid.GridField, domain: Domain, steps: Steps, cells: int) -> dict[str, Any]:
    """All but the weights, for scene.json."""
    return {
        "type": TYPE,
        "settings": field.settings.as_json(),
        "unbounded": domain.unbounded,
        "shortest_step": steps.shortest,
        "step_growth": steps.growth,
        "cells": cells,
    }


def encode(field: grid.GridField, occupied: Tensor) -> bytes:
    """The weights."""
    tensors = {f"field.{name}": each.detach().cpu().contiguous() for name, each in field.state_dict().items()}
    data: bytes = safetensors.torch.save({**tensors, "occupied": occupied.cpu().to(torch.uint8)})
    return data


def decode(saved: dict[str, Any], domain: Domain, data: bytes, device: torch.device | str) -> GridScene:
    """What `record` and `encode` gave. Raises ValueError, KeyError, TypeError, SafetensorError, RuntimeError
    for anything else.
    """
    field = grid.GridField(grid.Settings.from_json(saved["settings"]))
    tensors = safetensors.torch.load(data)
    cells = int(saved["cells"])
    occupied = tensors.pop("occupied")
    if occupied.shape != (cells, cells, cells):
        raise ValueError(f"the occupancy is {list(occupied.shape)}, not {cells} along each axis")
    field.load_state_dict({name.removeprefix("field."): each for name, each in tensors.items()})
    if not all(bool(each.isfinite().all()) for each in field.state_dict().values()):
        raise ValueError("weights are not finite")
    steps = Steps(float(saved["shortest_step"]), float(saved["step_growth"]))
    return GridScene(field.to(device).eval(), occupied.bool().to(device), domain, steps)
