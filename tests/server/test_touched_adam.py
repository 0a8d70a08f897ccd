"""Adam that leaves alone what a step did not touch."""

import pytest
import torch
from maquette_server.training.touched_adam import TouchedAdam

BETAS = (0.9, 0.99)


def gradients(steps: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(7, 2, generator=generator) for _ in range(steps)]


def table(device: str = "cpu") -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.linspace(-1, 1, 14, device=device).view(7, 2))


def advance(optimiser: TouchedAdam, gradient: torch.Tensor, rate: float = 0.01) -> None:
    optimiser.table.grad = gradient.clone().to(optimiser.table.device)
    optimiser.step(rate)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_it_is_adam_when_everything_is_touched(device: str) -> None:
    ours, theirs = TouchedAdam(table(device), BETAS), table()
    adam = torch.optim.Adam([theirs], lr=0.01, betas=BETAS, eps=1e-15)
    for number, gradient in enumerate(gradients(20)):
        rate = 0.01 * 0.9**number
        advance(ours, gradient, rate)
        theirs.grad = gradient.clone()
        adam.param_groups[0]["lr"] = rate
        adam.step()
    torch.testing.assert_close(ours.table.detach().cpu(), theirs.detach(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_rows_that_are_not_touched_stay_with_their_moments(device: str) -> None:
    ours = TouchedAdam(table(device), BETAS)
    first, second = gradients(2)
    advance(ours, first)
    before = {name: value.clone() for name, value in (ours.state() | {"table": ours.table.detach()}).items()}
    second[2:5] = 0
    advance(ours, second)
    after = ours.state() | {"table": ours.table.detach()}
    for name in ("table", "first", "second"):
        assert torch.equal(after[name][2:5], before[name][2:5]), name
        assert bool((after[name][[0, 1, 5, 6]] != before[name][[0, 1, 5, 6]]).all()), name


def test_single_numbers_of_a_row_stay_too() -> None:
    ours = TouchedAdam(table(), BETAS)
    gradient = gradients(1)[0]
    gradient[3, 1] = 0
    advance(ours, gradient)
    moved = ours.table.detach() != table().detach()
    assert bool((moved == (gradient != 0)).all())


def test_a_step_without_a_gradient_is_none_and_a_gradient_is_used_once() -> None:
    ours = TouchedAdam(table(), BETAS)
    ours.step(0.1)
    assert ours.steps == 0
    advance(ours, gradients(1)[0])
    assert ours.table.grad is None
    assert ours.steps == 1


def test_the_first_step_is_as_long_as_the_rate() -> None:
    ours = TouchedAdam(table(), BETAS)
    advance(ours, gradients(1)[0] * 1e-12, rate=0.03)
    change = ours.table.detach() - table().detach()
    torch.testing.assert_close(change.abs(), torch.full((7, 2), 0.03), rtol=1e-2, atol=0)


def test_it_goes_on_from_a_state_bit_for_bit() -> None:
    steps = gradients(6)
    whole, half = TouchedAdam(table(), BETAS), TouchedAdam(table(), BETAS)
    for gradient in steps[:3]:
        advance(whole, gradient)
        advance(half, gradient)
    state, weights = half.state(), half.table.detach().clone()
    advance(half, steps[5])  # what was taken must be a copy
    resumed = TouchedAdam(torch.nn.Parameter(weights), BETAS)
    resumed.restore(state)
    for gradient in steps[3:]:
        advance(whole, gradient)
        advance(resumed, gradient)
    assert torch.equal(whole.table, resumed.table)
    assert all(torch.equal(value, resumed.state()[name]) for name, value in whole.state().items())
