"""Adam for tables of which a step touches few rows: numbers whose gradient is exactly zero stay as they are.

tiny-cuda-nn does so for hash grids: a row that no sample met neither moves on by its momentum nor forgets it.
The step is Adam's (arXiv:1412.6980, algorithm 1), its start corrected by the number of all steps.
"""

import math

import torch
from torch import Tensor


class TouchedAdam:
    """The optimiser of one table, float32."""

    def __init__(self, table: torch.nn.Parameter, betas: tuple[float, float] = (0.9, 0.99)) -> None:
        self.table = table
        self.betas = betas
        self.steps = 0
        self.first = torch.zeros_like(table.data)
        self.second = torch.zeros_like(table.data)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One step with the gradient that the table has, which is then dropped."""
        gradient = self.table.grad
        if gradient is None:
            return
        self.steps += 1
        low, high = self.betas
        correction = 1 - low**self.steps, math.sqrt(1 - high**self.steps)
        if self.table.device.type == "cpu":
            from . import adam_kernels

            arrays = (self.table.data, gradient, self.first, self.second)
            adam_kernels.step(
                *(each.view(-1).numpy() for each in arrays),
                *adam_kernels.constants(rate / correction[0], low, high, 1 / correction[1]),
            )
        else:
            touched = gradient != 0
            self.first.copy_(torch.where(touched, self.first.lerp(gradient, 1 - low), self.first))
            squared = self.second.lerp(gradient.square(), 1 - high)
            self.second.copy_(torch.where(touched, squared, self.second))
            change = self.first / (self.second.sqrt() / correction[1] + 1e-15)
            self.table.data.sub_(torch.where(touched, change * (rate / correction[0]), 0.0))
        self.table.grad = None

    def state(self) -> dict[str, Tensor]:
        """Moments and count, copied."""
        return {
            "first": self.first.cpu().clone(),
            "second": self.second.cpu().clone(),
            "steps": torch.tensor(self.steps),
        }

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Goes on from a state."""
        self.first.copy_(saved["first"])
        self.second.copy_(saved["second"])
        self.steps = int(saved["steps"])
