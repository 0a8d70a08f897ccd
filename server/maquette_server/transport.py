"""The server's socket: a ROUTER, a poller and a wake-up. The one place of the server that knows ZeroMQ.

    maquette serve  ->  transport.serve(folder, listen="tcp://127.0.0.1:5577", devices=("auto",))

A connection that ends is noticed by the socket's monitor, which speaks of file descriptors; a message knows
the one it came by. So a client that is gone does not count any more.
"""

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import zmq
from maquette_wire import PROTOCOL, __version__, codec, messages
from maquette_wire.errors import UserError
from zmq.utils import monitor

from . import config
from . import service as services
from .addresses import (
    DEFAULT_ADDRESS,
    Address,
    Running,
    parse_address,
    read_running,
    remove_running,
    runtime_file,
    write_running,
)
from .engine import engine as engines
from .engine import folder as data_folders

__all__ = ["DEFAULT_ADDRESS", "Address", "Running", "parse_address", "read_running", "runtime_file", "serve"]

log = logging.getLogger(__name__)

BUSY_MS = 50  # between two looks at the clock while a job runs
IDLE_MS = 5000
BLOCKED_MS = 20  # until a client that does not read is tried again
AT_ONCE = 64  # messages taken in before events are given out
HEARTBEAT_MS = 2000
GONE_MS = 10_000  # without a heartbeat
PROBE_MS = 1000  # for another server to answer a hello


class WakeUp:
    """Makes the poller return, from any thread or signal handler."""

    def __init__(self) -> None:
        self.receiver, self.sender = socket.socketpair()
        self.receiver.setblocking(False)
        self.sender.setblocking(False)

    def __call__(self) -> None:
        with contextlib.suppress(BlockingIOError):  # it is awake already
            self.sender.send(b"!")

    def drain(self) -> None:
        """Forgets the calls so far."""
        with contextlib.suppress(BlockingIOError):
            while self.receiver.recv(4096):
                pass

    def close(self) -> None:
        """Closes both ends."""
        self.receiver.close()
        self.sender.close()


class Server:
    """A bound socket. Raises UserError `address.in_use`, `address.no_keys`."""

    def __init__(self, address: Address) -> None:
        if not address.loopback:
            raise UserError(
                "address.no_keys",
                f"A server at {address} could be reached from other machines, and this version has no keys.",
                hint="Listen at 127.0.0.1, and reach it from elsewhere through an SSH tunnel.",
            )
        self.wake = WakeUp()
        self._context = zmq.Context()
        self._socket = _router(self._context)
        self._monitor: zmq.Socket[bytes] | None = None
        self._socket.setsockopt(zmq.IPV6, int(":" in address.host))
        try:
            self._socket.bind(str(address) if address.port else f"tcp://{address.host}:*")
        except zmq.ZMQError as error:
            self.close()
            if error.errno != zmq.EADDRINUSE:
                raise UserError("address.bad", f"The server cannot listen at {address}: {error}.") from error
            raise _taken(address) from error
        self.address = parse_address(self._socket.get_string(zmq.LAST_ENDPOINT))
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self._connections: dict[bytes, int] = {}
        """client -> file descriptor of its connection"""
        self._blocked = False

    def close(self) -> None:
        """Closes the socket; what was sent just now has a moment to leave."""
        if self._monitor is not None:
            self._socket.disable_monitor()
            self._monitor.close(linger=0)
        self._socket.close(linger=200)
        self._context.term()
        self.wake.close()

    def run(self, engine: engines.JobEngine, service: services.Service, stopped: Callable[[], bool]) -> None:
        """Serves until `stopped`."""
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        poller.register(self.wake.receiver, zmq.POLLIN)
        while not stopped():
            patience = IDLE_MS if engine.idle else BUSY_MS
            poller.poll(min(patience, BLOCKED_MS) if self._blocked else patience)
            self.wake.drain()
            for _ in range(AT_ONCE):
                if not self._receive(service):
                    break
            else:
                self.wake()  # there is more
            self._forget_gone(service)
            service.publish(engine.pump())
            self.flush(service)

    def _receive(self, service: services.Service) -> bool:
        """Takes in one message, if there is one."""
        try:
            frames = [self._socket.recv(zmq.NOBLOCK, copy=False)]
        except zmq.Again:
            return False
        while self._socket.getsockopt(zmq.RCVMORE):
            frame = self._socket.recv(copy=False)
            if len(frames) <= 1 + services.MAX_PARTS:  # one more than is allowed, so that it is refused
                frames.append(frame)
        client = bytes(frames[0].buffer)
        try:
            number = int(frames[0].get(zmq.SRCFD))
        except zmq.ZMQError:  # bytes that ZeroMQ took for its first protocol; none of our clients speaks that
            log.warning("a message without a connection is dropped")
            return True
        self._forget_gone(service)  # before the number of a closed connection can mean a new one
        self._connections[client] = number
        service.handle(client, [frame.buffer for frame in frames[1:]])
        return True

    def _forget_gone(self, service: services.Service) -> None:
        assert self._monitor is not None
        while True:
            try:
                event = monitor.recv_monitor_message(self._monitor, zmq.NOBLOCK)
            except zmq.Again:
                return
            for client in [who for who, number in self._connections.items() if number == event["value"]]:
                self._forget(client, service)

    def _forget(self, client: bytes, service: services.Service) -> None:
        self._connections.pop(client, None)
        service.forget(client)

    def flush(self, service: services.Service) -> None:
        """Sends what waits, as far as the clients take it."""
        self._blocked = False
        for client in service.clients:
            while (parts := service.first(client)) is not None:
                try:
                    self._socket.send_multipart([client, *parts], zmq.NOBLOCK, copy=_small(parts))
                except zmq.Again:
                    self._blocked = True
                    break
                except zmq.ZMQError as error:
                    if error.errno != zmq.EHOSTUNREACH:
                        raise
                    self._forget(client, service)
                    break
                service.sent(client)


