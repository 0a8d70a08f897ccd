"""Long work in short steps, so that Blender is held for a moment at a time. No bpy.

A *step* is what a generator does between two yields: at most `FACES` faces or `BYTES` bytes, some
milliseconds. It yields how much it has done, in bytes; its return value is the result.
"""

import time
from collections.abc import Generator, Iterator
from typing import Any, Generic, TypeVar

FACES = 4096  # faces in one step of numpy: 2 to 3 ms
BYTES = 1024 * 1024  # bytes that are hashed in one step: 2 to 3 ms

Result = TypeVar("Result")
Steps = Generator[int, None, Result]


def hashed(total: Any, data: memoryview) -> Iterator[int]:
    """Feeds the bytes to a hash of hashlib, a step at a time."""
    for start in range(0, len(data), BYTES):
        part = data[start : start + BYTES]
        total.update(part)
        yield len(part)


def ranges(count: int, size: int = FACES) -> Iterator[tuple[int, int]]:
    """Begin and end of one step after the other, until `count`."""
    for begin in range(0, count, size):
        yield begin, min(begin + size, count)


def at_once(steps: Steps[Result]) -> Result:
    """The result, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


def quietly(work: Steps[Result]) -> Steps[Result]:
    """The same steps, which do not count: what they are part of does."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
        yield 0


class Work(Generic[Result]):
    """Steps that are taken when there is time. `total` is about what they yield in all."""

    def __init__(self, steps: Steps[Result], total: int) -> None:
        self._steps = steps
        self.total = max(total, 1)
        self.done = 0
        self.finished = False
        self.result: Result | None = None

    def advance(self, until: float) -> bool:
        """Takes steps until that time of `time.monotonic`, one at least; True when all are done.

        Raises what a step raises; the work is over then.
        """
        while not self.finished:
            try:
                self.done += next(self._steps)
            except StopIteration as end:
                self.result, self.finished = end.value, True
            if time.monotonic() >= until:
                break
        return self.finished

    def close(self) -> None:
        """Gives up the rest: the generator is closed, so that its `finally` takes back what it began."""
        self._steps.close()
        self.finished = True
