"""The order in which jobs are done: first come, first served, unless somebody moves one.

A paused or running job keeps its place, so that it goes on before those that came later.
"""

from collections.abc import Iterable, Iterator


class Queue:
    """Ids of unfinished jobs, the next one first."""

    def __init__(self, job_ids: Iterable[str] = ()) -> None:
        self._order = list(job_ids)

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._order))

    def __len__(self) -> int:
        return len(self._order)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._order

    def add(self, job_id: str) -> None:
        """Puts a job at the end; one that is in the queue keeps its place."""
        if job_id not in self._order:
            self._order.append(job_id)

    def remove(self, job_id: str) -> None:
        """Takes a job out, if it is in."""
        if job_id in self._order:
            self._order.remove(job_id)

    def move(self, job_id: str, position: int) -> None:
        """Puts a job at the position, 0 first; beyond the end means last. Raises ValueError when it is not
        in.
        """
        self._order.remove(job_id)
        self._order.insert(position, job_id)
