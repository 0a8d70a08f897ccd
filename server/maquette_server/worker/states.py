"""A method's private state as bytes and back. Tensors are torch's, or numpy's when the method does without
torch.
"""

from typing import Any

import numpy as np

from ..engine import attempts
from ..methods import base


def to_bytes(state: base.State) -> tuple[str, bytes]:
    """Framework and safetensors bytes of a state's tensors."""
    if all(isinstance(tensor, np.ndarray) for tensor in state.tensors.values()):
        import safetensors.numpy

        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in state.tensors.items()}
        return "numpy", safetensors.numpy.save(tensors)
    import safetensors.torch

    owned: dict[str, Any] = {}
    seen: set[int] = set()
    for name, tensor in state.tensors.items():
        plain = tensor.detach().cpu().contiguous()
        if plain.untyped_storage().data_ptr() in seen:  # safetensors refuses tensors that share memory
            plain = plain.clone()
        seen.add(plain.untyped_storage().data_ptr())
        owned[name] = plain
    return "torch", safetensors.torch.save(owned)


def from_checkpoint(checkpoint: attempts.Checkpoint) -> base.State:
    """The state that was saved; tensors are on the CPU."""
    if checkpoint.record.framework == "numpy":
        import safetensors.numpy

        return base.State(safetensors.numpy.load(checkpoint.tensors), checkpoint.record.values)
    import safetensors.torch

    return base.State(safetensors.torch.load(checkpoint.tensors), checkpoint.record.values)
