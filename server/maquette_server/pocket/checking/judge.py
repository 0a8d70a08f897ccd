"""Tells materials apart in pictures of 64 pixels: a small classifier that the models never met.

It learnt ten classes: the eight materials, "plain" and "pattern"; the last two both say that it is none of
the materials, which is all that it is asked. Plain things of a material's mean colour were among what it
learnt from, so that a brown ball is not taken for wood.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from ..drawing import words
from ..refusals import Refused

CLASSES = (*words.MATERIALS, "plain", "pattern")
NO_MATERIAL = "no material"
_FILE = "judge.safetensors"


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.normal = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, value: Tensor) -> Tensor:
        return value + self.second(functional.relu(self.normal(self.first(functional.relu(value)))))


class Judge(nn.Module):
    """0.12 M weights."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 20, 5, 2, 2),
            nn.BatchNorm2d(20),
            nn.ReLU(),
            nn.Conv2d(20, 40, 3, 2, 1),
            _Residual(40),
            nn.ReLU(),
            nn.Conv2d(40, 56, 3, 2, 1),
            _Residual(56),
            nn.ReLU(),
        )
        self.head = nn.Linear(3 * 56, len(CLASSES))

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores [N, 10] of pictures [N, 3, 64, 64] in 0..1."""
        features = self.body(4 * (pictures - 0.5))
        middle = functional.avg_pool2d(features[..., 2:-2, 2:-2], 4)[..., 0, 0]
        return self.head(torch.cat([features.mean((2, 3)), features.amax((2, 3)), middle], 1))

    @torch.no_grad()
    def materials(self, pictures: Tensor) -> list[str]:
        """The most likely material of each picture [N, 3, 64, 64] in 0..1, or NO_MATERIAL."""
        self.eval()
        scores = torch.cat([self(part) + self(part.flip(-1)) for part in pictures.split(64)])
        return [answer(CLASSES[best]) for best in scores.argmax(1).tolist()]


def answer(learnt: str) -> str:
    """What a learnt class says about the material."""
    return learnt if learnt in words.MATERIALS else NO_MATERIAL


def save(judge: Judge, folder: Path) -> None:
    """In half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        name: tensor.half().contiguous() if tensor.is_floating_point() else tensor
        for name, tensor in judge.state_dict().items()
    }
    save_file(tensors, folder / _FILE)


def load(folder: Path) -> Judge:
    """What `save` wrote. Raises Refused when the folder holds no judge."""
    judge = Judge()
    try:
        judge.load_state_dict(load_file(folder / _FILE))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise Refused(
            f"'{folder}' holds no judge. Make one: python -m maquette_server.pocket judge --out {folder}"
        ) from error
    return judge.eval()
