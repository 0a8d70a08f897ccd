"""Freeing the models that idle workers hold: asked of each, told when the last has answered."""

from collections.abc import Callable, Container

from . import executor
from . import worker_messages as wire


class _Release:
    """A release that waits for workers."""

    def __init__(self, done: Callable[[float], None], waiting: set[executor.Worker]) -> None:
        self.done, self.waiting, self.freed_mb = done, waiting, 0.0


class Releases:
    """All releases on their way."""

    def __init__(self, workers: executor.Executor) -> None:
        self._executor = workers
        self._waiting: list[_Release] = []

    @property
    def busy(self) -> bool:
        """True while a worker has not answered."""
        return bool(self._waiting)

    def ask(self, done: Callable[[float], None], busy: Container[executor.Worker]) -> None:
        """Frees the models of workers that are not busy, then calls `done(freed MB)`."""
        free = [worker for worker in self._executor.workers if worker not in busy]
        idle = [worker for worker in free if worker.process and not worker.doomed]
        if not idle:
            done(0.0)
            return
        self._waiting.append(_Release(done, set(idle)))
        for worker in idle:
            self._executor.send(worker, wire.Free())

    def freed(self, worker: executor.Worker, freed_mb: float) -> None:
        """A worker has answered, or has ended."""
        for release in [one for one in self._waiting if worker in one.waiting]:
            release.waiting.discard(worker)
            release.freed_mb += freed_mb
            if not release.waiting:
                self._waiting.remove(release)
                release.done(release.freed_mb)
