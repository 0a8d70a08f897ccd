"""Worker processes: one a device, started when first needed, talked to over pipes.

A thread for each worker reads its messages into one queue and wakes the front: on Windows a pipe cannot be
waited for in any other way. Everything else happens in the front's own thread.
"""

import ctypes
import logging
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from maquette_wire.errors import UserError

from . import worker_messages as wire

log = logging.getLogger(__name__)

LOG = "worker.log"
LOG_SIZE = 8 * 2**20  # bytes of a worker's log before a new one is begun


@dataclass(eq=False)
class Worker:
    """A device and, when it was needed already, the process that owns it."""

    device: str
    folder: Path
    """its own folder: log and pictures"""
    process: "subprocess.Popen[bytes] | None" = None
    doomed: bool = False
    """killed by us, and not gone yet: nothing is given to it"""


@dataclass(frozen=True)
class Said:
    """A message of a worker, or None with the exit status when the process has ended."""

    worker: Worker
    message: wire.WorkerMessage | None
    status: int = 0


class Executor:
    """The workers. `wake` is called from their threads."""

    def __init__(self, folder: Path, devices: Sequence[str], threads: int, wake: Callable[[], None]) -> None:
        self._threads = threads
        self._wake = wake
        self.said: queue.SimpleQueue[Said] = queue.SimpleQueue()
        self.workers = [
            Worker(device, folder / device.replace(":", "-"))
            for device in dict.fromkeys(map(_device, devices))
        ]
        for worker in self.workers:
            worker.folder.mkdir(parents=True, exist_ok=True)

    def send(self, worker: Worker, message: wire.FrontMessage) -> None:
        """Says something to a worker, which is started if need be. Its death is told by `said`, not here."""
        if worker.process is None:
            self._start(worker)
        assert worker.process is not None
        try:
            wire.write(cast(BinaryIO, worker.process.stdin), message)
        except OSError:
            log.warning("the worker of %s does not listen any more", worker.device)

    def _start(self, worker: Worker) -> None:
        # numba sets OpenMP's number of threads for the whole process when its first kernel runs
        names = () if worker.device.startswith("cuda") else ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")
        threads = dict.fromkeys(names, str(self._threads))
        log_path = worker.folder / LOG
        if log_path.exists() and log_path.stat().st_size > LOG_SIZE:
            os.replace(log_path, worker.folder / "worker.old.log")
        with log_path.open("ab") as log_file:
            worker.process = subprocess.Popen(
                [sys.executable, "-m", "maquette_server.worker", "--device", worker.device],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log_file,
                env=os.environ | {"OMP_WAIT_POLICY": "PASSIVE", "PYTHONUTF8": "1"} | threads,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        log.info("the worker of %s started, process %d", worker.device, worker.process.pid)
        thread = threading.Thread(
            target=self._listen,
            args=(worker, worker.process),
            daemon=True,
            name=f"worker {worker.device}",
        )
        thread.start()

    def _listen(self, worker: Worker, process: "subprocess.Popen[bytes]") -> None:
        """Runs in the worker's thread until the process has ended."""
        stream = cast(BinaryIO, process.stdout)
        try:
            while (message := wire.read_worker(stream)) is not None:
                self.said.put(Said(worker, message))
                self._wake()
        except ValueError:  # msgspec's errors too: whatever wrote that cannot be trusted with a job
            log.exception("the worker of %s said something unreadable", worker.device)
            process.kill()
        status = process.wait()
        self.said.put(Said(worker, None, status))
        self._wake()

    def kill(self, worker: Worker) -> None:
        """Ends a worker's process at once; `said` tells when it is gone."""
        if worker.process is not None:
            worker.doomed = True
            worker.process.kill()

    def gone(self, worker: Worker) -> None:
        """To be called when `said` told that the process has ended."""
        process, worker.process = worker.process, None
        worker.doomed = False
        if process is not None:
            for stream in (process.stdin, process.stdout):
                _close(cast(BinaryIO, stream))

    def close(self, timeout: float = 2.0) -> None:
        """Ends all workers: their stdin closes, and who does not take the hint is killed."""
        deadline = time.monotonic() + timeout
        running = [worker for worker in self.workers if worker.process is not None]
        for worker in running:
            assert worker.process is not None
            _close(cast(BinaryIO, worker.process.stdin))
        for worker in running:
            assert worker.process is not None
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()
            self.gone(worker)


def _close(stream: BinaryIO) -> None:
    try:
        stream.close()
    except OSError:  # what was still to be said cannot be said any more
        log.debug("a pipe to a worker was broken already")


def why_it_ended(status: int) -> str:
    """What the system said about a process that ended without a word, as a part of a sentence."""
    if status >= 0 or os.name == "nt":
        return f"it ended with status {status}"
    name = signal.Signals(-status).name
    if -status == signal.SIGKILL:
        return f"the system ended it with {name}, as it does when memory runs out"
    return f"the system ended it with {name}"


def _device(name: str) -> str:
    """The device as torch names it. Raises UserError `device.unknown`."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", name):
        raise UserError(
            "device.unknown", f"'{name}' is no device.", hint="Use auto, cpu, cuda or cuda:N with a number N."
        )
    if name == "auto":
        return "auto" if gpu_count() != 0 else "cpu"
    if name == "cuda":
        name = "cuda:0"
    if name.startswith("cuda") and int(name[5:]) >= gpu_count():
        raise UserError(
            "device.unknown",
            f"There is no device {name} here.",
            hint=f"NVIDIA's driver knows {gpu_count()} devices. `maquette doctor` says what works.",
        )
    return name


def gpu_count() -> int:
    """How many GPUs NVIDIA's driver knows; asked without torch."""
    try:
        library = ctypes.CDLL("nvml.dll" if os.name == "nt" else "libnvidia-ml.so.1")
    except OSError:
        return 0
    if library.nvmlInit_v2() != 0:
        return 0
    count = ctypes.c_uint()
    failed = library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0
    library.nvmlShutdown()
    return 0 if failed else count.value
