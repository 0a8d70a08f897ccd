"""LPIPS, the learned perceptual distance (Zhang et al. 2018, arXiv:1801.03924), version 0.1 of its release.

A *backbone* trained on ImageNet turns a picture into features at five or seven depths. At each depth the
features of a pixel are scaled to length 1, the squared differences weighted per channel by the *heads* and
averaged over the pixels (Eq. 1); the distance is the sum over the depths. Pictures are sRGB in 0..1.

The weights are files that the user brings, as their licences are not ours to pass on: `FILES` has their
names in one folder. A backbone is a safetensors file with torchvision's names (`features.0.weight`, ...;
others are ignored); heads are the published `lpips_v0.1_*.pth`, or the same tensors as safetensors. `convert`
makes such a folder, safetensors only, of the files as they are published.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from maquette_wire.errors import UserError
from numpy.typing import NDArray
from torch import Tensor, nn

# The release's scaling layer, for pictures in -1..1: ImageNet's mean and deviation said for that range.
SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
_EPSILON = 1e-10  # against a division by zero where all features of a pixel are 0
_LARGEST_HEADS = 2**20  # bytes; the published ones have at most 11,000
_LARGEST_BACKBONE = 2**30  # bytes; VGG16's have 553 million


@dataclass(frozen=True)
class Files:
    """Names of a network's weights in their folder, any one of each kind."""

    backbone: tuple[str, ...]
    heads: tuple[str, ...]


FILES = {
    "alex": Files(("alexnet.safetensors",), ("lpips_v0.1_alex.safetensors", "lpips_v0.1_alex.pth")),
    "vgg": Files(("vgg16.safetensors",), ("lpips_v0.1_vgg.safetensors", "lpips_v0.1_vgg.pth")),
    "squeeze": Files(
        ("squeezenet1_1.safetensors",), ("lpips_v0.1_squeeze.safetensors", "lpips_v0.1_squeeze.pth")
    ),
}


_PREFERRED = ("vgg", "alex", "squeeze")


@dataclass(frozen=True)
class _Network:
    taps: tuple[int, ...]  # layers whose result is compared
    channels: tuple[int, ...]  # of those results
    smallest: int  # pixels a side; with less a layer has no result


_NETWORKS = {
    "alex": _Network((1, 4, 7, 9, 11), (64, 192, 384, 256, 256), 31),
    "vgg": _Network((3, 8, 15, 22, 29), (64, 128, 256, 512, 512), 16),
    "squeeze": _Network((1, 4, 7, 9, 10, 11, 12), (64, 128, 256, 384, 384, 512, 512), 17),
}


