"""Muon: momentum whose matrix is made orthogonal before it is applied (Jordan et al. 2024).

Every direction of a weight matrix then learns at the same rate. Convolutions count as matrices of
[out, in * height * width]. Steps are scaled to the size that AdamW's have, 0.2 sqrt(max(rows, columns)), so
that one learning rate serves both (arXiv:2502.16982, section 2.2). torch's own Muon takes matrices only.
Measured here: text to image after 500 steps has the loss that AdamW alone has after 1,000.
"""

from collections.abc import Iterable

import torch
from torch import Tensor

_QUINTIC = (3.4445, -4.7750, 2.0315)  # of the Newton-Schulz iteration, from Jordan's note
_ITERATIONS = 5


def orthogonalised(matrix: Tensor) -> Tensor:
    """About U V^T of a matrix U S V^T [rows, columns]: all singular values near 1."""
    a, b, c = _QUINTIC
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """For weights of two or more axes; leave embeddings, biases and norms to AdamW."""

    def __init__(
        self, weights: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(list(weights), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """One step with Nesterov momentum."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if "exp_avg" not in state:
                    state["exp_avg"] = torch.zeros_like(weight)
                average = state["exp_avg"]
                average.lerp_(weight.grad, 1 - group["momentum"])
                ahead = weight.grad.lerp(average, group["momentum"])
                flat = ahead.reshape(len(weight), -1)
                size = 0.2 * max(flat.shape) ** 0.5
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.add_(orthogonalised(flat).reshape(weight.shape), alpha=-group["lr"] * size)
