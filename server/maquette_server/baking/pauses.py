"""Long work as a generator that yields None now and then, so that whoever waits for it can give it up."""

from collections.abc import Generator
from typing import TypeVar

T = TypeVar("T")
Pausing = Generator[None, None, T]


def drained(work: Pausing[T]) -> T:
    """What the work comes to, without a pause."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            result: T = end.value
            return result