class Lpips(nn.Module):
    """The distance with one backbone. Its weights are fixed; gradients reach the pictures."""

    shift: Tensor  # [1, 3, 1, 1]
    scale: Tensor

    def __init__(self, network: str) -> None:
        """network: of `FILES`. The weights are not set yet: `load` and `read` do."""
        super().__init__()
        chosen = _NETWORKS[network]
        self.network = network
        self.smallest = chosen.smallest  # pixels a side
        self.taps = chosen.taps
        self.features = _LAYERS[network]()
        self.heads = nn.ParameterList(torch.zeros(1, count, 1, 1) for count in chosen.channels)
        self.register_buffer("shift", torch.tensor(SHIFT).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(False).eval()

    def forward(self, truth: Tensor, render: Tensor) -> Tensor:
        """Distance [B] of pictures [B, 3, H, W] in 0..1; 0 for equal pictures, and symmetric.

        Raises ValueError for other shapes and sides below `smallest`.
        """
        if truth.shape != render.shape or truth.ndim != 4 or truth.shape[1] != 3:
            raise ValueError(
                f"pictures are [B, 3, H, W] of one size, not {tuple(truth.shape)} and {tuple(render.shape)}"
            )
        if min(truth.shape[2:]) < self.smallest:
            raise ValueError(
                f"LPIPS ({self.network}) needs {self.smallest} pixels a side, not {min(truth.shape[2:])}"
            )
        total = truth.new_zeros(truth.shape[0])
        pairs = zip(self._compared(truth), self._compared(render), self.heads, strict=True)
        for one, other, head in pairs:
            total = total + (head * (one - other) ** 2).sum(1).mean((1, 2))
        return total

    def between(self, truth: NDArray[np.floating], render: NDArray[np.floating]) -> float:
        """Distance of two pictures [H, W, 3] in 0..1 as a number. Raises ValueError as `forward` does."""
        pair = [
            torch.as_tensor(np.asarray(picture, np.float32), device=self.shift.device).movedim(-1, 0)[None]
            for picture in (truth, render)
        ]
        with torch.inference_mode():
            return float(self(*pair))

    def _compared(self, pictures: Tensor) -> list[Tensor]:
        """Features [B, C, h, w] of length 1 a pixel, at each depth."""
        values = (2 * pictures - 1 - self.shift) / self.scale
        results = []
        for number, layer in enumerate(self.features):
            values = layer(values)
            if number in self.taps:
                # vector_norm, as its gradient at 0 is 0; that of a square root is not a number there.
                length = torch.linalg.vector_norm(values, dim=1, keepdim=True)
                results.append(values / (length + _EPSILON))
        return results


def load(network: str, folder: Path) -> Lpips:
    """LPIPS with the weights of a folder. network: alex, vgg or squeeze (tables of radiance fields have vgg).

    Raises UserError `lpips.missing` naming each file that lacks or cannot be used, and the folder.
    """
    names = FILES[network]
    found, lacking = [], []
    for choices in (names.backbone, names.heads):
        present = [folder / name for name in choices if (folder / name).is_file()]
        found += present[:1]
        lacking += [] if present else [choices[-1]]
    if lacking:
        raise UserError(
            "lpips.missing",
            f"LPIPS ({network}) lacks {' and '.join(lacking)}; looked in '{folder}'.",
            hint="Put the backbone of torchvision (as safetensors) and the published heads there.",
        )
    return read(network, backbone=found[0], heads=found[1])


def load_any(folder: Path) -> Lpips:
    """LPIPS with whichever network's weights lie in a folder, VGG16 first: tables of radiance fields have it.

    Raises UserError `lpips.missing`.
    """
    for network in _PREFERRED:
        names = FILES[network]
        if all(
            any((folder / name).is_file() for name in choices) for choices in (names.backbone, names.heads)
        ):
            return load(network, folder)
    return load(_PREFERRED[0], folder)  # which names the files that lack


def convert(folder: Path, target: Path) -> str:
    """Writes the weights of a folder to another one, as safetensors under the names of `FILES`.

    folder: with a backbone as torchvision publishes it (`vgg16-397923af.pth`, ...) or as safetensors, and its
    heads. Returns the network. Raises UserError `lpips.missing`, OSError.
    """
    for network in _PREFERRED:
        names = FILES[network]
        stem = Path(names.backbone[0]).stem
        backbones = [folder / names.backbone[0], *sorted(folder.glob(f"{stem}-*.pth"))]
        found = [
            next((file for file in files if file.is_file()), None)
            for files in (backbones, [folder / name for name in names.heads])
        ]
        if found[0] is None or found[1] is None:
            continue
        model = read(network, backbone=found[0], heads=found[1])
        target.mkdir(parents=True, exist_ok=True)
        tensors = {f"features.{name}": value for name, value in model.features.state_dict().items()}
        heads = {f"lin{number}.model.1.weight": value.data for number, value in enumerate(model.heads)}
        for name, held in ((names.backbone[0], tensors), (names.heads[0], heads)):
            safetensors.torch.save_file(held, target / name)
        return network
    raise UserError(
        "lpips.missing",
        f"'{folder}' holds no backbone with its heads.",
        hint="Put torchvision's vgg16-397923af.pth and the published lpips_v0.1_vgg.pth there, for example.",
    )


def read(network: str, *, backbone: Path, heads: Path) -> Lpips:
    """LPIPS with the weights of two files. Raises UserError `lpips.missing` when one cannot be used."""
    result = Lpips(network)
    wanted = {f"features.{name}": value for name, value in result.features.state_dict().items()}
    plain = backbone.suffix == ".safetensors"
    parts = _of_safetensors(backbone, set(wanted)) if plain else _of_pickle(backbone, _LARGEST_BACKBONE)
    _fill(wanted, parts, backbone, network)
    kept = {f"lin{number}.model.1.weight": value.data for number, value in enumerate(result.heads)}
    held = (
        _of_safetensors(heads, set(kept))
        if heads.suffix == ".safetensors"
        else _of_pickle(heads, _LARGEST_HEADS)
    )
    _fill(kept, held, heads, network)
    return result


def _fill(wanted: dict[str, Tensor], held: dict[str, Tensor], file: Path, network: str) -> None:
    """Copies the tensors of a file into those of the same name."""
    for name, value in wanted.items():
        if name not in held:
            raise _unusable(file, f"holds no {name}, so it is not made for '{network}'")
        given = held[name]
        if given.shape != value.shape:
            shapes = f"{tuple(given.shape)} and not {tuple(value.shape)}"
            raise _unusable(file, f"has {name} of shape {shapes}, so it is not made for '{network}'")
        if not torch.isfinite(given).all():
            raise _unusable(file, f"holds what is no number in {name}")
        with torch.no_grad():
            value.copy_(given)


def _of_safetensors(file: Path, names: set[str]) -> dict[str, Tensor]:
    """Those tensors of a file that are asked for; a classifier's large ones stay where they are."""
    try:
        with safetensors.safe_open(file, framework="pt", device="cpu") as held:
            return {name: held.get_tensor(name) for name in held.keys() if name in names}  # noqa: SIM118
    except (safetensors.SafetensorError, OSError, ValueError) as error:
        raise _unusable(file, "is no safetensors file, or is cut short") from error


def _of_pickle(file: Path, largest: int) -> dict[str, Tensor]:
    """The tensors of a published file, by PyTorch's reader that builds tensors and nothing else."""
    try:
        if file.stat().st_size > largest:
            raise _unusable(file, "is too large for these weights")
        held = torch.load(file, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # what a damaged file raises is of many kinds, pickle's own among them
        raise _unusable(file, "holds no weights, or is damaged") from error
    if not isinstance(held, dict) or not all(isinstance(value, Tensor) for value in held.values()):
        raise _unusable(file, "holds no weights")
    return held


def _unusable(file: Path, why: str) -> UserError:
    return UserError(
        "lpips.missing",
        f"LPIPS cannot use '{file.name}': it {why}; looked in '{file.parent}'.",
        hint="Fetch it again; docs and the file's own page say which belongs to which network.",
    )


def _alexnet() -> nn.Sequential:
    """Layers 0 to 11 of torchvision's `alexnet().features` (arXiv:1404.5997)."""
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 11, stride=4, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()),
        *(nn.Conv2d(256, 256, 3, padding=1), nn.ReLU()),
    )


