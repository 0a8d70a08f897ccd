"""One deadline for a whole run, which every part of it honours."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from benchmarks import frame


class TimeUp(BaseException):
    """The deadline has come in the middle of something; nothing there may take it for its own failure."""


class Clock:
    """Counts from its making to a deadline."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until the deadline, 0 after it."""
        return max(0.0, self._end - time.monotonic())

    def turns(self, actions: Mapping[str, Callable[[], object]], count: int) -> dict[str, list[float]]:
        """Seconds of the actions, turn about, `count` times or as often as there is time: once at least."""
        taken = frame.turns(actions, 1)
        while len(next(iter(taken.values()))) < count and self.left > 0:
            actions = dict(reversed(actions.items()))
            for name, values in frame.turns(actions, 1, warm=0).items():
                taken[name] += values
        return taken

    @contextmanager
    def alarm(self) -> Iterator[None]:
        """Raises TimeUp inside at the deadline, where the system has timers (not on Windows)."""
        if not hasattr(signal, "setitimer"):
            yield
            return

        def ring(number: int, at: FrameType | None) -> None:
            raise TimeUp

        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, max(self.left, 0.001))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
