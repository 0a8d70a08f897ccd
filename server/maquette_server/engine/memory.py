"""Host memory of front and worker: the sum of their proportional set sizes, sampled while a job runs.

PSS counts a page that two processes share half in each, so the sum counts it once. Where the system does not
tell it (not Linux), the resident set size is taken.

The system walks every page to tell the PSS: at ten samples a second that is a third of a core for two
processes of half a gigabyte. The resident set size costs nothing and is never less; so the PSS is asked for
only when that has grown by a hundredth beyond the highest seen.
"""

import time

import psutil

SPACING = 0.1  # s
_GROWN = 1.01  # times the highest resident size seen, from which on the PSS may have a new peak


class Sampler:
    """The peak of one job so far, in megabytes."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._front = psutil.Process()
        self._worker: psutil.Process | None = None
        self._next = 0.0
        self._most_resident = 0.0

    def watch(self, pid: int) -> None:
        """From now on this is the worker."""
        try:
            self._worker = psutil.Process(pid)
        except psutil.NoSuchProcess:
            self._worker = None

    def sample(self) -> None:
        """Takes a sample if one is due."""
        now = time.monotonic()
        if now < self._next or self._worker is None:
            return
        self._next = now + SPACING
        try:
            processes = (self._front, self._worker)
            resident = sum(process.memory_info().rss for process in processes)
            if resident <= _GROWN * self._most_resident:
                return
            self._most_resident = resident
            size = sum(map(_size, processes))
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return
        self.peak_mb = max(self.peak_mb, size / 2**20)


def _size(process: psutil.Process) -> int:
    if psutil.LINUX:
        return int(process.memory_full_info().pss)
    return int(process.memory_info().rss)
