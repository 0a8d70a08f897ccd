"""The Sketch-Shape loss against numbers worked out by hand, and what its gradient does."""

import math

import pytest
import torch
from maquette_server.geometry import sketch_volume
from maquette_server.training import sketch_shape
from shapes import box


def test_terms_are_those_of_the_paper_on_four_samples() -> None:
    densities = torch.tensor([2.0, 0.5, 20.0, 0.0])
    inside = torch.tensor([True, False, False, True])
    weights = sketch_shape.weights_of(torch.tensor([0.1, 0.4, 0.3, 0.02]), 0.3)
    found = sketch_shape.terms(densities, inside, weights)
    assert found.tolist() == pytest.approx([0.166999, 0.263429, 1.778878, 0.010222], abs=1e-5)
    assert float(found.sum()) == pytest.approx(2.219528, abs=1e-5)


def test_weights_grow_with_the_square_of_the_distance_first() -> None:
    distances = torch.tensor([0.05, 0.1, 0.2, 0.3, 0.5, 1.0])
    expected = [0.013793, 0.054041, 0.199263, 0.393469, 0.750648, 0.996134]
    assert sketch_shape.weights_of(distances, 0.3).tolist() == pytest.approx(expected, abs=1e-6)
    assert sketch_shape.weights_of(distances, 0.0).tolist() == [1.0] * 6


def test_the_loss_is_linear_in_alpha_so_only_alpha_has_a_gradient() -> None:
    densities = torch.tensor([2.0, 2.0], requires_grad=True)
    inside = torch.tensor([True, False])
    weights = sketch_shape.weights_of(torch.tensor([0.1, 0.1]), 0.3)
    sketch_shape.terms(densities, inside, weights).sum().backward()
    assert densities.grad is not None
    assert densities.grad.tolist() == pytest.approx([-0.0332911, 0.0332911], abs=1e-6)
    slope = math.log(99) * float(weights[0]) * 0.2 * math.exp(-0.4)
    assert densities.grad.tolist() == pytest.approx([-slope, slope], abs=1e-6)


def test_strength_scales_a_part_and_a_lock_holds_it_to_its_surface() -> None:
    parts = [
        sketch_volume.Part(*box((-0.5, 0, 0), 0.3), strength=0.5, lock=False),
        sketch_volume.Part(*box((0.5, 0, 0), 0.3), strength=1.0, lock=True),
    ]
    volume = _drained(sketch_volume.sampled(parts, 48))
    shape = sketch_shape.SketchShape(volume, 0.3, torch.device("cpu"))
    points = torch.tensor([[-0.5, 0, 0], [0.5, 0, 0], [-0.22, 0, 0], [0.22, 0, 0]]) / 2 + 0.5
    losses = [float(shape.loss(point[None], torch.zeros(1))) for point in points]
    soft = float(sketch_shape.weights_of(torch.tensor(0.3), 0.3))
    full = -math.log(0.01)
    assert losses[0] == pytest.approx(0.5 * soft * full, rel=0.2)
    assert losses[1] == pytest.approx(full, rel=1e-4)
    assert losses[2] == pytest.approx(
        0.5 * float(sketch_shape.weights_of(torch.tensor(0.02), 0.3)) * full, rel=0.2
    )
    assert losses[3] == pytest.approx(full, rel=1e-4)


@pytest.mark.parametrize("softness", [0.3, 0.0])
def test_compiled_loss_and_gradient_are_those_of_plain_torch(softness: float) -> None:
    parts = [
        sketch_volume.Part(*box((-0.5, 0.1, 0), 0.3), strength=0.5, lock=False),
        sketch_volume.Part(*box((0.5, 0, -0.2), 0.3), strength=1.0, lock=True),
    ]
    shape = sketch_shape.SketchShape(
        _drained(sketch_volume.sampled(parts, 32)), softness, torch.device("cpu")
    )
    random = torch.Generator().manual_seed(0)
    points = torch.cat([torch.rand(2000, 3, generator=random), torch.zeros(1, 3), torch.ones(1, 3)])
    found = []
    for loss in (shape.loss, shape.plain_loss):
        densities = (5 * torch.rand(len(points), generator=torch.Generator().manual_seed(1))).requires_grad_()
        value = loss(points, densities)
        (3 * value).backward()
        found.append((value.detach(), densities.grad))
    # the kernel has distances in steps of 1/8192
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(found[0][1], found[1][1], rtol=1e-3, atol=1e-7)


def _drained(work):  # type: ignore[no-untyped-def]
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
