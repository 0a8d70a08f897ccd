"""A real painting that is killed at random moments is bit for bit the one that was left alone."""

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from maquette_server.cli import request
from maquette_wire import happenings, messages

from tests.contract.real_server import Client, RealServer

KILLS = 5
PARAMS = {"prompt": "a red cow"}


def submit(client: Client, mesh: Path, request_id: str, **params: Any) -> str:
    """Submits a painting of the mesh; the id of its job."""
    wanted = request.read(mesh, PARAMS | params, request_id=request_id, seed=3)
    client.link.submit(
        wanted.submit.method,
        wanted.submit.inputs,
        wanted.blobs,
        params=wanted.submit.params,
        seed=wanted.submit.seed,
        request_id=request_id,
    )
    job: str = client.answer(happenings.SubmitAccepted, request_id).job.job_id
    return job


def texture(client: Client, job: str) -> str:
    """SHA-256 of the job's texture.png."""
    (digest,) = (item.digest for item in client.result(job).items if item.name == "texture.png")
    return digest


def first_steps(client: Client, job: str) -> list[int]:
    """The first step of painting that each attempt told of; preparing has none."""
    found: list[int] = []
    fresh = False
    for event in client.events:
        if event.job_id == job and isinstance(event.body, messages.StateBody):
            fresh = event.body.state == "running"
        elif event.job_id == job and isinstance(event.body, messages.ProgressBody) and fresh:
            found += [event.body.step] if event.body.stage == "paint" else []
            fresh = event.body.stage != "paint"
    return found


def is_stepping(client: Client, job: str) -> bool:
    """Whether the newest that was told of the job is a step of painting."""
    newest = [event.body for event in client.events if event.job_id == job][-1]
    return isinstance(newest, messages.ProgressBody) and newest.stage == "paint"


def pump_for(client: Client, seconds: float, done: Callable[[], bool]) -> None:
    """Pumps for so long, or until it is done."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not done():
        client.pump()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_five_kills_do_not_change_a_texel(
    start_server: Callable[..., RealServer], connect: Callable[..., Client], data: Path, seed: int
) -> None:
    mesh = data / "meshes" / "spot_triangulated.obj"
    server = start_server(checkpoint_seconds=2.0)
    client = connect(server)
    alone = submit(client, mesh, "left-alone")
    client.until_state(alone, "succeeded", 600)
    stages = client.result(alone).report["seconds"]["stages"]

    dice = random.Random(seed)
    killed = submit(client, mesh, "killed")

    def newest(kind: type[Any]) -> Any:
        bodies = client.bodies(kind, killed)
        return bodies[-1] if bodies else None

    def is_over() -> bool:
        state = newest(messages.StateBody)
        return state is not None and state.state in messages.FINAL_STATES

    # A worker that dies twice without a checkpoint in between counts as killed by its job, rightly,
    # unless the server was started anew: so the kills take turns.
    victims = ["server", "worker", "server", "worker", "server"]
    for victim in victims:
        client.until(lambda: client.states(killed)[-1:] == ["running"], 120)
        if dice.random() < 0.8:  # while steps are made; else at any moment, loading included
            client.until(lambda: is_stepping(client, killed) or is_over(), 120)
        pump_for(client, dice.uniform(0.2, max(stages.values()) / 4), is_over)
        assert not is_over(), "killed too late to matter"
        if victim == "server":
            server.kill()
            server.start()
            client.link.reconnected()
            client.until(lambda: client.states(killed)[-2:] == ["queued", "running"], 120)
        else:
            worker = server.worker()
            assert worker is not None
            os.kill(worker.pid, signal.SIGKILL)
            client.until(lambda: client.states(killed)[-1:] != ["running"], 120)
    client.until_state(killed, "succeeded", 600)
    assert client.result(killed).report["attempts"] == KILLS + 1
    assert max(first_steps(client, killed)) > 10, "some attempt went on from a checkpoint"
    assert texture(client, killed) == texture(client, alone)
    assert client.result(killed).report["promise"] == "bit-equal"


def test_one_kill_of_the_server_does_not_change_a_texel(
    start_server: Callable[..., RealServer], connect: Callable[..., Client], data: Path
) -> None:
    mesh = data / "meshes" / "spot_control_mesh.obj"
    short = {"preset": "draft", "steps": 40, "views_per_step": 1, "texture_size": 128}
    server = start_server(checkpoint_seconds=0.2)
    client = connect(server)
    alone = submit(client, mesh, "left-alone", **short)
    client.until_state(alone, "succeeded", 300)
    killed = submit(client, mesh, "killed", **short)
    kill_at = random.Random().randrange(5, 35)
    client.until(lambda: any(b.stage == "paint" and b.step >= kill_at for b in told(client, killed)), 120)
    server.kill()
    server.start()
    client.link.reconnected()
    client.until_state(killed, "succeeded", 300)
    assert client.result(killed).report["attempts"] == 2
    assert texture(client, killed) == texture(client, alone), f"killed at step {kill_at}"


def told(client: Client, job: str) -> list[messages.ProgressBody]:
    """Everything that was said of how far the job is."""
    return client.bodies(messages.ProgressBody, job)
