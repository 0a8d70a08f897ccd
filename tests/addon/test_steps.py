"""Long work in short steps."""

import hashlib
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from blender_addon import png, steps


def count_to(number: int) -> steps.Steps[str]:
    for _ in range(number):
        yield 2
    return "done"


def test_work_takes_one_step_when_there_is_no_time_and_all_when_there_is() -> None:
    work = steps.Work(count_to(3), 6)
    assert not work.advance(0.0)
    assert (work.done, work.finished, work.result) == (2, False, None)
    assert work.advance(time.monotonic() + 60)
    assert (work.done, work.finished, work.result) == (6, True, "done")


def test_what_a_step_raises_is_raised() -> None:
    def broken() -> steps.Steps[None]:
        yield 1
        raise KeyError("x")

    with pytest.raises(KeyError):
        steps.Work(broken(), 1).advance(time.monotonic() + 60)


def test_work_that_is_closed_takes_back_what_it_began() -> None:
    happened = []

    def begun() -> steps.Steps[None]:
        try:
            yield from count_to(3)
        finally:
            happened.append("taken back")

    work = steps.Work(begun(), 6)
    work.advance(0.0)
    work.close()
    assert (work.advance(time.monotonic() + 60), work.result, happened) == (True, None, ["taken back"])


@given(some.integers(0, 50), some.integers(1, 9))
def test_ranges_cover_everything_once(count: int, size: int) -> None:
    found = list(steps.ranges(count, size))
    assert [number for begin, end in found for number in range(begin, end)] == list(range(count))
    assert all(end - begin <= size for begin, end in found)


def test_no_more_than_the_limit_is_hashed_in_one_step() -> None:
    data = bytes(2 * steps.BYTES + 7)
    total = hashlib.sha256()
    assert list(steps.hashed(total, memoryview(data))) == [steps.BYTES, steps.BYTES, 7]
    assert total.digest() == hashlib.sha256(data).digest()


def test_no_more_than_the_limit_is_encoded_in_one_step() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (700, 1000, 4), dtype=np.uint8)
    asked = []

    def rows(begin: int, end: int) -> np.ndarray:
        asked.append((end - begin) * 4000)
        return picture[begin:end]

    assert steps.at_once(png.encode_steps(1000, 700, rows)) == png.encode(picture)
    assert max(asked) <= png.ENCODED
