"""A real server process on a free port, and a client of it over a real socket, for tests.

`RealServer` runs `transport.serve` in a process of its own, with the stand-in methods. `Client` is one
DEALER socket with the `link` that every client of ours has behind it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import psutil
import zmq
from maquette_server import addresses, config
from maquette_wire import happenings, link, messages

ROOT = Path(__file__).resolve().parents[2]
STANDINS = ROOT / "tests" / "server"
PROGRAM = """
import logging, sys
from pathlib import Path
from maquette_server import transport
logging.basicConfig(level=logging.INFO)
transport.serve(Path(sys.argv[1]), sys.argv[2], ("cpu",), ready=lambda address: print(address, flush=True))
"""
Happening = TypeVar("Happening", bound=happenings.Happening)


def environment() -> dict[str, str]:
    """For processes that need the packages and the stand-in methods."""
    path = os.pathsep.join(map(str, (ROOT / "server", ROOT / "shared", STANDINS)))
    return os.environ | {"PYTHONPATH": path}


class RealServer:
    """A server process. Give it `stop` or `kill`; `start` starts it again on the same port and folder."""

    def __init__(self, folder: Path, port: int, **settings: Any) -> None:
        self.folder = folder
        self.address = f"tcp://127.0.0.1:{port}"
        self.port = port
        packages = (*config.METHOD_PACKAGES, "standins")
        config.save(folder, config.Config(method_packages=packages, **settings))
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Starts it and waits until it listens."""
        with (self.folder / "test.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, str(self.folder), self.address],
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment(),
            )
        assert self.process.stdout is not None
        said = self.process.stdout.readline()
        assert said.strip() == self.address.encode(), self.log()

    def log(self) -> str:
        """What it logged."""
        return (self.folder / "test.log").read_text(encoding="utf-8")

    def worker(self) -> psutil.Process | None:
        """Its worker, if it has one."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return children[0] if children else None

    def kill(self) -> None:
        """kill -9."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ends it as Ctrl-C would; its exit status."""
        return self._end(signal.SIGINT)

    def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        process, self.process = self.process, None
        process.send_signal(number)
        assert process.stdout is not None
        process.stdout.close()
        return process.wait(30)


class Client:
    """A client that waits for what happens; `events` are all events that came, in order."""

    def __init__(self, server: RealServer, token: str | None = None) -> None:
        running = addresses.read_running(server.port)
        assert running is not None
        self.link = link.Link("test", running.token if token is None else token)
        self.events: list[messages.Event] = []
        self.frames: list[list[Any]] = []
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 50)
        self.socket.connect(server.address)

    def close(self) -> None:
        """Closes the socket."""
        self.socket.close()
        self._context.term()

    def pump(self, seconds: float = 0.02) -> list[happenings.Happening]:
        """What happened within so many seconds, or as soon as something came."""
        for parts in self.link.outgoing():
            self.socket.send_multipart(parts)
        happened = []
        if self.socket.poll(int(seconds * 1000)):
            happened += self.link.receive(list(self.socket.recv_multipart()))
        happened += self.link.tick(time.monotonic())
        for one in happened:
            if isinstance(one, happenings.EventArrived):
                self.events.append(one.event)
                self.frames.append(one.frames)
        return happened

    def until_hung(self, job_id: str, step: int) -> None:
        """Until the step is told and, a second later, the worker is surely inside the one that never ends."""
        self.until_step(job_id, step)
        inside = time.monotonic() + 1.0
        while time.monotonic() < inside:
            self.pump()

    def until(self, reached: Callable[[], bool], timeout: float = 60.0) -> None:
        """Pumps until that is so."""
        deadline = time.monotonic() + timeout
        while not reached():
            assert time.monotonic() < deadline, f"not reached; the last events: {self.events[-5:]}"
            self.pump()

    def answer(self, kind: type[Happening], request_id: str, timeout: float = 60.0) -> Happening:
        """The answer to a request. A refusal is an AssertionError unless it is asked for."""
        deadline = time.monotonic() + timeout
        while True:
            for one in self.pump():
                if isinstance(one, kind) and getattr(one, "request_id", "") == request_id:
                    return one
                if isinstance(one, happenings.RequestFailed) and one.request_id == request_id:
                    raise AssertionError(one.fault)
            assert time.monotonic() < deadline, "no answer"

    def submit(self, method: str, request_id: str = "", **params: Any) -> str:
        """Submits a job of a stand-in method; its id."""
        request_id = self.link.submit(method, (), {}, params=params, request_id=request_id)
        return self.answer(happenings.SubmitAccepted, request_id).job.job_id

    def control(self, job_id: str, action: link.Action) -> None:
        """A command that is not refused."""
        self.answer(happenings.Done, self.link.control(job_id, action))

    def bodies(self, kind: type[Any], job_id: str) -> list[Any]:
        """All bodies of a kind that came for a job."""
        return [
            event.body for event in self.events if event.job_id == job_id and isinstance(event.body, kind)
        ]

    def states(self, job_id: str) -> list[str]:
        """The states of a job, as they came."""
        return [body.state for body in self.bodies(messages.StateBody, job_id)]

    def until_state(self, job_id: str, state: str, timeout: float = 60.0) -> None:
        """Pumps until the newest state of a job is that; another end of the job is a failure."""

        def reached() -> bool:
            newest = self.states(job_id)[-1:]
            assert newest == [state] or not messages.FINAL_STATES & set(newest), (
                newest,
                self.bodies(messages.FailedBody, job_id),
            )
            return newest == [state]

        self.until(reached, timeout)

    def until_step(self, job_id: str, step: int) -> None:
        """Pumps until a job has come that far."""
        self.until(lambda: any(body.step >= step for body in self.bodies(messages.ProgressBody, job_id)))

    def result(self, job_id: str) -> messages.ResultBody:
        """The result of a job that has one."""
        found: list[messages.ResultBody] = self.bodies(messages.ResultBody, job_id)
        assert len(found) == 1
        return found[0]

    def download(self, item: messages.ResultItem) -> bytes:
        """The bytes of a result."""
        self.link.download(item.digest, item.size)
        while True:
            for one in self.pump():
                if isinstance(one, happenings.Downloaded) and one.digest == item.digest:
                    return bytes(one.data)
                assert not isinstance(one, happenings.RequestFailed), one
