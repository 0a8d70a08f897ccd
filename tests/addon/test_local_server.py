"""Addresses, and starting and stopping the server of this computer."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from maquette_wire import errors

from blender_addon import folders, local_server, records, session


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("tcp://127.0.0.1:5577", "127.0.0.1", 5577),
        ("example.org:80", "example.org", 80),
        (":6000", "127.0.0.1", 6000),
        (" localhost ", "localhost", 5577),
    ],
)
def test_every_form_of_an_address_is_read(text: str, host: str, port: int) -> None:
    assert local_server.read_address(text) == local_server.Address(host, port)


@pytest.mark.parametrize("text", ["", "host:", "host:0", "host:70000", "a b:1", "http://x/y:1", "host:five"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(errors.UserError) as caught:
        local_server.read_address(text)
    assert caught.value.code == "address.bad"
    assert caught.value.hint


def test_this_computer_is_told_from_others() -> None:
    assert local_server.read_address("127.0.0.2:1").loopback
    assert local_server.read_address("localhost:1").loopback
    assert not local_server.read_address("10.0.0.1:1").loopback


def test_a_missing_command_is_told_with_a_way_out() -> None:
    with pytest.raises(errors.UserError) as caught:
        local_server.find_command("/no/such/maquette")
    assert caught.value.code == "server.start"
    assert "preferences" in caught.value.hint


def test_a_server_is_never_started_on_another_computer(tmp_path: Path) -> None:
    with pytest.raises(errors.UserError):
        local_server.start(sys.executable, local_server.Address("10.0.0.1", 5577), str(tmp_path))


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script stands in for the command")
def test_a_server_that_ends_at_once_is_told_with_its_last_words(tmp_path: Path) -> None:
    script = tmp_path / "maquette"
    script.write_text('#!/bin/sh\necho warming up\necho "Port $3 is taken."\nexit 2\n', encoding="utf-8")
    script.chmod(0o755)
    address = local_server.Address("127.0.0.1", 9)
    started = local_server.start(str(script), address, str(tmp_path / "data"))
    story = session.Session(records.Records(None), "a test", token_of=lambda port: None)
    story.connect(address, started)
    assert story.state == "STARTING"
    told = []
    for _ in range(500):
        told += [e.fault for e in story.pump(0.001) if isinstance(e, session.ConnectionChanged) and e.fault]
        if told:
            break
        time.sleep(0.01)
    story.close()
    assert told[0].code == "server.start"
    assert "Port 127.0.0.1:9 is taken." in told[0].sentence
    assert (tmp_path / "data" / local_server.LOG).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_stopping_ends_the_process_that_left_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(folders, "local_server", lambda port: folders.LocalServer("t", process.pid, ""))
    local_server.stop(5577)
    assert process.wait(10) != 0


def test_stopping_what_does_not_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "local_server", lambda port: None)
    with pytest.raises(errors.UserError) as caught:
        local_server.stop(5577)
    assert caught.value.code == "address.no_answer"
