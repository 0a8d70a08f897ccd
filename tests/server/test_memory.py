"""Facts about the sampling of memory."""

import types

import psutil
import pytest
from maquette_server.engine import memory


class Process:
    """A process whose sizes are told, in megabytes."""

    def __init__(self) -> None:
        self.resident = self.shared_out = 0
        self.asked = 0

    def memory_info(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(rss=self.resident << 20)

    def memory_full_info(self) -> types.SimpleNamespace:
        self.asked += 1
        return types.SimpleNamespace(pss=(self.resident - self.shared_out) << 20, rss=self.resident << 20)


@pytest.mark.skipif(not psutil.LINUX, reason="other systems do not tell the proportional set size")
def test_the_peak_is_that_of_the_proportional_sizes_and_is_asked_for_only_when_something_grew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = [Process(), Process()]
    for process in made:
        process.resident, process.shared_out = 100, 10
    given = iter(made)
    monkeypatch.setattr(memory.psutil, "Process", lambda *pid: next(given))
    monkeypatch.setattr(memory, "SPACING", 0.0)
    sampler = memory.Sampler()
    sampler.sample()
    assert sampler.peak_mb == 0, "nothing is watched yet"
    sampler.watch(1)
    for _ in range(5):
        sampler.sample()
    assert sampler.peak_mb == 180
    assert made[1].asked == 1
    made[1].resident = 300
    sampler.sample()
    made[1].resident = 50
    sampler.sample()
    assert sampler.peak_mb == 380
    assert made[1].asked == 2
