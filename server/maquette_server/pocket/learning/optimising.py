"""What the trainings share: the learning rate's course, an averaged copy of the weights, and their state."""

import copy
import re
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from .muon import Muon

_MOMENTS = {"exp_avg": "first.", "exp_avg_sq": "second."}
# A table of embeddings is no matrix that maps, and the ends of a network see raw values.
_OUTER = re.compile(r"embedding|conv_in|conv_out")


def rate(step: int, steps: int, warm: int = 200, decay_from: float = 0.7) -> float:
    """Share of the full learning rate: rises linearly, stays, then falls linearly to 2 %."""
    rise = min(1.0, (step + 1) / warm)
    fall = (steps - step) / max(1.0, steps * (1 - decay_from))
    return rise * min(1.0, max(0.02, fall))


Model = TypeVar("Model", bound=nn.Module)


def channels_last(model: Model) -> Model:
    """The same with its weights laid out the way convolutions on a CPU like them."""
    laid: Model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return laid


class Averaged(Generic[Model]):
    """Modules, their optimiser (AdamW), and an exponential moving average of their weights."""

    def __init__(self, model: Model, learning_rate: float, keep: float = 0.999, muon: bool = False) -> None:
        """`muon` gives matrices and convolutions to Muon, all else to AdamW."""
        self.model = model
        self.average = copy.deepcopy(model).requires_grad_(False).eval()
        named = list(model.named_parameters())
        inner = {name for name, weight in named if muon and weight.ndim >= 2 and not _OUTER.search(name)}
        matrices = [weight for name, weight in named if name in inner]
        others = [weight for name, weight in named if name not in inner]
        self.optimisers: list[torch.optim.Optimizer] = []
        if others:
            rest = torch.optim.AdamW(others, lr=learning_rate, betas=(0.9, 0.99), weight_decay=1e-3)
            self.optimisers.append(rest)
        if matrices:
            self.optimisers.append(Muon(matrices, lr=learning_rate, weight_decay=1e-3))
        self.full = learning_rate
        self.keep = keep
        self.step = 0

    def update(self, loss: Tensor, share: float) -> None:
        """One step at that share of the full learning rate."""
        for optimiser in self.optimisers:
            for group in optimiser.param_groups:
                group["lr"] = self.full * share
            optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        keep = min(self.keep, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)

    def state(self) -> dict[str, Tensor]:
        """Weights, their average and the optimisers' moments."""
        found: dict[str, Tensor] = {}
        averages = dict(self.average.named_parameters())
        for name, weight in self.model.named_parameters():
            found["model." + name] = weight.detach()
            found["average." + name] = averages[name]
            for moment, prefix in _MOMENTS.items():
                kept = self._kept(weight).get(moment)
                if kept is not None:
                    found[prefix + name] = kept
        return found

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Goes on from `state`."""
        self.step = int(facts["step"])
        averages = dict(self.average.named_parameters())
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                weight.copy_(tensors["model." + name])
                averages[name].copy_(tensors["average." + name])
                kept = {
                    moment: tensors[prefix + name].to(weight.device)
                    for moment, prefix in _MOMENTS.items()
                    if prefix + name in tensors
                }
                if kept:
                    self._kept(weight).update(kept | {"step": torch.tensor(float(self.step))})

    def _kept(self, weight: Tensor) -> dict[str, Any]:
        """What the optimiser of a weight remembers of it."""
        for optimiser in self.optimisers:
            if any(weight is each for group in optimiser.param_groups for each in group["params"]):
                return optimiser.state[weight]
        raise ValueError("the weight belongs to no optimiser")
