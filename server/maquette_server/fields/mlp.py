"""A small network of fully connected layers, as fields have behind their encoding.

No biases, ReLU between the layers, nothing after the last: the layers of tiny-cuda-nn's FullyFusedMLP, each
weight [outputs, inputs] by rows as there. tiny-cuda-nn rounds inputs and outputs up to multiples of 16.
"""

from itertools import pairwise

import torch
from torch import Tensor


class Mlp(torch.nn.Module):
    """`hidden` layers of `width` numbers between `inputs` and `outputs`."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        width: int = 64,
        hidden: int = 2,
        generator: torch.Generator | None = None,
    ) -> None:
        """generator: of the first weights (Xavier, uniform); on the CPU. Raises ValueError for a size below
        1.
        """
        super().__init__()
        if min(inputs, outputs, width, hidden) < 1:
            raise ValueError(f"a network cannot go from {inputs} over {hidden} times {width} to {outputs}")
        sizes = [inputs, *[width] * hidden, outputs]
        self.weights = torch.nn.ParameterList(
            torch.nn.init.xavier_uniform_(torch.empty(after, before), generator=generator)
            for before, after in pairwise(sizes)
        )

    def forward(self, features: Tensor) -> Tensor:
        """[P, outputs] from [P, inputs], in the dtype of the weights."""
        *first, last = self.weights
        for weight in first:
            features = torch.relu(torch.nn.functional.linear(features, weight))
        return torch.nn.functional.linear(features, last)
