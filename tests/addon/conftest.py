"""A stand-in server and a session that are turned together, in one thread."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blender_addon import folders, local_server, records, session
from tests.addon.fake_server import FakeServer


class Bench:
    """A server and a session that are turned together."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = FakeServer()
        self.events: list[session.Event] = []
        self.session = self.fresh_session()

    def fresh_session(self) -> session.Session:
        return session.Session(records.Records(self.folder), "a test", token_of=self.token_of)

    def token_of(self, port: int) -> folders.LocalServer | None:
        return folders.LocalServer(self.server.token, 0, "")

    def connect(self) -> None:
        self.session.connect(local_server.Address("127.0.0.1", self.server.port))
        self.until(lambda: self.session.state == "READY")

    def until(self, done: Callable[[], bool], turns: int = 2000) -> None:
        """Turns both until it is so; fails when it never is."""
        for _ in range(turns):
            self.events += self.session.pump(0.002)
            self.server.turn()
            if done():
                return
            self.server.socket.poll(5)
        raise AssertionError("it never came to that")

    def close(self) -> None:
        self.session.close()
        self.server.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path / "jobs")
    yield made
    made.close()
