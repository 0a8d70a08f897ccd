"""LPIPS: what a distance must be, the published heads, a slow second computation, and what is refused.

The backbones' weights are random here; the real ones are not ours to carry.
"""

import itertools
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from maquette_server.metrics import lpips
from maquette_wire.errors import UserError
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

NETWORKS = ["alex", "vgg", "squeeze"]

# torchvision's features: c is a convolution (kernel, stride, padding), p a pool (kernel, stride), r a ReLU,
# f a fire module; a star after a layer: its result is compared
ALEX = "c11,4,2 r* p3,2 c5,1,2 r* p3,2 c3,1,1 r* c3,1,1 r* c3,1,1 r*"
VGG = (
    "c3,1,1 r c3,1,1 r* p2,2 c3,1,1 r c3,1,1 r* p2,2 c3,1,1 r c3,1,1 r c3,1,1 r* p2,2 "
    "c3,1,1 r c3,1,1 r c3,1,1 r* p2,2 c3,1,1 r c3,1,1 r c3,1,1 r*"
)
SQUEEZE = "c3,2,0 r* p3,2 f f* p3,2 f f* p3,2 f* f* f* f*"
TABLES = {"alex": ALEX, "vgg": VGG, "squeeze": SQUEEZE}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights for every network, under the names that are looked for."""
    place = tmp_path_factory.mktemp("lpips")
    torch.manual_seed(3)
    for network in NETWORKS:
        model = lpips.Lpips(network)
        backbone = {f"features.{name}": value for name, value in model.features.state_dict().items()}
        for name, value in backbone.items():
            if name.endswith("weight"):
                value.normal_(std=(2 / value[0].numel()) ** 0.5)
        backbone["classifier.6.weight"] = torch.zeros(7, 5)
        safetensors.torch.save_file(backbone, place / lpips.FILES[network].backbone[0])
        heads = {f"lin{n}.model.1.weight": torch.rand(1, h.shape[1], 1, 1) for n, h in enumerate(model.heads)}
        torch.save(heads, place / lpips.FILES[network].heads[-1])
    return place


def pictures(size: int = 40, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    truth = torch.rand(batch, 3, size, size + 3, generator=generator)
    return truth, (truth + 0.2 * torch.randn(truth.shape, generator=generator)).clip(0, 1)


def changed(file: Path, target: Path, **values: torch.Tensor | None) -> Path:
    """A copy of a safetensors file with other tensors in it; None takes one out."""
    held = safetensors.torch.load_file(file)
    for name, value in values.items():
        held.pop(name)
        if value is not None:
            held[name] = value
    safetensors.torch.save_file(held, target)
    return target


@pytest.mark.parametrize("network", NETWORKS)
def test_it_is_a_distance(network: str, folder: Path) -> None:
    model = lpips.load(network, folder)
    truth, render = pictures()
    distance = model(truth, render)
    assert distance.shape == (2,)
    assert (distance > 0).all()
    assert (model(truth, truth) == 0).all()
    torch.testing.assert_close(model(render, truth), distance)
    torch.testing.assert_close(model(truth[1:], render[1:])[0], distance[1], rtol=1e-4, atol=1e-6)
    near = model(truth, truth + 0.1 * (render - truth))
    assert (near < distance).all()


@pytest.mark.parametrize("network", NETWORKS)
def test_it_equals_a_slow_computation_from_the_same_weights(network: str, folder: Path) -> None:
    model = lpips.load(network, folder)
    truth, render = pictures(33, batch=1)
    names = lpips.FILES[network]
    weights = {
        name: value.numpy().astype(np.float64)
        for name, value in safetensors.torch.load_file(folder / names.backbone[0]).items()
    }
    heads = torch.load(folder / names.heads[-1], weights_only=True)
    one, other = (slow_features(picture[0].double().numpy(), network, weights) for picture in (truth, render))
    total = 0.0
    for number, (first, second) in enumerate(zip(one, other, strict=True)):
        head = heads[f"lin{number}.model.1.weight"].double().numpy()[0, :, 0, 0]
        _, height, width = first.shape
        for y, x in itertools.product(range(height), range(width)):
            a, b = first[:, y, x], second[:, y, x]
            difference = a / (np.sqrt((a**2).sum()) + 1e-10) - b / (np.sqrt((b**2).sum()) + 1e-10)
            total += float((head * difference**2).sum()) / (height * width)
    assert model(truth, render).item() == pytest.approx(total, rel=1e-4)
    pair = [picture[0].movedim(0, -1).numpy() for picture in (truth, render)]
    assert model.between(*pair) == pytest.approx(total, rel=1e-4)


def slow_features(
    picture: NDArray[np.float64], network: str, weights: dict[str, NDArray[np.float64]]
) -> list:
    """The compared results [C, h, w] by the table above, for a picture [3, H, W] in 0..1."""
    shift, scale = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])
    values = ((2 * picture - 1) - shift[:, None, None]) / scale[:, None, None]
    results = []
    for number, word in enumerate(TABLES[network].split()):
        kind, sizes = word[0], [int(part) for part in word[1:].strip("*").split(",") if part]
        name = f"features.{number}"
        if kind == "c":
            values = convolved(values, weights, name, *sizes[1:])
        elif kind == "p":
            values = pooled(values, *sizes, whole=network == "squeeze")
        elif kind == "f":
            few = np.maximum(convolved(values, weights, f"{name}.squeeze"), 0)
            sides = (
                convolved(few, weights, f"{name}.expand1x1"),
                convolved(few, weights, f"{name}.expand3x3", 1, 1),
            )
            values = np.maximum(np.concatenate(sides), 0)
        else:
            values = np.maximum(values, 0)
        if word.endswith("*"):
            results.append(values)
    return results


def convolved(
    values: NDArray[np.float64],
    weights: dict[str, NDArray[np.float64]],
    name: str,
    stride: int = 1,
    padding: int = 0,
) -> NDArray[np.float64]:
    kernel = weights[f"{name}.weight"]
    padded = np.pad(values, ((0, 0), (padding, padding), (padding, padding)))
    windows = sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))[:, ::stride, ::stride]
    return np.tensordot(kernel, windows, ((1, 2, 3), (0, 3, 4))) + weights[f"{name}.bias"][:, None, None]


def pooled(values: NDArray[np.float64], kernel: int, stride: int, *, whole: bool) -> NDArray[np.float64]:
    """whole: the last window may hang over the edge."""
    if whole:
        missing = [(0, 0), *((0, -(side - kernel) % stride) for side in values.shape[1:])]
        values = np.pad(values, missing, constant_values=-np.inf)
    return sliding_window_view(values, (kernel, kernel), axis=(1, 2))[:, ::stride, ::stride].max((3, 4))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_smallest_picture_is_the_smallest(network: str, folder: Path) -> None:
    model = lpips.load(network, folder)
    side = model.smallest
    assert torch.isfinite(model(torch.rand(1, 3, side, side), torch.rand(1, 3, side, side))).all()
    with pytest.raises(RuntimeError):
        model.features(torch.rand(1, 3, side - 1, side - 1))
    with pytest.raises(ValueError, match=f"{side} pixels"):
        model(torch.rand(1, 3, side - 1, 64), torch.rand(1, 3, side - 1, 64))


@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_reach_the_pictures_and_are_finite_where_nothing_is_seen(
    network: str, folder: Path
) -> None:
    model = lpips.load(network, folder)
    truth, render = pictures()
    render.requires_grad_()
    model(truth, render).sum().backward()
    assert render.grad is not None
    assert render.grad.abs().sum() > 0
    assert not any(value.requires_grad for value in model.parameters())
    with torch.no_grad():
        for value in model.features.parameters():
            value.fill_(-1.0)  # every feature is 0 behind its ReLU
    render.grad = None
    model(truth, render).sum().backward()
    assert torch.isfinite(render.grad).all()


def test_wrong_shapes_are_refused(folder: Path) -> None:
    model = lpips.load("squeeze", folder)
    truth, render = pictures()
    for one, other in ((truth, render[:1]), (truth[0], render[0]), (truth[:, :1], render[:, :1])):
        with pytest.raises(ValueError):
            model(one, other)


@pytest.mark.parametrize("network", NETWORKS)
def test_the_published_heads_load(network: str, data: Path, folder: Path) -> None:
    backbone = folder / lpips.FILES[network].backbone[0]
    heads = data / "weights" / f"lpips_v0.1_{network}.pth"
    model = lpips.read(network, backbone=backbone, heads=heads)
    assert all((head >= 0).all() and head.sum() > 0 for head in model.heads)
    truth, render = pictures()
    assert (model(truth, render) > 0).all()
    with pytest.raises(UserError, match="not made for"):
        lpips.read("vgg" if network == "alex" else "alex", backbone=backbone, heads=heads)


def test_heads_may_be_safetensors(folder: Path, tmp_path: Path) -> None:
    heads = tmp_path / "heads.safetensors"
    safetensors.torch.save_file(torch.load(folder / "lpips_v0.1_alex.pth", weights_only=True), heads)
    backbone = folder / "alexnet.safetensors"
    given = lpips.read("alex", backbone=backbone, heads=heads)
    torch.testing.assert_close(given(*pictures()), lpips.load("alex", folder)(*pictures()), rtol=0, atol=0)


def refused(network: str, folder: Path) -> str:
    with pytest.raises(UserError) as caught:
        lpips.load(network, folder)
    assert caught.value.code == "lpips.missing"
    assert str(folder) in caught.value.sentence
    assert caught.value.hint
    return caught.value.sentence


def test_what_lacks_is_named_with_the_place_that_was_looked_in(folder: Path, tmp_path: Path) -> None:
    both = refused("vgg", tmp_path)
    assert "vgg16.safetensors and lpips_v0.1_vgg.pth" in both
    heads = "lpips_v0.1_vgg.pth"
    (tmp_path / heads).write_bytes((folder / heads).read_bytes())
    assert heads not in refused("vgg", tmp_path)
    assert "alexnet" in refused("alex", tmp_path / "nowhere")


def test_files_that_cannot_be_used_are_named(folder: Path, tmp_path: Path) -> None:
    backbone, heads = tmp_path / "squeezenet1_1.safetensors", tmp_path / "lpips_v0.1_squeeze.pth"
    right = folder / backbone.name
    backbone.write_bytes(right.read_bytes()[:5000])
    heads.write_bytes((folder / heads.name).read_bytes())
    assert "cut short" in refused("squeeze", tmp_path)
    changed(right, backbone, **{"features.0.weight": None})
    assert "features.0.weight" in refused("squeeze", tmp_path)
    changed(right, backbone, **{"features.0.weight": torch.zeros(96, 3, 7, 7)})  # that of release 1.0
    assert "(96, 3, 7, 7)" in refused("squeeze", tmp_path)
    changed(right, backbone, **{"features.0.bias": torch.full((64,), torch.nan)})
    assert "no number" in refused("squeeze", tmp_path)
    backbone.write_bytes(right.read_bytes())
    for wrong in (b"", b"no heads at all", (folder / heads.name).read_bytes()[:300], bytes(2**20 + 1)):
        heads.write_bytes(wrong)
        assert heads.name in refused("squeeze", tmp_path)
    torch.save([1, 2, 3], heads)
    assert "holds no weights" in refused("squeeze", tmp_path)


def test_heads_that_would_run_a_program_do_not(folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    heads = tmp_path / "lpips_v0.1_alex.pth"
    # A pickle that calls open(ran, "w"), in the archive that torch.load takes.
    program = f"cbuiltins\nopen\n(V{ran}\nVw\ntR.".encode()
    with zipfile.ZipFile(heads, "w") as archive:
        archive.writestr("archive/data.pkl", program)
        archive.writestr("archive/version", "3\n")
    (tmp_path / "alexnet.safetensors").write_bytes((folder / "alexnet.safetensors").read_bytes())
    assert heads.name in refused("alex", tmp_path)
    assert not ran.exists()
