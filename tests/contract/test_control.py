"""Cancel, stop and keep, pause and resume, in a real worker."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from maquette_wire import messages

from tests.contract.real_server import Client, RealServer

WISH = messages.PreviewWish(max_px=32, min_ms=100)


def test_cancel_is_seen_at_once_and_the_next_job_runs(client: Client) -> None:
    job = client.submit("counter", steps=1000, seconds=0.05)
    client.until_step(job, 2)
    client.control(job, "cancel")
    client.until_state(job, "cancelled")
    following = client.submit("counter", steps=2)
    client.until_state(following, "succeeded")


def test_cancel_of_a_step_that_never_ends_is_seen_at_once(server: RealServer, client: Client) -> None:
    job = client.submit("hanging")
    client.until_step(job, 1)
    worker = server.worker()
    client.control(job, "cancel")
    client.until_state(job, "cancelled")
    following = client.submit("counter", steps=2)
    client.until_state(following, "succeeded")
    assert server.worker() != worker, "the worker that never yields was replaced"


def test_stop_lets_the_method_finish_early(client: Client) -> None:
    job = client.submit("counter", steps=1000, seconds=0.05)
    client.until_step(job, 3)
    client.control(job, "stop")
    client.until_state(job, "succeeded")
    assert "stopping" in client.states(job)
    result = client.result(job)
    assert result.kept
    assert 3 <= result.report["figures"]["steps"] < 1000


def test_stop_of_a_step_that_never_ends_keeps_the_newest_snapshot(
    server: RealServer, connect: Callable[..., Client]
) -> None:
    client = connect(server, follow=False)
    client.link.follow(preview=WISH)
    job = client.submit("hanging", steps=5, snapshots=True)
    client.until_hung(job, 5)
    client.control(job, "stop")
    client.until_state(job, "succeeded")
    newest = client.bodies(messages.SnapshotBody, job)[-1]
    result = client.result(job)
    assert result.kept
    assert result.items[0] == newest.items[0]
    assert client.download(result.items[0]) == bytes([newest.step])


def test_stop_with_nothing_to_keep_fails_and_says_so(client: Client) -> None:
    job = client.submit("hanging")
    client.until_hung(job, 1)
    client.control(job, "stop")
    client.until_state(job, "failed")
    assert client.bodies(messages.FailedBody, job)[-1].fault.code == "job.nothing_to_keep"


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_a_paused_job_goes_on_bit_for_bit(client: Client, framework: str) -> None:
    straight = client.submit("counter", steps=40, framework=framework)
    client.until_state(straight, "succeeded")
    job = client.submit("counter", steps=40, seconds=0.05, framework=framework)
    client.until_step(job, 5)
    client.control(job, "pause")
    client.until_state(job, "paused")
    meanwhile = client.submit("counter", steps=2)
    client.until_state(meanwhile, "succeeded")
    client.control(job, "resume")
    client.until_state(job, "succeeded")
    assert client.result(job).items[0] == client.result(straight).items[0]
    assert client.result(job).report["attempts"] == 2


def test_a_paused_job_can_be_stopped_and_kept(client: Client) -> None:
    job = client.submit("counter", steps=1000, seconds=0.02)
    client.until_step(job, 3)
    client.control(job, "pause")
    client.until_state(job, "paused")
    client.control(job, "stop")
    client.until_state(job, "succeeded")
    assert client.result(job).kept


def test_a_full_disk_pauses_the_job_which_goes_on_later(client: Client, tmp_path: Path) -> None:
    full = tmp_path / "the disk is full"
    full.touch()
    job = client.submit("full", while_exists=str(full))
    client.until_state(job, "paused")
    assert "disk is full" in client.bodies(messages.StateBody, job)[-1].sentence
    full.unlink()
    client.control(job, "resume")
    client.until_state(job, "succeeded")


def test_deleting_removes_a_running_job_and_all_of_it(server: RealServer, client: Client) -> None:
    job = client.submit("counter", steps=1000, seconds=0.05)
    client.until_step(job, 2)
    client.control(job, "delete")
    gone = server.folder / "jobs" / job
    deadline = time.monotonic() + 20
    while gone.exists():
        assert time.monotonic() < deadline
        client.pump()
