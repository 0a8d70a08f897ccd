"""What the trainings share: the learning rate's course, an averaged copy of the weights, and their state."""

import copy
from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

_PREFIXES = ("model.", "average.", "first.", "second.")


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

    def __init__(self, model: Model, learning_rate: float, keep: float = 0.999) -> None:
        self.model = model
        self.average = copy.deepcopy(model).requires_grad_(False).eval()
        self.optimiser = torch.optim.AdamW(
            model.parameters(), lr=learning_rate, betas=(0.9, 0.99), weight_decay=1e-3
        )
        self.full = learning_rate
        self.keep = keep
        self.step = 0

    def update(self, loss: Tensor, share: float) -> None:
        """One step at that share of the full learning rate."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.full * share
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        keep = min(self.keep, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.model.parameters()), 1 - keep)

    def state(self) -> dict[str, Tensor]:
        """Weights, their average and both moments."""
        found: dict[str, Tensor] = {}
        names = [name for name, _ in self.model.named_parameters()]
        moments = self.optimiser.state_dict()["state"]
        for number, name in enumerate(names):
            found["model." + name] = dict(self.model.named_parameters())[name].detach()
            found["average." + name] = dict(self.average.named_parameters())[name]
            if moments:
                found["first." + name] = moments[number]["exp_avg"]
                found["second." + name] = moments[number]["exp_avg_sq"]
        return found

    def restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Goes on from `state`."""
        self.step = int(facts["step"])
        moments = {}
        with torch.no_grad():
            for number, (name, weight) in enumerate(self.model.named_parameters()):
                weight.copy_(tensors["model." + name])
                dict(self.average.named_parameters())[name].copy_(tensors["average." + name])
                if "first." + name in tensors:
                    moments[number] = {
                        "step": torch.tensor(float(self.step)),
                        "exp_avg": tensors["first." + name].to(weight.device),
                        "exp_avg_sq": tensors["second." + name].to(weight.device),
                    }
        saved = self.optimiser.state_dict()
        self.optimiser.load_state_dict({"state": moments, "param_groups": saved["param_groups"]})
