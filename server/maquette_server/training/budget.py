"""How long a training goes on: steps, or seconds."""

import time


class Budget:
    """How long to go on: steps, or seconds of optimisation (those before a pause included)."""

    def __init__(self, steps: int | None, seconds: float | None, spent: float = 0.0) -> None:
        self._steps, self._seconds, self.spent = steps, seconds, spent
        self._began: float | None = None

    def so_far(self) -> float:
        """Seconds that count until now."""
        return self.spent + (time.monotonic() - self._began if self._began is not None else 0.0)

    def begin(self) -> None:
        """Time counts from here."""
        self._began = time.monotonic()

    def hold(self) -> None:
        """Time does not count until `begin`."""
        self.spent, self._began = self.so_far(), None

    def share(self, step: int) -> float:
        """How much of it is over, 0..1."""
        if self._steps is not None:
            return min(1.0, step / self._steps)
        assert self._seconds is not None
        return min(1.0, self.so_far() / self._seconds)

    def total(self, step: int) -> int:
        """How many steps there will be in all, as far as one can say after `step` of them."""
        if self._steps is not None:
            return self._steps
        share = self.share(step)
        if share >= 1:
            return step
        return max(step + 1, round(step / share) if share > 0 else step + 1)
