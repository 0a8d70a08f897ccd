"""Facts about the optimisation loop's way back."""

import math
from collections.abc import Mapping

from maquette_server.methods.base import State
from maquette_server.training import loop


class Counting:
    """A task whose loss is not a number after some of its steps."""

    def __init__(self, bad: set[int]) -> None:
        self.value, self._bad, self.rewound = 0, bad, 0

    def advance(self, step: int) -> None:
        self.value += 1

    def losses(self) -> Mapping[str, float]:
        return {"loss": math.nan if self.value in self._bad else 1.0}

    def state(self) -> State:
        return State({}, {"value": float(self.value)})

    def rewind(self, state: State) -> None:
        self.value, self.rewound = int(state.values["value"]), self.rewound + 1
        self._bad = set()


def ended(task: Counting, total: int, stop_at: int | None = None) -> int:
    run = loop.optimise(task, 0, lambda step: total, "learn", None)
    step = next(run)
    try:
        while True:
            step = run.send(step.step == stop_at)
    except StopIteration as end:
        found: int = end.value
        return found


def test_steps_without_trouble_are_all_done() -> None:
    task = Counting(set())
    assert (ended(task, 70), task.value, task.rewound) == (70, 70, 0)


def test_trouble_goes_back_to_the_last_good_copy_and_on() -> None:
    task = Counting({100})
    assert (ended(task, 120), task.value, task.rewound) == (120, 120, 1)


def test_what_is_stopped_in_trouble_ends_with_the_last_good_copy() -> None:
    task = Counting({73})
    assert (ended(task, 500, stop_at=73), task.value, task.rewound) == (50, 50, 1)


def test_what_ends_early_in_trouble_ends_with_the_last_good_copy() -> None:
    """As with seconds: how many steps there are is known only when they are over."""
    task = Counting({73})
    run = loop.optimise(task, 0, lambda step: 73 if step == 73 else 1000, "learn", None)
    *_, last = run
    assert last.step == 73
    assert (task.value, task.rewound) == (50, 1)
