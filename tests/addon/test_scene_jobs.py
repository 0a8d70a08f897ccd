"""Jobs of radiance fields over real sockets: what is fetched of them, their pictures, and live views."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from maquette_wire import arrays, errors, messages

from blender_addon import jobs, session, steps
from blender_addon.collect import inputs

IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def accepted(bench: Any, method: str, work: Any = None) -> session.Job:
    bench.connect()
    job: session.Job = bench.session.submit(
        method,
        steps.Work(work or package(), 1),
        params={},
        seed=0,
        label="Capture",
        record={"method": method, "target": {"uid": "u", "name": "Capture"}},
        stage="rendering views",
    )
    bench.until(lambda: bool(job.job_id))
    bench.until(lambda: bool(bench.server.follows))
    return job


def package() -> steps.Steps[jobs.Package]:
    yield 1
    return jobs.Package((messages.SceneInput(scene="job-1"),), {}, {})


ITEMS = {
    "reconstruct": [
        ("scene", "scene.json", b"{}", ""),
        ("scene", "checkpoints/00000300/field.safetensors", b"large", ""),
        ("scene", "images/00000_a.png", b"picture", ""),
    ],
    "render": [("images", "00000.png", b"one", ""), ("images", "00001.png", b"two", "")],
    "export": [
        ("mesh", "mesh.glb", b"glTF", ""),
        ("mesh", "positions", bytes(24), "f8"),
        ("uv", "corner_uvs", bytes(8), "f4"),
        ("texture", "texture.png", b"png", ""),
        ("images", "preview.png", b"sheet", ""),
    ],
}
FETCHED = {
    "reconstruct": {"scene.json"},
    "render": {"00000.png", "00001.png"},
    "export": {"positions", "corner_uvs", "texture.png"},
}


@pytest.mark.parametrize("method", sorted(ITEMS))
def test_only_what_is_used_here_is_fetched(bench: Any, method: str) -> None:
    job = accepted(bench, method)
    items = tuple(
        bench.server.keep(role, name, data, dtype, (3,) if dtype == "f8" else (2,) if dtype else ())
        for role, name, data, dtype in ITEMS[method]
    )
    bench.server.tell(job.job_id, messages.ResultBody(items=items, report={}))
    bench.until(lambda: job.state == "succeeded")
    assert set(bench.session.result(job)) == FETCHED[method]
    assert bench.server.submitted[0].inputs == (messages.SceneInput(scene="job-1"),)
    assert not [blob for blob in bench.server.submitted[0].inputs if blob.files]  # nothing is sent again


def test_a_result_without_what_it_must_have_fails_the_job(bench: Any) -> None:
    job = accepted(bench, "export")
    items = (
        bench.server.keep("mesh", "mesh.glb", b"glTF"),
        bench.server.keep("uv", "uv", b"1234", "f4", (1,)),
    )
    bench.server.tell(job.job_id, messages.ResultBody(items=items, report={}))
    bench.until(lambda: job.finished)
    assert job.fault is not None
    assert (job.state, job.fault.sentence) == ("failed", "The result lacks mesh and texture.")


def test_a_snapshot_of_a_field_is_a_picture_without_uvs(bench: Any) -> None:
    bench.session.follow_preview(512)
    job = accepted(bench, "reconstruct")
    picture = np.arange(64, dtype=np.uint8).reshape(4, 4, 4)
    seen = arrays.FrameArray(dtype="u1", shape=(4, 4, 4))
    items = (bench.server.keep("scene", "scene.json", b"{}"),)
    bench.server.tell(
        job.job_id, messages.SnapshotBody(step=1, items=items, preview=seen), [picture.tobytes()]
    )
    bench.until(lambda: any(isinstance(event, jobs.PreviewArrived) for event in bench.events))
    (event,) = [event for event in bench.events if isinstance(event, jobs.PreviewArrived)]
    assert event.job is job
    assert event.uvs is None
    assert np.array_equal(event.picture, picture)
    assert bench.session.held == 0  # the scene itself stays where it is


def test_pictures_that_are_counted_are_shown_by_their_stage(bench: Any) -> None:
    def counting() -> steps.Steps[jobs.Package]:
        for _ in range(3):
            yield 1
        return jobs.Package((), {}, {})

    bench.connect()
    job = bench.session.submit(
        "reconstruct",
        steps.Work(counting(), 3),
        params={},
        seed=0,
        label="Capture",
        record={"method": "reconstruct", "target": {"uid": "u"}},
        stage="rendering views",
    )
    bench.session.pump(0.0)
    assert (job.stage, job.step, job.total) == ("rendering views", 1, 3)
    assert bench.session.is_read(job)
    bench.until(lambda: bool(job.job_id))
    assert not bench.session.is_read(job)


def test_what_should_be_known_of_the_pictures_is_told_with_the_job(bench: Any) -> None:
    def work() -> steps.Steps[jobs.Package]:
        yield 1
        return jobs.Package((), {}, {}, ("Nothing is known of depth.",))

    job = accepted(bench, "reconstruct", work())
    assert job.warnings == ["Nothing is known of depth."]


def test_work_that_is_cancelled_takes_back_what_it_began(bench: Any) -> None:
    told = []

    def work() -> steps.Steps[jobs.Package]:
        try:
            while True:
                yield 1
        finally:
            told.append("closed")

    bench.connect()
    job = bench.session.submit(
        "reconstruct",
        steps.Work(work(), 3),
        params={},
        seed=0,
        label="Capture",
        record={"method": "reconstruct", "target": {"uid": "u"}},
    )
    bench.session.pump(0.0)
    bench.session.cancel(job.request_id)
    assert (job.state, told) == ("cancelled", ["closed"])


def look(bench: Any, scene: str = "job-1") -> str:
    asked: str = bench.session.view(scene, IDENTITY, 0.8, 4, 2, 5000)
    return asked


def test_a_view_comes_back_as_a_picture(bench: Any) -> None:
    bench.connect()
    name = look(bench)
    bench.until(lambda: any(isinstance(event, session.ViewArrived) for event in bench.events))
    (event,) = [event for event in bench.events if isinstance(event, session.ViewArrived)]
    assert event.request_id == name
    assert event.picture.shape == (2, 4, 4)
    (asked,) = bench.server.views
    assert (asked.scene, asked.camera, asked.fov_y, asked.width, asked.height) == (
        "job-1",
        IDENTITY,
        0.8,
        4,
        2,
    )


def test_a_view_that_is_refused_says_why_and_fails_no_job(bench: Any) -> None:
    bench.connect()
    name = look(bench, "nothing")
    bench.until(lambda: any(isinstance(event, session.ViewFailed) for event in bench.events))
    (event,) = [event for event in bench.events if isinstance(event, session.ViewFailed)]
    assert (event.request_id, event.fault.code) == (name, "scene.unknown")
    assert bench.session.state == "READY"


def test_a_newer_view_takes_the_place_of_an_older_one(bench: Any) -> None:
    bench.connect()
    look(bench)
    newest = look(bench)
    bench.until(lambda: any(isinstance(event, session.ViewArrived) for event in bench.events))
    assert [e.request_id for e in bench.events if isinstance(e, session.ViewArrived)] == [newest]


def test_without_a_connection_nothing_can_be_looked_at(bench: Any) -> None:
    with pytest.raises(errors.UserError, match="no connection"):
        look(bench)


def test_a_photograph_is_sent_from_its_file(bench: Any, tmp_path: Path) -> None:
    data = bytes(range(256)) * 10_000  # more than two chunks
    path = tmp_path / "a.jpg"
    path.write_bytes(data)

    def work() -> steps.Steps[jobs.Package]:
        given = inputs.Inputs()
        ref = yield from given.on_disk(path)
        assert (ref.digest, ref.size) == (arrays.digest_of(data), len(data))
        return jobs.Package((messages.ImagesInput(images=(ref,)),), given.blobs, {})

    accepted(bench, "reconstruct", work())
    assert bytes(bench.server.blobs[arrays.digest_of(data)]) == data


def test_a_photograph_that_became_shorter_fails_the_job_with_a_sentence(bench: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(bytes(5000))
    given = inputs.Inputs()
    ref = steps.at_once(given.on_disk(path))
    path.write_bytes(bytes(10))

    def work() -> steps.Steps[jobs.Package]:
        yield 1
        return jobs.Package((messages.ImagesInput(images=(ref,)),), given.blobs, {})

    bench.connect()
    job = bench.session.submit(
        "reconstruct",
        steps.Work(work(), 1),
        params={},
        seed=0,
        label="Capture",
        record={"method": "reconstruct", "target": {"uid": "u"}},
    )
    bench.until(lambda: job.finished)
    assert job.state == "failed"
    assert job.fault is not None
    assert "shorter" in job.fault.sentence or "read" in job.fault.sentence
