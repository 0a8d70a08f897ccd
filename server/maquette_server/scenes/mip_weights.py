"""A mip-NeRF with its settings as one safetensors file and one JSON value."""

from dataclasses import asdict, fields
from typing import Any, TypeVar

import msgspec
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from ..fields import mip
from ..fields.domain import Domain
from ..rendering import cone_render
from ..rendering.mip_render import MipScene
from ..rendering.ndc import Ndc

TYPE = "mip"
_MOST_INTERVALS = 4096  # of one ray in one pass
S = TypeVar("S", mip.Settings, cone_render.Settings, Ndc)


def record(scene: MipScene) -> dict[str, Any]:
    """All but the weights, for scene.json."""
    return {
        "type": TYPE,
        "network": asdict(scene.field.settings),
        "proposal": None if scene.coarse is None else asdict(scene.coarse.settings),
        "sampling": asdict(scene.sampling),
        "unbounded": scene.domain.unbounded,
        "ndc": None if scene.ndc is None else asdict(scene.ndc),
    }


def encode(scene: MipScene) -> bytes:
    """The weights."""
    tensors = {f"field.{name}": each for name, each in scene.field.state_dict().items()}
    if scene.coarse is not None:
        tensors |= {f"proposal.{name}": each for name, each in scene.coarse.state_dict().items()}
    data: bytes = safetensors.torch.save({name: each.cpu().contiguous() for name, each in tensors.items()})
    return data


def decode(saved: dict[str, Any], domain: Domain, data: bytes, device: torch.device | str) -> MipScene:
    """What `record` and `encode` gave. Raises ValueError, KeyError, TypeError, SafetensorError, RuntimeError
    for anything else.
    """
    forward = saved.get("ndc")  # scenes of 0.1 have none
    ndc = None if forward is None else _settings(forward, Ndc)
    if domain.unbounded != (ndc is not None):
        raise ValueError("mip-NeRF has a box, or coordinates of a capture that faces one way")
    tensors = safetensors.torch.load(data)
    sampling = _settings(saved["sampling"], cone_render.Settings)
    if max(sampling.coarse, sampling.fine) > _MOST_INTERVALS:
        raise ValueError(f"rays have more than {_MOST_INTERVALS} intervals")
    network = _settings(saved["network"], mip.Settings)
    _check(network, (network.encoded_view, network.view_width), tensors)
    field = mip.MipField(network)
    _fill(field, "field.", tensors)
    coarse = None
    if saved["proposal"] is not None:
        proposal = _settings(saved["proposal"], mip.Settings)
        _check(proposal, (), tensors)
        coarse = mip.DensityField(proposal)
        _fill(coarse, "proposal.", tensors)
        coarse.to(device).eval()
    return MipScene(field.to(device).eval(), coarse, sampling, domain, ndc)


def _settings(saved: Any, kind: type[S]) -> S:
    """Settings out of JSON; a scene must say all of them, so that later defaults do not change it."""
    if not isinstance(saved, dict) or saved.keys() != {field.name for field in fields(kind)}:
        raise ValueError(f"the settings of the field are not those of this version: {saved!r}")
    try:
        return msgspec.convert(saved, kind)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error


def _check(settings: mip.Settings, views: tuple[int, ...], tensors: dict[str, Tensor]) -> None:
    """Refuses a network that is larger than its weights, before anything of its size is made.

    views: sizes of those of its layers that see directions.
    """
    longest = max((max(each.shape, default=0) for each in tensors.values()), default=0)
    if settings.depth > len(tensors) or max(settings.encoded, settings.width, *views) > longest:
        raise ValueError("the field's network is larger than its weights")


def _fill(network: torch.nn.Module, prefix: str, tensors: dict[str, Tensor]) -> None:
    named = {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
    if not all(bool(each.isfinite().all()) for each in named.values()):
        raise ValueError("weights are not finite")
    network.load_state_dict(named)
