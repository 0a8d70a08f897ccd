"""A 4096 px texture on its way to the server, against what cannot be had for less; the same texture again.

The *floor* is the same bytes over a plain ZeroMQ DEALER and ROUTER, one SHA-256 on each side and one flushed
write. Less is sent both ways too, to show what a message costs. The server is the real one, in a process of
its own, over loopback; so is the floor's receiver.
"""

import hashlib
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import zmq
from maquette_wire import codec, happenings, link

from benchmarks import frame

TITLE = "A 4096 px texture to the server, and less"
SIZES = tuple(1 << power for power in range(14, 28, 2))  # bytes: 16 KiB to 64 MiB, which is 4096 x 4096 RGBA
PAIRS = 9
AGAIN = 51
PATIENCE = 60.0  # s without an answer until the benchmark is given up
COPY_END = b"end"

SERVER = """
import sys
from pathlib import Path
from maquette_server import transport
def ready(address):
    print(address, flush=True)
transport.serve(Path(sys.argv[1]), listen="tcp://127.0.0.1:0", devices=("cpu",), ready=ready)
"""
RECEIVER = """
import hashlib, os, sys, zmq
socket = zmq.Context().socket(zmq.ROUTER)
socket.setsockopt(zmq.RCVHWM, 0)
print("tcp://127.0.0.1:%d" % socket.bind_to_random_port("tcp://127.0.0.1"), flush=True)
chunks = []
while True:
    client, part = socket.recv_multipart(copy=False)
    if part.buffer.nbytes != 3:
        chunks.append(part)
        continue
    digest = hashlib.sha256()
    for chunk in chunks:
        digest.update(chunk.buffer)
    with open(sys.argv[1], "wb") as file:
        for chunk in chunks:
            file.write(chunk.buffer)
        file.flush()
        os.fsync(file.fileno())
    chunks = []
    socket.send_multipart([client.bytes, digest.digest()])
"""


@contextmanager
def child(program: str, argument: Path) -> Iterator[str]:
    """A Python process that prints its address first; ended on leaving."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(argument)], stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    try:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        if not address:
            raise RuntimeError(f"the process ended with {process.wait()} before it listened")
        yield address
    finally:
        process.terminate()
        process.wait(30)


class Client:
    """A DEALER with a link behind it, driven until something has happened."""

    def __init__(self, address: str, token: str) -> None:
        self.link = link.Link("benchmark", token)
        self._socket = zmq.Context.instance().socket(zmq.DEALER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.connect(address)

    def until(self, wanted: Callable[[happenings.Happening], bool]) -> None:
        """Goes on until something wanted happens. Raises TimeoutError, or RuntimeError on a refusal."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            for parts in self.link.outgoing():
                self._socket.send_multipart(parts)
            happened = self.link.tick(time.monotonic())
            if self._socket.poll(0 if happened else 200):
                happened += self.link.receive(self._socket.recv_multipart())
            for one in happened:
                if isinstance(one, happenings.RequestFailed | happenings.Refused):
                    raise RuntimeError(one.fault.sentence)
            if any(wanted(one) for one in happened):
                return
        raise TimeoutError("the server does not answer")

    def upload(self, digest: str, data: memoryview) -> None:
        """Hands a blob to the server; returns when it has it, flushed."""
        request_id = self.link.upload({digest: data})
        self.until(lambda one: isinstance(one, happenings.Uploaded) and one.request_id == request_id)


class Texture:
    """Noise, which no compression shortens; `renew` makes it other bytes."""

    def __init__(self, size: int) -> None:
        self.data = bytearray(secrets.token_bytes(size))

    def renew(self) -> None:
        self.data[:16] = secrets.token_bytes(16)

    def digest(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


def run() -> list[frame.Figure | frame.Series]:
    """Ratio to the floor, the second sending of the same bytes, seconds of both; then all sizes."""
    curves = frame.Curves("Time of an upload against its size", "bytes", "time", "ms")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with child(SERVER, folder / "data") as address, child(RECEIVER, folder / "copy") as plain:
            client = Client(address, token(address))
            client.until(lambda one: isinstance(one, happenings.Connected))
            copier = zmq.Context.instance().socket(zmq.DEALER)
            copier.setsockopt(zmq.LINGER, 0)
            copier.setsockopt(zmq.SNDHWM, 0)
            copier.connect(plain)
            for size in SIZES:
                texture = Texture(size)
                taken = frame.pairs(*both_ways(texture, client, copier), PAIRS)
                curves.add("through the server", size, [1000 * first for first, _ in taken])
                curves.add(
                    "floor: bare socket, hash and write", size, [1000 * s for _, s in taken], floor=True
                )
            digest = texture.digest()
            client.upload(digest, memoryview(texture.data))
            again = [
                frame.seconds(lambda: client.upload(digest, memoryview(texture.data))) * 1000
                for _ in range(AGAIN)
            ]
            copier.close()
    return [
        frame.ratio("through the server / floor", taken, goal=1.3),
        frame.median("through the server", "s", [first for first, _ in taken]),
        frame.median("floor", "s", [second for _, second in taken]),
        frame.median(
            "the same texture again", "ms", again, goal=5.0, note="its digest is known to the client"
        ),
        curves.series(),
    ]


def both_ways(
    texture: Texture, client: Client, copier: "zmq.Socket[bytes]"
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Sending the texture, new each time, through the server, and through the floor's socket."""

    def through_the_server() -> None:
        texture.renew()
        client.upload(texture.digest(), memoryview(texture.data))

    def floor() -> None:
        texture.renew()
        digest = hashlib.sha256(texture.data).digest()
        view = memoryview(texture.data)
        for start in range(0, len(view), codec.CHUNK):
            copier.send(view[start : start + codec.CHUNK])
        copier.send(COPY_END)
        if copier.recv() != digest:
            raise RuntimeError("the copy is another")

    return through_the_server, floor


def token(address: str) -> str:
    """The token that a server of this user on this machine has left for its clients."""
    from maquette_server import transport

    running = transport.read_running(transport.parse_address(address).port)
    if running is None:
        raise RuntimeError("the server left no token")
    return running.token
