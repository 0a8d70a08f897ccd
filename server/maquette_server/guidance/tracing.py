"""A small network's calls recorded once for each shape and replayed: on a CPU a third of a call is Python.

The replay runs the same operations in the same order, so that its bits are those of the network itself.
"""

import warnings
from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

# Calls of a shape before it is recorded. A recording takes as long as it saves in about 90 calls: a painting
# makes hundreds, whatever tries a shape only once or twice makes fewer than these.
FIRST = 8
MOST_SHAPES = 4
_SMALL = 20_000_000  # weights; in larger networks the arithmetic takes all the time

_Shapes = tuple[torch.Size, ...]
_Graph = Callable[[Tensor, Tensor, Tensor], Tensor]


def worth_it(unet: nn.Module, device: torch.device) -> bool:
    """Whether a replay is quicker than the network on that device."""
    return device.type == "cpu" and sum(weight.numel() for weight in unet.parameters()) < _SMALL


class Traced(nn.Module):
    """Is called as the network is, without gradients."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet
        self._calls: Counter[_Shapes] = Counter()
        self._graphs: dict[_Shapes, _Graph] = {}

    def forward(
        self, sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, return_dict: bool = False
    ) -> tuple[Tensor]:
        """What the network predicts for `sample` [B, C, h, w], `timestep` [B], `encoder_hidden_states`
        [B, N, D].
        """
        shape = (sample.shape, timestep.shape, encoder_hidden_states.shape)
        given = (sample, timestep, encoder_hidden_states)
        self._calls[shape] += 1
        if self._calls[shape] <= FIRST:
            predicted: Tensor = self.unet(*given, return_dict=False)[0]
            return (predicted,)
        if shape not in self._graphs:
            while len(self._graphs) >= MOST_SHAPES:
                oldest = next(iter(self._graphs))
                del self._graphs[oldest], self._calls[oldest]
            self._graphs[shape] = _recorded(self.unet, given)
        with torch.jit.optimized_execution(False):  # its passes take long and win nothing here
            return (self._graphs[shape](*given),)


class _Plain(nn.Module):
    """The network with tensors as its only arguments and its only result."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.unet = unet

    def forward(self, *given: Tensor) -> Tensor:
        predicted: Tensor = self.unet(*given, return_dict=False)[0]
        return predicted


def _recorded(unet: nn.Module, given: tuple[Tensor, Tensor, Tensor]) -> _Graph:
    with warnings.catch_warnings(), torch.no_grad():
        # Shapes become constants, which is what a graph for each shape is for; and torch recommends its
        # compiler instead, which needs a C++ compiler on the artist's machine.
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        graph: _Graph = torch.jit.trace(_Plain(unet), given, check_trace=False)
    return graph
