"""How Maquette is measured, so that a figure can be believed and repeated.

A *pair* is one run of each of two things, taken turn about in the same process (or as whole processes), so
that whatever slows the machine slows both. The figure is the median over pairs of the ratio within a pair;
beside it stand the quartiles. *Foreign* load is processor time that neither this process nor its children
used; a run with more than `FOREIGN_LIMIT` of it per core is marked, or refused with `--quiet-only`.

More than two things are taken turn about as well (`turns`). Results are one JSON file a benchmark in
`benchmarks/results/`; `page` and `plots` write and draw them.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
FOREIGN_LIMIT = 0.25  # cores per core; a quarter of the machine moves medians by more than what is looked for
SETTLE_SECONDS = 2.0


@dataclass(frozen=True)
class Figure:
    """One measured number; `low` and `high` are the quartiles. `goal`, if there is one, is an upper bound,
    or with `least` a lower one.
    """

    name: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    samples: int = 1
    goal: float | None = None
    note: str = ""
    least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the goal is kept; None without a goal."""
        if self.goal is None:
            return None
        return self.value >= self.goal if self.least else self.value <= self.goal


@dataclass(frozen=True)
class Point:
    """The median of what was measured at one size, with its quartiles."""

    x: float
    value: float
    low: float
    high: float
    samples: int


@dataclass(frozen=True)
class Line:
    """One thing at several sizes. A *floor* is what cannot be had for less; it is drawn dashed."""

    name: str
    points: tuple[Point, ...]
    floor: bool = False


@dataclass(frozen=True)
class Series:
    """Figures against a size, drawn as one plot; `x` and `y` say what is along the axes."""

    name: str
    x: str
    y: str
    unit: str
    lines: tuple[Line, ...]


class Curves:
    """A `Series` in the making: values are added size by size."""

    def __init__(self, name: str, x: str, y: str, unit: str) -> None:
        self._about = (name, x, y, unit)
        self._points: dict[tuple[str, bool], list[Point]] = {}

    def add(self, line: str, x: float, values: Sequence[float], *, floor: bool = False) -> None:
        """The values that were measured of a line at size `x`."""
        low, middle, high = quartiles(values)
        self._points.setdefault((line, floor), []).append(Point(x, middle, low, high, len(values)))

    def series(self) -> Series:
        """What was added so far."""
        lines = (Line(name, tuple(points), floor) for (name, floor), points in self._points.items())
        return Series(*self._about, tuple(lines))


class Lacking(Exception):
    """Something that a benchmark needs is not here and cannot be had."""


class Busy(Exception):
    """Others use the machine too much for a figure to mean anything."""


