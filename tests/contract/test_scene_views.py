"""Live views of a field: while a reconstruction runs, after it, and what is refused."""

import io
import math
from pathlib import Path

import ball_captures
import numpy as np
from maquette_server.cameras.pinhole import look_at
from maquette_server.cli import captures
from maquette_server.datasets import opening
from maquette_server.media import exr
from maquette_wire import happenings, messages
from numpy.typing import NDArray
from PIL import Image
from standins import ball

from tests.contract.real_server import Client

SIDE, FOCAL = 32, 40.0
LENS = ball_captures.Lens(SIDE, SIDE, FOCAL, FOCAL, SIDE / 2, SIDE / 2)
POSE = ball_captures.poses(7)[3]  # none of the 12 of the capture
BESIDE_THE_BALL = look_at(np.array([30.0, -60.0, 25.0]), np.array(ball.CENTRE), np.array([0.0, 0.0, 1.0]))
PATIENCE = 300.0  # s; learning takes its time on a busy machine
WISH = messages.PreviewWish(max_px=64, min_ms=100)


def matrix(pose: NDArray[np.float64]) -> messages.Matrix:
    a, b, c, d = (tuple(row) for row in pose.tolist())
    return a, b, c, d


def submit(client: Client, folder: Path, steps: int) -> str:
    """Starts a reconstruction of photographs of the ball; the id of the job."""
    ball_captures.write(folder, 12)
    blobs: dict[str, bytes] = {}
    cameras, images = captures.data_set(opening.read(folder), blobs)
    request_id = client.link.submit("reconstruct", (cameras, images), blobs, params={"steps": steps})
    job: str = client.answer(happenings.SubmitAccepted, request_id).job.job_id
    return job


def ask(client: Client, scene: str, pose: NDArray[np.float64] = POSE) -> str:
    fov = 2 * math.atan(SIDE / 2 / FOCAL)
    return client.link.view("v", scene, matrix(pose), fov, SIDE, SIDE, depth=True, deadline_ms=60_000)


def view(client: Client, scene: str) -> happenings.FrameArrived:
    return client.answer(happenings.FrameArrived, ask(client, scene))


def refusal(client: Client, request_id: str) -> messages.Fault:
    while True:
        for one in client.pump():
            assert not isinstance(one, happenings.FrameArrived)
            if isinstance(one, happenings.RequestFailed) and one.request_id == request_id:
                return one.fault


def rendered(client: Client, scene: str) -> dict[str, bytes]:
    """Files of a render of the scene from the same camera."""
    camera = messages.Camera(
        world_from_camera=matrix(POSE),
        fl_x=FOCAL,
        fl_y=FOCAL,
        cx=SIDE / 2,
        cy=SIDE / 2,
        width=SIDE,
        height=SIDE,
    )
    inputs = (messages.SceneInput(scene=scene), messages.CamerasInput(cameras=(camera,)))
    params = {"path": "given", "depth": True, "transparent": True}
    request_id = client.link.submit("render", inputs, {}, params=params)
    job = client.answer(happenings.SubmitAccepted, request_id).job.job_id
    client.until_state(job, "succeeded", PATIENCE)
    return {item.name: client.download(item) for item in client.result(job).items}


def test_a_reconstruction_is_seen_while_it_learns_and_afterwards(client: Client, tmp_path: Path) -> None:
    client.link.follow(preview=WISH)
    job = submit(client, tmp_path / "ball", 40)
    client.until(lambda: bool(client.bodies(messages.SnapshotBody, job)), PATIENCE)
    early = view(client, job)
    client.until_state(job, "succeeded", PATIENCE)
    late = view(client, job)
    inside = ball_captures.picture(POSE, LENS)[..., 3] == 255
    truth = ball_captures.picture(POSE, LENS)[inside].astype(float)
    errors = [np.abs(frame.colour[inside] - truth).mean() for frame in (early, late)]
    assert errors[1] < errors[0]
    assert not np.array_equal(early.colour, late.colour)
    items = {item.name: item for item in client.result(job).items}
    sent = (tmp_path / "ball/images/003.png").read_bytes()
    assert client.download(items["images/00003_003.png"]) == sent

    files = rendered(client, job)
    with Image.open(io.BytesIO(files["00000.png"])) as picture:
        np.testing.assert_allclose(late.colour.astype(int), np.asarray(picture).astype(int), atol=1)
    assert late.depth is not None
    np.testing.assert_allclose(late.depth, exr.read(files["00000.exr"]), rtol=1e-5)


