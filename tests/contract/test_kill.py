"""What survives `kill -9`, and what a restart does with it."""

import os
import signal
from collections.abc import Callable

import pytest
from maquette_wire import messages

from tests.contract.real_server import Client, RealServer


@pytest.mark.parametrize("framework", ["numpy", "torch"])
def test_a_job_of_a_killed_server_goes_on_by_itself(
    server: RealServer, client: Client, framework: str
) -> None:
    straight = client.submit("counter", steps=60, framework=framework)
    client.until_state(straight, "succeeded")
    job = client.submit("counter", steps=60, seconds=0.03, framework=framework)
    client.until_step(job, 20)
    server.kill()
    server.start()
    client.link.reconnected()
    client.until_state(job, "succeeded")
    assert client.states(job)[-5:] == ["running", "interrupted", "queued", "running", "succeeded"]
    assert client.result(job).items[0] == client.result(straight).items[0]


def test_event_numbers_never_go_back(server: RealServer, client: Client) -> None:
    job = client.submit("counter", steps=30, seconds=0.02)
    client.until_step(job, 10)
    before = client.events[-1].number
    server.kill()
    server.start()
    client.link.reconnected()
    client.until(lambda: client.link.connected)
    assert client.link.welcome is not None
    assert client.link.welcome.last_event >= before
    client.until_state(job, "succeeded")
    numbers = [event.number for event in client.events]
    assert numbers == sorted(set(numbers))


def test_a_request_that_is_sent_again_gives_the_same_job(server: RealServer, client: Client) -> None:
    job = client.submit("counter", "the-same-id", steps=3)
    client.until_state(job, "succeeded")
    server.kill()
    server.start()
    client.link.reconnected()
    assert client.submit("counter", "the-same-id", steps=3) == job


def test_a_stopped_server_leaves_its_job_to_the_next_one(server: RealServer, client: Client) -> None:
    straight = client.submit("counter", steps=60)
    client.until_state(straight, "succeeded")
    job = client.submit("counter", steps=60, seconds=0.05)
    client.until_step(job, 10)
    assert server.stop() == 0
    client.until_state(job, "interrupted")
    server.start()
    client.link.reconnected()
    client.until_state(job, "succeeded")
    assert client.result(job).items[0] == client.result(straight).items[0]
    steps = [body.step for body in client.bodies(messages.ProgressBody, job)]
    assert steps == sorted(steps), "a stop that was asked for loses no step"


def test_a_job_whose_worker_is_killed_is_tried_once_more(server: RealServer, client: Client) -> None:
    job = client.submit("counter", steps=60, seconds=0.03)
    client.until_step(job, 20)
    worker = server.worker()
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    client.until_state(job, "succeeded")
    assert client.states(job) == ["queued", "running", "interrupted", "queued", "running", "succeeded"]


def test_a_job_that_always_crashes_fails_and_says_what_the_system_said(client: Client) -> None:
    job = client.submit("crasher")
    client.until_state(job, "failed")
    fault = client.bodies(messages.FailedBody, job)[-1].fault
    assert fault.code == "job.crashed"
    assert "SIGKILL" in fault.sentence
    following = client.submit("counter", steps=2)
    client.until_state(following, "succeeded")


def test_a_worker_ends_with_its_server(server: RealServer, client: Client) -> None:
    job = client.submit("hanging")
    client.until_step(job, 1)
    worker = server.worker()
    assert worker is not None
    server.kill()
    worker.wait(20)


def test_stop_and_keep_survives_a_kill(server: RealServer, client: Client) -> None:
    job = client.submit("counter", steps=1000, seconds=0.3)
    client.until_step(job, 3)
    client.control(job, "stop")
    server.kill()
    server.start()
    client.link.reconnected()
    client.until_state(job, "succeeded")
    assert client.result(job).kept


def test_a_damaged_checkpoint_falls_back_to_the_one_before(
    start_server: Callable[..., RealServer], connect: Callable[..., Client]
) -> None:
    server = start_server()
    client = connect(server)
    straight = client.submit("counter", steps=60)
    client.until_state(straight, "succeeded")
    job = client.submit("counter", steps=60, seconds=0.05)
    client.until_step(job, 20)
    server.kill()
    checkpoints = sorted((server.folder / "jobs" / job).glob("attempt-*/checkpoint-*/state.safetensors"))
    assert len(checkpoints) == 2, "the last two are kept"
    checkpoints[-1].write_bytes(b"damaged")
    server.start()
    client.link.reconnected()
    client.until_state(job, "succeeded")
    assert client.bodies(messages.WarningBody, job)[-1].code == "checkpoint.damaged"
    assert client.result(job).items[0] == client.result(straight).items[0]
