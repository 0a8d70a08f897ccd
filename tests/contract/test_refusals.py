"""What a server refuses, and that it goes on afterwards."""

import os
import random
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq
from maquette_server import addresses
from maquette_wire import PROTOCOL, arrays, codec, happenings, messages

from tests.contract.real_server import PROGRAM, Client, RealServer, environment

TRY = PROGRAM.replace(
    "transport.serve", "import maquette_wire.errors\ntry:\n    transport.serve"
).rstrip() + ("\nexcept maquette_wire.errors.UserError as error:\n    print(error.code, error.line())\n")


def refused_start(folder: Path, address: str) -> str:
    """Code and sentence with which a server does not start."""
    done = subprocess.run(
        [sys.executable, "-c", TRY, str(folder), address],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


def dealer(server: RealServer, context: "zmq.Context[zmq.Socket[bytes]]") -> "zmq.Socket[bytes]":
    """A socket without a link."""
    raw = context.socket(zmq.DEALER)
    raw.setsockopt(zmq.LINGER, 0)
    raw.setsockopt(zmq.RCVTIMEO, 10_000)
    raw.connect(server.address)
    return raw


def test_a_second_server_on_the_same_folder_names_the_first(server: RealServer, client: Client) -> None:
    said = refused_start(server.folder, "127.0.0.1:0")
    assert said.startswith("data.in_use")
    assert server.address in said
    assert server.process is not None
    assert str(server.process.pid) in said
    client.until_state(client.submit("counter", steps=2), "succeeded")


def test_a_killed_server_does_not_lock_its_folder(server: RealServer) -> None:
    server.kill()
    server.start()


def test_a_port_taken_by_maquette_is_told_from_one_taken_by_another_program(
    server: RealServer, tmp_path: Path
) -> None:
    said = refused_start(tmp_path / "other", server.address)
    assert said.startswith("address.in_use A Maquette server is running")
    assert str(server.folder) in said
    with socket.create_server(("127.0.0.1", 0)) as foreign:
        said = refused_start(tmp_path / "other", f":{foreign.getsockname()[1]}")
    assert said.startswith("address.in_use")
    assert "another program" in said


@pytest.mark.parametrize("address", ["0.0.0.0:0", "tcp://192.0.2.1:5577", "tcp://*:5577"])
def test_a_server_beyond_this_machine_does_not_start_without_keys(tmp_path: Path, address: str) -> None:
    assert refused_start(tmp_path, address).startswith("address.no_keys")
    assert not (tmp_path / "journal.sqlite").exists()


def test_a_wrong_token_is_refused(server: RealServer, connect: Callable[..., Client]) -> None:
    stranger = connect(server, token="wrong", follow=False)
    stranger.until(lambda: stranger.link.refused is not None)
    assert stranger.link.refused is not None
    assert stranger.link.refused.code == "token.wrong"


def test_the_token_is_the_users_alone_and_survives_a_restart(server: RealServer) -> None:
    path = addresses.runtime_file(server.port)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    before = addresses.read_running(server.port)
    server.kill()
    server.start()
    after = addresses.read_running(server.port)
    assert before is not None
    assert after is not None
    assert after.token == before.token
    assert after.pid != before.pid
    server.stop()
    assert not path.exists()


def test_another_protocol_is_refused_with_both_numbers(server: RealServer) -> None:
    with zmq.Context() as context, dealer(server, context) as raw:
        raw.send(b"\x85\xa4type\xa5Hello\xaarequest_id\xa1a\xa8protocol\x63\xa7version\xa19\xa5extra\xc3")
        answer, _ = codec.decode_server(list(raw.recv_multipart()))
    assert isinstance(answer, messages.Refused)
    assert answer.fault.code == "protocol.mismatch"
    assert answer.protocol == PROTOCOL
    assert "99" in answer.fault.sentence


def test_nothing_is_answered_before_a_hello(server: RealServer) -> None:
    with zmq.Context() as context, dealer(server, context) as raw:
        raw.send_multipart(codec.encode(messages.ListJobs(request_id="a")))
        answer, _ = codec.decode_server(list(raw.recv_multipart()))
    assert isinstance(answer, messages.Refused)
    assert (answer.request_id, answer.fault.code) == ("a", "token.wrong")


def test_garbage_does_not_disturb_the_others(server: RealServer, client: Client) -> None:
    job = client.submit("counter", steps=100, seconds=0.02)
    client.until_step(job, 1)
    dice = random.Random(7)
    with zmq.Context() as context, dealer(server, context) as raw:
        for _ in range(300):
            raw.send_multipart([dice.randbytes(dice.randrange(200)) for _ in range(dice.randrange(1, 5))])
        raw.send_multipart([b"x"] * 200)
        raw.send(b"")
        raw.send_multipart([bytes(2**20)] * 60)
        raw.send(bytes(2 * 2**20))  # over the limit of a part: the connection is cut
    for _ in range(20):  # some of it looks like the first protocol of ZeroMQ
        with socket.create_connection(("127.0.0.1", server.port)) as bare:
            bare.sendall(dice.randbytes(10_000))
    client.until_state(job, "succeeded")
    assert "Traceback" not in server.log()


def test_a_client_that_went_away_does_not_count(
    start_server: Callable[..., RealServer], connect: Callable[..., Client]
) -> None:
    server = start_server(limits={"clients": 2})
    for _ in range(5):
        passing = Client(server)
        passing.answer(happenings.JobsListed, passing.link.list_jobs())
        passing.close()
    staying = [connect(server), connect(server)]
    for one in staying:
        one.until(lambda it=one: it.link.connected)
    third = connect(server)
    third.until(lambda: third.link.refused is not None)
    assert third.link.refused is not None
    assert third.link.refused.code == "quota.clients"


def test_a_cancel_does_not_wait_behind_uploads(server: RealServer, client: Client) -> None:
    job = client.submit("counter", steps=1000, seconds=0.05)
    client.until_step(job, 1)
    texture = os.urandom(20 * 2**20)
    digest = arrays.digest_of(texture)
    upload = client.link.upload({digest: texture})
    client.pump()
    client.control(job, "cancel")
    client.until_state(job, "cancelled")
    client.answer(happenings.Uploaded, upload)
    again = client.link.upload({digest: texture})
    client.answer(happenings.Uploaded, again)


def test_an_upload_goes_on_where_a_killed_server_was(server: RealServer, client: Client) -> None:
    texture = os.urandom(30 * 2**20)
    digest = arrays.digest_of(texture)
    upload = client.link.upload({digest: texture})
    partial = server.folder / "blobs" / "partial" / digest
    client.until(lambda: partial.exists() and partial.stat().st_size > 3 * 2**20)
    server.kill()
    assert 3 * 2**20 < partial.stat().st_size < len(texture)
    server.start()
    client.link.reconnected()
    client.answer(happenings.Uploaded, upload)
    assert (server.folder / "blobs" / digest[:2] / digest).read_bytes() == texture
