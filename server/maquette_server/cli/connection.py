"""One DEALER socket with a `link` behind it, for the command line. The server must be on this machine.

`Connection.ask` and `Connection.pump` wait; a server that goes away and returns is waited for, at most
`PATIENCE`.
"""

import time
from collections import deque
from types import TracebackType
from typing import TypeVar

import zmq
import zmq.utils.monitor
from maquette_wire import codec, happenings, link, messages
from maquette_wire.errors import CODES, UserError

from .. import addresses

FIRST_ANSWER = 5.0  # s that a server has for its first word
PATIENCE = 600.0  # s that a server which has answered before may be away
HEARTBEAT_MS = 5000
TOKEN_EVERY = 1.0  # s between two looks for a new token while nobody answers

Answer = TypeVar("Answer", bound=happenings.Happening)


def user_error(fault: messages.Fault) -> UserError:
    """A fault of the server as an error of this process; a code that we do not know is `input.bad`."""
    code = fault.code if fault.code in CODES else "input.bad"
    return UserError(code, fault.sentence, hint=fault.hint, fix=fault.fix, log_id=fault.log_id)


class Connection:
    """A conversation with the server at an address. Used as a context.

    Raises UserError `address.bad`, `address.no_keys`; every waiting method `address.no_answer`, and what the
    server refuses with.
    """

    def __init__(self, address: str, client_name: str) -> None:
        self.address = addresses.parse_address(address)
        if not self.address.loopback:
            raise UserError(
                "address.no_keys",
                f"{self.address.host} is another machine, which this version does not connect to.",
                hint="Forward its port with ssh -L, and name 127.0.0.1.",
            )
        running = addresses.read_running(self.address.port)
        self.link = link.Link(client_name, running.token if running else "")
        self._unsent: deque[list[codec.Part]] = deque()
        self._broken = False
        self._met = False
        self._silent_since = self._token_at = time.monotonic()
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.DEALER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.IMMEDIATE, 1),  # nothing queues up for a server that is not there
            (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, 3 * HEARTBEAT_MS),
            (zmq.RECONNECT_IVL, 200),
            (zmq.RECONNECT_IVL_MAX, 2000),
            (zmq.MAXMSGSIZE, codec.MAX_FRAME),
        ):
            self._socket.setsockopt(option, value)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED)
        self._poller = zmq.Poller()
        self._poller.register(self._monitor, zmq.POLLIN)
        self._socket.connect(str(self.address))

    def __enter__(self) -> "Connection":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._context.term()

    def connect(self, patience: float = FIRST_ANSWER) -> messages.Welcome:
        """Waits for the Welcome."""
        until = time.monotonic() + patience
        while not self.link.connected:
            self.pump(0.1)
            if time.monotonic() > until:
                raise self._no_answer()
        assert self.link.welcome is not None
        return self.link.welcome

    def ask(self, request_id: str, kind: type[Answer]) -> Answer:
        """Waits for the answer to a request of `link`; other happenings are dropped."""
        while True:
            for one in self.pump(0.2):
                if getattr(one, "request_id", "") == request_id:
                    if isinstance(one, kind):
                        return one
                    if isinstance(one, happenings.RequestFailed):
                        raise user_error(one.fault)

    def pump(self, timeout: float) -> list[happenings.Happening]:
        """Sends what waits and takes in what came; waits at most `timeout` seconds for something to come."""
        happened = self.link.tick(time.monotonic())
        wanted = zmq.POLLIN | (zmq.POLLOUT if self._send() else 0)
        self._poller.register(self._socket, wanted)
        if not happened:
            self._poller.poll(int(timeout * 1000))
        happened += self._watch()
        while True:
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            happened += self.link.receive(list(parts))
        self._send()
        self._judge(time.monotonic())
        return happened

    def _send(self) -> bool:
        """Sends until the socket would block; True when something is left."""
        if not self._unsent:
            self._unsent.extend(self.link.outgoing())
        while self._unsent:
            try:
                self._socket.send_multipart(self._unsent[0], zmq.NOBLOCK)
            except zmq.Again:
                return True
            self._unsent.popleft()
        return False

    def _watch(self) -> list[happenings.Happening]:
        """Tells the link when the connection is a new one."""
        happened: list[happenings.Happening] = []
        while self._monitor.poll(0):
            event = zmq.utils.monitor.recv_monitor_message(self._monitor)["event"]
            if event == zmq.EVENT_DISCONNECTED:
                self._broken = True
            elif event == zmq.EVENT_CONNECTED and self._broken:
                self._broken = False
                self._unsent.clear()
                self._read_token()
                happened += self.link.reconnected()
        return happened

    def _judge(self, now: float) -> None:
        """Raises when the server has refused us, or has been away for too long."""
        if self.link.connected:
            self._met = True
            self._silent_since = now
            return
        if now - self._token_at >= TOKEN_EVERY:
            self._token_at = now
            if self._read_token() and self.link.refused is not None:
                self.link.reconnected()
        refused = self.link.refused
        if refused is not None and not (self._met and refused.code in ("token.wrong", "quota.clients")):
            raise user_error(refused)
        if now - self._silent_since > PATIENCE:
            raise self._no_answer()

    def _read_token(self) -> bool:
        """Takes the token that lies there now; True when it is another one."""
        running = addresses.read_running(self.address.port)
        if running is None or running.token == self.link.token:
            return False
        self.link.token = running.token
        return True

    def _no_answer(self) -> UserError:
        return UserError(
            "address.no_answer",
            f"No server answers at {self.address}.",
            hint=f"Start one with: maquette serve --listen {self.address.host}:{self.address.port}",
        )