def serve(
    folder: Path,
    listen: str = DEFAULT_ADDRESS,
    devices: Sequence[str] = ("auto",),
    *,
    ready: Callable[[Address], None] | None = None,
) -> None:
    """Runs the server until SIGINT or SIGTERM; running jobs are checkpointed and left `interrupted`.

    `ready` is called once with the real address. Call it in the main thread.
    Raises UserError `address.bad`, `address.in_use`, `address.no_keys`, `data.in_use`, `data.unusable`,
    `device.unknown`.
    """
    data_folders.refuse_network_drive(folder)
    server = Server(parse_address(listen))
    try:
        engine = engines.JobEngine(
            folder, config.load(folder), devices=devices, wake=server.wake, address=str(server.address)
        )
        try:
            service = services.Service(engine, engine.token)
            running = Running(token=engine.token, pid=os.getpid(), data_folder=str(folder))
            write_running(server.address.port, running)
            with _stop_signals(server.wake) as stopped:
                if ready is not None:
                    ready(server.address)
                log.info("listening at %s", server.address)
                server.run(engine, service, stopped)
        finally:
            remove_running(server.address.port)
            events = engine.close()
        service.publish(events)
        server.flush(service)
    finally:
        server.close()


@contextlib.contextmanager
def _stop_signals(wake: WakeUp) -> Any:
    """While it lasts, SIGINT and SIGTERM set what the given function tells."""
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, ask) for number in numbers]
    # the system may give the signal to another thread, and the poller would sleep on
    waking = signal.set_wakeup_fd(wake.sender.fileno(), warn_on_full_buffer=False)
    try:
        yield lambda: bool(asked)
    finally:
        signal.set_wakeup_fd(waking)
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _router(context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    router.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.SNDHWM, 32)
    router.setsockopt(zmq.RCVHWM, 64)
    # Of one part. How many parts a message has is known only when it is whole, so this bound is as tight as
    # what clients send: headers and chunks.
    router.setsockopt(zmq.MAXMSGSIZE, max(codec.MAX_HEADER, codec.CHUNK))
    router.setsockopt(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    router.setsockopt(zmq.HEARTBEAT_TIMEOUT, GONE_MS)
    router.setsockopt(zmq.HEARTBEAT_TTL, GONE_MS)
    return router


def _small(parts: list[codec.Part]) -> bool:
    """Whether copying is cheaper than keeping the bytes alive until they have left."""
    return sum(len(part) for part in parts) < 64 * 1024


def _taken(address: Address) -> UserError:
    """Who is there already: another Maquette answers a hello, a foreign program does not."""
    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.setsockopt(zmq.LINGER, 0)
    dealer.setsockopt(zmq.RCVTIMEO, PROBE_MS)
    try:
        dealer.connect(str(address))
        hello = messages.Hello(request_id="probe", protocol=PROTOCOL, version=__version__, client="probe")
        dealer.send_multipart(codec.encode(hello))
        codec.decode_server(list(dealer.recv_multipart()))
    except (zmq.Again, UserError):
        sentence = f"The port {address.port} is taken by another program."
        return UserError("address.in_use", sentence, hint="Choose another one with --listen :PORT.")
    finally:
        dealer.close()
        context.term()
    running = read_running(address.port)
    of = f" with the data folder '{running.data_folder}'" if running else ""
    return UserError(
        "address.in_use",
        f"A Maquette server is running at {address} already{of}.",
        hint=f"Use it, stop it with `maquette serve --stop --listen {address.host}:{address.port}`, or choose"
        " another port with --listen :PORT.",
    )
