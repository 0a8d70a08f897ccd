"""Time that was worked: by stage, and how much is left. What the engine does between two steps does not
count.
"""

import statistics
import time
from collections import deque

WARM_UP = 2  # steps after a start or a change of stage that tell nothing about the next
REMEMBERED = 20  # steps the guess is made from


class WorkClock:
    """Runs while the method runs. `seconds` and `stages` are what earlier attempts have worked."""

    def __init__(self, seconds: float = 0.0, stages: dict[str, float] | None = None) -> None:
        self._seconds = seconds
        self._stages = dict(stages or {})
        self._stage = "prepare"
        self._since: float | None = None

    def run(self) -> None:
        """From now on time counts."""
        self._since = time.monotonic()

    def hold(self) -> float:
        """From now on time does not count; returns the seconds since `run`."""
        began = self._since
        assert began is not None
        self._count()
        self._since = None
        return time.monotonic() - began

    def stage(self, name: str) -> None:
        """From now on time counts for this stage."""
        self._count()
        self._stage = name

    @property
    def seconds(self) -> float:
        """Worked on the job so far."""
        self._count()
        return self._seconds

    @property
    def stages(self) -> dict[str, float]:
        """The same by stage."""
        self._count()
        return dict(self._stages)

    def _count(self) -> None:
        if self._since is not None:
            now = time.monotonic()
            self._seconds += now - self._since
            self._stages[self._stage] = self._stages.get(self._stage, 0.0) + now - self._since
            self._since = now


class Forecast:
    """Seconds left, from the median of the last steps."""

    def __init__(self) -> None:
        self._stage: str | None = None
        self._skip = 0
        self._steps: deque[float] = deque(maxlen=REMEMBERED)

    def stepped(self, stage: str, seconds: float) -> None:
        """A step of that stage took so long."""
        if stage != self._stage:
            self._stage, self._skip = stage, WARM_UP
            self._steps.clear()
        if self._skip:
            self._skip -= 1
        else:
            self._steps.append(seconds)

    def left(self, steps: int) -> float | None:
        """Seconds that so many more steps will take; None while that cannot be known."""
        return statistics.median(self._steps) * max(steps, 0) if self._steps else None
