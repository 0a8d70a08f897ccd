"""The moments of torch's Adam as tensors by name, so that an optimiser goes on where it was."""

from collections.abc import Mapping

import torch
from torch import Tensor

_KEYS = ("step", "exp_avg", "exp_avg_sq")


def saved(optimiser: torch.optim.Optimizer, parameters: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What the optimiser remembers of each parameter, copied to the CPU: `adam.<moment>.<name>`."""
    return {
        f"adam.{key}.{name}": moment.detach().cpu().clone()
        for name, parameter in parameters.items()
        for key, moment in optimiser.state.get(parameter, {}).items()
    }


def restore(
    optimiser: torch.optim.Optimizer, parameters: Mapping[str, Tensor], tensors: Mapping[str, Tensor]
) -> None:
    """Takes what `saved` gave; a parameter without any begins anew."""
    for name, parameter in parameters.items():
        found = {key: tensors.get(f"adam.{key}.{name}") for key in _KEYS}
        optimiser.state[parameter] = {
            key: moment.clone().to(parameter.device) for key, moment in found.items() if moment is not None
        }


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, by the rest of their names."""
    return {name[len(prefix) :]: each for name, each in tensors.items() if name.startswith(prefix)}
