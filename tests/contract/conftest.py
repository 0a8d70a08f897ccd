"""Fixtures of the contract tests: servers and clients that are ended whatever happens."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.real_server import Client, RealServer


@pytest.fixture
def start_server(tmp_path: Path, private_home: Path, free_port: int) -> Iterator[Callable[..., RealServer]]:
    """`start_server(...)` starts a server; keywords are settings of its configuration."""
    servers: list[RealServer] = []

    def start(folder: Path | None = None, port: int | None = None, **settings: Any) -> RealServer:
        settings = {"checkpoint_seconds": 0.2} | settings
        servers.append(RealServer(folder or tmp_path / "data folder", port or free_port, **settings))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def server(start_server: Callable[..., RealServer]) -> RealServer:
    """A running server."""
    return start_server()


@pytest.fixture
def connect() -> Iterator[Callable[..., Client]]:
    """`connect(server)` is a client that follows all jobs."""
    clients: list[Client] = []

    def new(server: RealServer, token: str | None = None, follow: bool = True) -> Client:
        clients.append(Client(server, token))
        if follow:
            clients[-1].link.follow()
        return clients[-1]

    yield new
    for client in clients:
        client.close()


@pytest.fixture
def client(server: RealServer, connect: Callable[..., Client]) -> Client:
    """A client of the running server that follows all jobs."""
    return connect(server)
