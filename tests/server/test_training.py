"""Facts about the optimisation loop and the random numbers of a job."""

import math

import numpy as np
import pytest
import torch
from maquette_server.methods import base
from maquette_server.training import loop, seeds
from maquette_wire import errors


class Task:
    """Counts its steps; its loss turns into NaN where it is told to."""

    def __init__(self, bad: frozenset[int] = frozenset(), times: int = 1) -> None:
        self.value = 0
        self.bad = dict.fromkeys(bad, times)
        self.loss = 0.0
        self.advanced: list[int] = []

    def advance(self, step: int) -> None:
        self.advanced.append(step)
        self.value += 1
        self.loss = 1.0
        if self.bad.get(step, 0) > 0:
            self.bad[step] -= 1
            self.loss = math.nan

    def losses(self) -> dict[str, float]:
        return {"sds": self.loss}

    def state(self) -> base.State:
        return base.State({}, {"value": self.value})

    def rewind(self, state: base.State) -> None:
        self.value = state.values["value"]


def test_every_step_is_yielded_once():
    steps = [s.step for s in loop.optimise(Task(), 0, 7, "paint", None)]
    assert steps == [1, 2, 3, 4, 5, 6, 7]


def test_a_loop_goes_on_where_it_is_told():
    task = Task()
    assert [s.step for s in loop.optimise(task, 5, 7, "paint", None)] == [6, 7]
    assert task.advanced == [5, 6]


def test_a_loss_that_is_not_finite_takes_the_task_back_to_its_good_copy():
    task = Task(frozenset({149}))
    steps = [s.step for s in loop.optimise(task, 0, 200, "paint", None)]
    assert steps.count(150) == 1
    assert steps.count(120) == 2
    assert steps[-1] == 200
    assert task.value == 200


def test_losses_that_never_become_finite_end_in_one_sentence():
    task = Task(frozenset({49}), times=99)
    with pytest.raises(errors.UserError) as caught:
        list(loop.optimise(task, 0, 100, "paint", None))
    assert caught.value.code == "model.bad"


def test_stopping_ends_the_loop_after_the_step():
    steps = loop.optimise(Task(), 0, 100, "paint", None)
    next(steps)
    with pytest.raises(StopIteration) as stopped:
        steps.send(True)
    assert stopped.value.value == 1


def test_a_new_consumer_does_not_shift_the_others():
    assert seeds.generator(7, "camera").random() == seeds.generator(7, "camera").random()
    assert seeds.generator(7, "camera").random() != seeds.generator(7, "noise").random()
    assert seeds.generator(7, "camera").random() != seeds.generator(8, "camera").random()


def test_a_generator_goes_on_from_its_saved_state():
    first = seeds.generator(1, "x")
    first.integers(0, 10, 5)
    saved = seeds.state_of(first)
    expected = first.random(10)
    second = seeds.generator(2, "y")
    seeds.restore(second, saved)
    np.testing.assert_array_equal(second.random(10), expected)


def test_torch_generators_differ_by_name_and_seed():
    def draw(seed: int, name: str) -> torch.Tensor:
        return torch.randn(4, generator=seeds.torch_generator(seed, name, torch.device("cpu")))

    assert torch.equal(draw(1, "a"), draw(1, "a"))
    assert not torch.equal(draw(1, "a"), draw(1, "b"))
    assert not torch.equal(draw(1, "a"), draw(2, "a"))


def test_a_checkpoint_never_keeps_a_state_that_is_not_finite():
    task = Task(frozenset({60}))
    kept = [(s.step, s.state().values["value"]) for s in loop.optimise(task, 0, 62, "paint", None)]
    assert dict(kept)[61] == 50  # the good copy; the newest losses are NaN
    assert dict(kept)[62] == 62