def seconds(action: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def pairs(
    first: Callable[[], object], second: Callable[[], object], count: int, warm: int = 1
) -> list[tuple[float, float]]:
    """Seconds of `first` and `second`, taken turn about `count` times; which comes first alternates too.

    `warm` pairs are run before and thrown away.
    """
    taken = []
    for number in range(-warm, count):
        if number % 2:
            after = seconds(second)
            before = seconds(first)
        else:
            before = seconds(first)
            after = seconds(second)
        if number >= 0:
            taken.append((before, after))
    return taken


def turns(actions: Mapping[str, Callable[[], object]], count: int, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of every action by name, all of them taken turn about `count` times; who begins goes round.

    `warm` rounds are run before and thrown away.
    """
    taken: dict[str, list[float]] = {name: [] for name in actions}
    names = list(actions)
    for number in range(-warm, count):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            spent = seconds(actions[name])
            if number >= 0:
                taken[name].append(spent)
    return taken


def median(
    name: str, unit: str, values: Sequence[float], goal: float | None = None, note: str = ""
) -> Figure:
    """The median of the values with its quartiles."""
    low, middle, high = quartiles(values)
    return Figure(name, middle, unit, low, high, len(values), goal, note)


def ratio(
    name: str, taken: Sequence[tuple[float, float]], goal: float | None = None, note: str = ""
) -> Figure:
    """The median over pairs of first divided by second."""
    return median(name, "x", [first / second for first, second in taken], goal, note)


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Lower quartile, median, upper quartile."""
    if len(values) < 2:
        return values[0], values[0], values[0]
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def machine() -> dict[str, Any]:
    """The machine in general terms: nothing that names it."""
    flags = psutil.LINUX and Path("/proc/cpuinfo").read_text(encoding="utf-8")
    vectors = [name for name in ("avx512f", "avx2", "avx") if flags and f" {name} " in flags]
    torch = sys.modules.get("torch")
    cuda = torch is not None and torch.cuda.is_available()
    return ({"device": torch.cuda.get_device_name()} if torch and cuda else {}) | {
        "cores": psutil.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30),
        "processor": " ".join([platform.machine(), *vectors[:1]]),
        "system": platform.system(),
        "python": platform.python_version(),
        "torch": importlib.metadata.version("torch"),
    }


class Watch:
    """What others do to the machine around a benchmark: load averages, and foreign cores per core."""

    def __enter__(self) -> Self:
        before = psutil.cpu_times()
        time.sleep(SETTLE_SECONDS)
        self.idle_foreign = _busy_seconds(before) / SETTLE_SECONDS / _cores()
        self.load_before = os.getloadavg()[0]
        self._times, self._own, self._start = psutil.cpu_times(), _own_seconds(), time.monotonic()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._start
        foreign = _busy_seconds(self._times) - (_own_seconds() - self._own)
        self.during_foreign = max(0.0, foreign) / self.seconds / _cores()
        self.load_after = os.getloadavg()[0]

    @property
    def busy(self) -> bool:
        """Whether others used more than the limit."""
        return max(self.idle_foreign, self.during_foreign) > FOREIGN_LIMIT

    def record(self) -> dict[str, Any]:
        """What goes beside the figures."""
        return {
            "load_before": round(self.load_before, 2),
            "load_after": round(self.load_after, 2),
            "foreign_before": round(self.idle_foreign, 3),
            "foreign_during": round(self.during_foreign, 3),
            "busy": self.busy,
            "seconds": round(self.seconds, 1),
        }


def _cores() -> int:
    return psutil.cpu_count() or 1


def _busy_seconds(since: Any) -> float:
    """Processor seconds that were not idle since then, all cores together, stolen time included."""
    now = psutil.cpu_times()
    idle = {"idle", "iowait", "guest", "guest_nice"}  # guest time is counted in user time already
    return sum(getattr(now, name) - getattr(since, name) for name in now._fields if name not in idle)


def _own_seconds() -> float:
    """Processor seconds of this process, of its finished children and of those that run now."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    total = sum(usage.ru_utime + usage.ru_stime for usage in used)
    for child in psutil.Process().children(recursive=True):
        try:
            times = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it ended meanwhile; its parent has its time
        total += times.user + times.system
        total += times.children_user + times.children_system
    return total


def measure(
    name: str,
    title: str,
    run: Callable[[], Sequence[Figure | Series]],
    *,
    quiet_only: bool,
    results: Path = RESULTS,
) -> dict[str, Any]:
    """Runs one benchmark under a watch and writes its JSON file. Raises Busy as `quiet_only` demands."""
    with Watch() as watch:
        if quiet_only and watch.idle_foreign > FOREIGN_LIMIT:
            raise Busy(f"others use {watch.idle_foreign:.0%} of the machine")
        found = run()
    if quiet_only and watch.busy:
        raise Busy(f"others used {watch.during_foreign:.0%} of the machine during {name}")
    record = {
        "name": name,
        "title": title,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": machine(),
        "load": watch.record(),
        "figures": [asdict(figure) for figure in found if isinstance(figure, Figure)],
        "series": [asdict(series) for series in found if isinstance(series, Series)],
    }
    if found:
        results.mkdir(parents=True, exist_ok=True)
        (results / f"{name}.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return record


def data_folder() -> Path:
    """Where real data is looked for: MAQUETTE_TEST_DATA, else `shared/data` beside the repository."""
    return Path(os.environ.get("MAQUETTE_TEST_DATA") or ROOT.parent / "shared" / "data")