def _vgg16() -> nn.Sequential:
    """Layers 0 to 29 of torchvision's `vgg16().features` (arXiv:1409.1556)."""
    layers: list[nn.Module] = []
    width = 3
    for block, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        layers += [nn.MaxPool2d(2, 2)] if layers else []
        for _ in range(count):
            layers += [nn.Conv2d(width, block, 3, padding=1), nn.ReLU()]
            width = block
    return nn.Sequential(*layers)


def _squeezenet() -> nn.Sequential:
    """Layers 0 to 12 of torchvision's `squeezenet1_1().features` (arXiv:1602.07360, release 1.1)."""
    return nn.Sequential(
        *(nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(_Fire(64, 16, 64), _Fire(128, 16, 64), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(_Fire(128, 32, 128), _Fire(256, 32, 128), nn.MaxPool2d(3, 2, ceil_mode=True)),
        *(_Fire(256, 48, 192), _Fire(384, 48, 192), _Fire(384, 64, 256), _Fire(512, 64, 256)),
    )


class _Fire(nn.Module):
    """Few channels, then many by 1 x 1 and by 3 x 3 side by side."""

    def __init__(self, given: int, squeezed: int, expanded: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(given, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)

    def forward(self, values: Tensor) -> Tensor:
        few = self.squeeze(values).relu()
        return torch.cat([self.expand1x1(few).relu(), self.expand3x3(few).relu()], 1)


_LAYERS = {"alex": _alexnet, "vgg": _vgg16, "squeeze": _squeezenet}
