"""One ZeroMQ DEALER socket, drained without blocking, with a `link` behind it. No Python threads, no bpy.

ZeroMQ's own I/O thread is C++ and never holds Python's lock. Messages are copied on sending: the copy-free
way of pyzmq starts a Python thread, which Blender does not support.
"""

import time
from collections import deque

import zmq
import zmq.utils.monitor

from .wire import codec, happenings, link

HEARTBEAT_MS = 5000
RECONNECT_MS = 200  # first pause of ZeroMQ between two attempts
RECONNECT_MAX_MS = 2000


class Client:
    """A socket and its link. `pump` is to be called often; it returns after about `budget` seconds."""

    def __init__(self, endpoint: str, conversation: link.Link) -> None:
        self.link = conversation
        self.endpoint = endpoint
        self._unsent: deque[list[codec.Part]] = deque()
        self._broken = False
        self._context = zmq.Context(io_threads=1)
        self._socket = self._context.socket(zmq.DEALER)
        for option, value in (
            (zmq.LINGER, 0),
            (zmq.IMMEDIATE, 1),  # nothing queues up for a server that is not there
            (zmq.HEARTBEAT_IVL, HEARTBEAT_MS),
            (zmq.HEARTBEAT_TIMEOUT, 3 * HEARTBEAT_MS),
            (zmq.RECONNECT_IVL, RECONNECT_MS),
            (zmq.RECONNECT_IVL_MAX, RECONNECT_MAX_MS),
            (zmq.MAXMSGSIZE, codec.MAX_FRAME),
        ):
            self._socket.setsockopt(option, value)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_CONNECTED | zmq.EVENT_DISCONNECTED)
        self._socket.connect(endpoint)

    def pump(self, budget: float) -> list[happenings.Happening]:
        """Sends what waits, takes in what came, lets the link's clock go on; what happened, oldest first."""
        until = time.monotonic() + budget
        happened = self._watch()
        happened += self.link.tick(time.monotonic())
        moving = True
        while moving:
            sent = self._send()
            received, more = self._receive(until)
            happened += more
            moving = (sent or received) and time.monotonic() < until
        return happened

    def close(self) -> None:
        """Lets go of the socket at once; what was not sent is not sent."""
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._context.term()

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
                happened += self.link.reconnected()
        return happened

    def _send(self) -> bool:
        if not self._unsent:
            self._unsent.extend(self.link.outgoing())
        sent = False
        while self._unsent:
            try:
                self._socket.send_multipart(self._unsent[0], zmq.NOBLOCK)
            except zmq.Again:
                break
            self._unsent.popleft()
            sent = True
        return sent

    def _receive(self, until: float) -> tuple[bool, list[happenings.Happening]]:
        happened: list[happenings.Happening] = []
        received = False
        while time.monotonic() < until:
            try:
                parts = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                break
            received = True
            happened += self.link.receive(list(parts))
        return received, happened
