"""The cases of a check, shared among threads: torch lets go of Python while it computes."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from . import parts
from .kit import Kit

_CHUNK = 8  # prompts at once, four pictures each


def measured(
    kit: Kit, asked: Mapping[str, Sequence[str]], workers: int
) -> Iterator[tuple[str, dict[str, list[Any]]]]:
    """Part by part in the order asked, what was found in each few of its cases."""
    pieces = [
        (name, cases[first : first + _CHUNK])
        for name, cases in asked.items()
        for first in range(0, len(cases), _CHUNK)
    ]
    own = threading.local()

    def load() -> None:
        own.kit = replace(kit)  # a pipeline remembers where its sampling is: one a thread

    def piece(name: str, cases: Sequence[str]) -> dict[str, list[Any]]:
        return parts.measure(name, own.kit, cases)

    if workers == 1:
        for name, cases in pieces:
            yield name, parts.measure(name, kit, cases)
        return
    with ThreadPoolExecutor(workers, initializer=load) as pool:
        waiting = [(name, pool.submit(piece, name, cases)) for name, cases in pieces]
        try:
            for name, future in waiting:
                yield name, future.result()
        finally:
            pool.shutdown(cancel_futures=True)
