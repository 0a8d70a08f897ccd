"""Runs of the `maquette` command as a user makes them: their time and memory, and what they report."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

SAMPLE_SECONDS = 0.1  # between two looks at the memory


@dataclass(frozen=True)
class Ran:
    """One run, its process started anew."""

    seconds: float
    peak: int  # bytes of all its processes, shared pages counted by share
    report: dict[str, Any]  # its report.json


def ran(out: Path, *words: object, every: float = SAMPLE_SECONDS) -> Ran:
    """Runs `maquette WORDS --out OUT`; its memory is looked at `every` so many seconds. Raises RuntimeError
    when it fails.
    """
    command = [sys.executable, "-m", "maquette_server.cli", *map(str, words), "--out", str(out), "--json"]
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)
        peak = 0
        while process.poll() is None:
            peak = max(peak, memory_of(process.pid))
            time.sleep(every)
        wall = time.perf_counter() - start
        said.seek(0)
        errors = said.read().decode(errors="replace")
    if process.returncode:
        raise RuntimeError(f"maquette {words[0]} ended with {process.returncode}: {errors.strip()}")
    return Ran(wall, peak, json.loads((out / "report.json").read_text(encoding="utf-8")))


def together(folder: Path, jobs: dict[str, Sequence[object]]) -> dict[str, dict[str, Any]]:
    """The reports of jobs by name, in folders of these names; as many at a time as the machine has cores.

    Their times say nothing.
    """

    def one(name: str) -> dict[str, Any]:
        found = ran(folder / name, *jobs[name], "--overwrite", every=1.0).report
        print(f"  {name}: {found['seconds']['total']:.0f} s", flush=True)
        return found

    with ThreadPoolExecutor(psutil.cpu_count() or 1) as pool:
        return dict(zip(jobs, pool.map(one, jobs), strict=True))


def memory_of(pid: int) -> int:
    """Bytes of a process and its descendants, shared pages counted by share."""
    total = 0
    try:
        family = [root := psutil.Process(pid), *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue  # ended between the listing and the look
    return total