def test_a_solid_ball_is_where_it_is(client: Client) -> None:
    client.link.follow(preview=WISH)
    job = client.submit("ball", steps=100_000, seconds=0.02)
    client.until(lambda: bool(client.bodies(messages.SnapshotBody, job)), PATIENCE)
    green = client.answer(happenings.FrameArrived, ask(client, job, BESIDE_THE_BALL))
    assert client.states(job)[-1] == "running"

    ball_alone = BESIDE_THE_BALL.copy()
    ball_alone[:3, 3] += ball.RADIUS * ball_captures.MIDDLE - ball.CENTRE  # the same, seen from the ball
    truth = ball_captures.depth(ball_alone, LENS, ball.RADIUS)
    inside = np.isfinite(truth)
    core = ball_captures.picture(ball_alone, LENS, ball.RADIUS)[..., 3] == 255
    assert tuple(green.colour[SIDE // 2, SIDE // 2]) == (0, 255, 0, 255)
    assert green.depth is not None
    np.testing.assert_allclose(green.depth[core], truth[core], atol=0.06 * ball.RADIUS)
    assert abs(np.mean(green.depth[core] - truth[core])) < 0.02 * ball.RADIUS
    assert np.isinf(green.depth[0, 0])
    assert 0.9 < np.isfinite(green.depth).sum() / inside.sum() < 1.1
    client.control(job, "cancel")


def test_the_result_of_whatever_makes_a_scene_is_seen(client: Client) -> None:
    job = client.submit("ball")
    client.until_state(job, "succeeded", PATIENCE)
    red = client.answer(happenings.FrameArrived, ask(client, job, BESIDE_THE_BALL))
    assert tuple(red.colour[SIDE // 2, SIDE // 2]) == (255, 0, 0, 255)
    assert tuple(red.colour[0, 0])[3] == 0


def test_looking_at_a_field_does_not_change_what_is_learnt(client: Client, tmp_path: Path) -> None:
    client.link.follow(preview=WISH)
    unseen, seen = (submit(client, tmp_path / name, 12) for name in ("one", "other"))
    client.until(lambda: bool(client.bodies(messages.SnapshotBody, seen)), PATIENCE)
    view(client, seen)
    weights = []
    for job in (unseen, seen):
        client.until_state(job, "succeeded", PATIENCE)
        weights.append([one.digest for one in client.result(job).items if "checkpoints" in one.name])
    assert weights[0] == weights[1]
    assert len(weights[0]) == 2


def test_what_cannot_be_looked_at_is_refused_in_a_sentence(client: Client, tmp_path: Path) -> None:
    scene = client.submit("ball")
    client.until_state(scene, "succeeded")
    running = client.submit("counter", steps=100_000, seconds=0.02)
    client.until_step(running, 1)
    client.link.follow(preview=WISH)
    scaled = POSE @ np.diag([2.0, 2.0, 2.0, 1.0])
    waiting = submit(client, tmp_path / "ball", 10)  # nothing is learnt yet
    faults = [
        refusal(client, ask(client, "nowhere")),
        refusal(client, ask(client, running)),
        refusal(client, ask(client, waiting)),
        refusal(client, ask(client, scene, scaled)),
    ]
    assert [fault.code for fault in faults] == ["scene.unknown", "view.nothing", "view.nothing", "input.bad"]
    for fault in faults:
        assert fault.sentence.endswith(".")
        assert ". " not in fault.sentence
        assert not fault.log_id
