"""Live views: a picture of a finished job's texture from any camera, drawn by an idle worker."""

import time
from typing import Any

import numpy as np
from maquette_wire import arrays, happenings, messages
from numpy.typing import NDArray

from tests.contract.real_server import Client

SCALE = 1e5  # far from the origin and huge: nothing may depend on either
OFFSET = 3e6


def textured_square(client: Client, colour: tuple[int, int, int]) -> str:
    """A job that painted the square from -1 to 1 in x and y, at z = 0, scaled and moved by its matrix."""
    positions = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], np.float32)
    triangles = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    corner_uvs = ((positions[triangles][..., :2] + 1) / 2).astype(np.float32)
    blobs: dict[str, bytes] = {}

    def ref(array: NDArray[Any]) -> arrays.ArrayRef:
        dtype, shape, data = arrays.to_bytes(array)
        digest = arrays.digest_of(data)
        blobs[digest] = data
        return arrays.ArrayRef(dtype=dtype, shape=shape, digest=digest)

    mesh = messages.MeshInput(
        name="Square",
        positions=ref(positions),
        triangles=ref(triangles),
        corner_uvs=ref(corner_uvs),
        world_from_object=(
            (SCALE, 0.0, 0.0, OFFSET),
            (0.0, SCALE, 0.0, 0.0),
            (0.0, 0.0, SCALE, 0.0),
            (0.0, 0.0, 0.0, 1.0),
        ),
    )
    request_id = client.link.submit("painter", (mesh,), blobs, params={"colour": colour})
    job: str = client.answer(happenings.SubmitAccepted, request_id).job.job_id
    client.until_state(job, "succeeded")
    return job


def camera_at(distance: float) -> messages.Matrix:
    """A camera in front of the square's middle, looking at it."""
    return (
        (1.0, 0.0, 0.0, OFFSET),
        (0.0, 1.0, 0.0, 0.0),
        (0.0, 0.0, 1.0, SCALE * distance),
        (0.0, 0.0, 0.0, 1.0),
    )


def test_a_view_shows_the_texture_where_the_mesh_is(client: Client) -> None:
    job = textured_square(client, (255, 0, 0))
    # two units away, 90 degrees high: the square fills the middle half of the picture
    request_id = client.link.view("v", job, camera_at(2.0), np.pi / 2, 64, 64, depth=True, deadline_ms=60_000)
    frame = client.answer(happenings.FrameArrived, request_id)
    assert frame.colour.shape == (64, 64, 4)
    np.testing.assert_array_equal(frame.colour[18:46, 18:46], np.full((28, 28, 4), [255, 0, 0, 255]))
    assert (frame.colour[:14, :, 3] == 0).all()
    assert frame.depth is not None
    np.testing.assert_allclose(frame.depth[20:44, 20:44], 2.0 * SCALE, rtol=1e-4)


def test_views_are_served_while_a_job_runs(client: Client) -> None:
    painted = textured_square(client, (0, 255, 0))
    job = client.submit("counter", steps=2000, seconds=0.02)
    client.until_step(job, 1)
    for _ in range(3):
        request_id = client.link.view("v", painted, camera_at(2.0), np.pi / 2, 32, 32, deadline_ms=60_000)
        frame = client.answer(happenings.FrameArrived, request_id)
        assert tuple(frame.colour[16, 16]) == (0, 255, 0, 255)
    client.control(job, "cancel")


def test_a_view_that_a_busy_worker_cannot_draw_in_time_is_refused(client: Client) -> None:
    painted = textured_square(client, (0, 0, 255))
    job = client.submit("hanging")
    client.until_hung(job, 1)
    request_id = client.link.view("v", painted, camera_at(2.0), np.pi / 2, 32, 32, deadline_ms=200)
    refused: list[str] = []
    until = time.monotonic() + 60
    while not refused and time.monotonic() < until:
        for one in client.pump():
            if isinstance(one, happenings.RequestFailed) and one.request_id == request_id:
                refused.append(one.fault.code)
    assert refused == ["view.late"]
    client.control(job, "cancel")
