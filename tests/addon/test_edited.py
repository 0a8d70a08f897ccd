"""Files of a job asked for one by one over real sockets, and the edited views that are read out of them."""

import json
from typing import Any

import numpy as np
import pytest
from maquette_wire import errors, messages

from blender_addon import edited, local_server, steps
from tests.addon.test_scene_jobs import accepted

POSE = [[1, 0, 0, 4], [0, 1, 0, 5], [0, 0, 1, 6], [0, 0, 0, 1]]
LENS = {"w": 8, "h": 6, "fl_x": 9.0, "fl_y": 9.5, "cx": 4.0, "cy": 3.0}


def job(bench: Any, files: dict[str, bytes], job_id: str = "job-9") -> str:
    """One that another client has sent."""
    items = tuple(bench.server.keep("scene", name, data) for name, data in files.items())
    bench.server.jobs[job_id] = messages.JobInfo(
        job_id=job_id,
        method="instruct_nerf2nerf",
        label="Capture",
        state="succeeded",
        attempt=1,
        created_ms=0,
        results=items,
    )
    return job_id


def scene(**changes: Any) -> dict[str, bytes]:
    """Three views, two of which were edited."""
    frames = [
        {
            **LENS,
            "id": n,
            "image": f"images/0000{n}_a.jpg",
            "name": f"images/{n}.jpg",
            "transform_matrix": POSE,
        }
        for n in range(3)
    ]
    files = {f"images/0000{n}_a.jpg": b"jpg %d" % n for n in range(3)}
    files |= {f"edited/0000{n}_a.png": b"png %d" % n for n in (0, 2)}
    return {**files, "cameras.json": json.dumps({"frames": frames}).encode(), **changes}


def read(bench: Any, work: steps.Steps[Any]) -> Any:
    """The result, while both ends are turned."""
    taken = steps.Work(work, 1)
    bench.until(lambda: taken.advance(0.0))
    return taken.result


NAMES = [*(f"images/{number}.jpg" for number in range(9)), "images/00000_a.jpg"]


def test_edited_views_of_a_job_of_anybody_are_read_by_their_pictures_names(bench: Any) -> None:
    bench.connect()
    reader, job_id = edited.Reader(bench.session), job(bench, scene())
    views = read(bench, reader.views_steps(job_id, NAMES))
    assert [view.name for view in views] == ["images/0.jpg", "images/2.jpg"]
    pinhole = views[1].lens.pinhole
    assert (pinhole.w, pinhole.h, pinhole.fl_y) == (8, 6, 9.5)
    assert views[1].lens.is_plain
    np.testing.assert_array_equal(views[1].world_from_camera, POSE)
    assert bytes(read(bench, reader.file_steps(views[1].edited))) == b"png 2"
    assert bytes(read(bench, reader.file_steps(views[1].original))) == b"jpg 2"
    bench.session.pump(0.002)
    assert bench.session.held == 0  # nothing is kept once it was read


def test_edited_views_have_the_lens_that_they_were_edited_with(bench: Any) -> None:
    bench.connect()
    row = {**LENS, "image": "images/0.png", "transform_matrix": POSE, "camera_model": "opencv"}
    row["distortion"] = [0.1, 0.02, 0, 0, 0, 0.003]
    cameras = json.dumps({"frames": [row]}).encode()
    job_id = job(bench, {"cameras.json": cameras, "images/0.png": b"", "edited/0.png": b"png"})
    (view,) = read(bench, edited.Reader(bench.session).views_steps(job_id, ["images/0.png"]))
    assert view.lens.distortion == dict(zip(["k1", "k2", "p2"], [0.1, 0.02, 0.003], strict=True))


def test_a_list_that_was_asked_for_leaves_the_jobs_alone(bench: Any) -> None:
    ours = accepted(bench, "reconstruct")
    job_id = job(bench, scene())
    bench.until(lambda: bool(bench.session.items(job_id)))
    assert list(bench.session.jobs.values()) == [ours]
    assert not ours.finished


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"cameras.json": b"no json"}, "cannot be read"),
        (
            {"cameras.json": b'{"frames": [{"image": "images/00000_a.jpg"}]}'},
            r"cameras\.json cannot be read: ",
        ),
    ],
)
def test_a_scene_that_cannot_be_read_is_told(bench: Any, changes: dict[str, bytes], sentence: str) -> None:
    bench.connect()
    job_id = job(bench, scene(**changes))
    with pytest.raises(errors.UserError, match=sentence):
        read(bench, edited.Reader(bench.session).views_steps(job_id, NAMES))


def test_a_scene_without_edited_pictures_is_told(bench: Any) -> None:
    bench.connect()
    job_id = job(bench, {"cameras.json": b'{"frames": []}', "images/0.png": b"png"})
    with pytest.raises(errors.UserError, match="no edited pictures"):
        read(bench, edited.Reader(bench.session).views_steps(job_id, NAMES))


def test_what_the_server_refuses_is_told_and_can_be_asked_for_again(bench: Any) -> None:
    bench.connect()
    with pytest.raises(errors.UserError, match="no job 'job-9'"):
        read(bench, edited.Reader(bench.session).views_steps("job-9", NAMES))
    job_id = job(bench, scene())
    reader = edited.Reader(bench.session)
    (first, _) = read(bench, reader.views_steps(job_id, NAMES))
    held = bench.server.blobs.pop(first.edited.digest)
    with pytest.raises(errors.UserError, match="not here"):
        read(bench, reader.file_steps(first.edited))
    bench.server.blobs[first.edited.digest] = held
    assert bytes(read(bench, reader.file_steps(first.edited))) == b"png 0"


def test_a_lost_connection_is_waited_for_and_a_closed_one_ends_it(bench: Any, monkeypatch: Any) -> None:
    bench.connect()
    job_id, port = job(bench, scene()), bench.server.port
    work = steps.Work(edited.Reader(bench.session).views_steps(job_id, NAMES), 1)
    work.advance(0.0)
    bench.session.connect(local_server.Address("127.0.0.1", port))  # another one: it is asked for anew
    bench.until(lambda: work.advance(0.0))
    assert len(work.result) == 2
    again = steps.Work(edited.Reader(bench.session).file_steps(work.result[0].edited), 1)
    bench.session.close()
    with pytest.raises(errors.UserError, match="no connection"):
        again.advance(0.0)
    monkeypatch.setattr(edited, "PATIENCE", -1.0)
    bench.session.connect(local_server.Address("127.0.0.1", port))
    assert bench.session.state == "CONNECTING"
    with pytest.raises(errors.UserError, match="gone silent"):
        steps.Work(edited.Reader(bench.session).views_steps(job_id, NAMES), 1).advance(0.0)


def test_a_script_lets_the_session_go_on_while_it_waits(bench: Any) -> None:
    bench.connect()
    job_id = job(bench, scene())

    def idle() -> None:
        bench.session.pump(0.002)
        bench.server.turn()

    reader = edited.Reader(bench.session, idle)
    assert len(steps.at_once(reader.views_steps(job_id, NAMES))) == 2


def test_views_are_known_by_the_names_of_the_scenes_own_files_too(bench: Any) -> None:
    """A folder that was opened has those; a view whose picture nobody has is none."""
    bench.connect()
    reader, job_id = edited.Reader(bench.session), job(bench, scene())
    rows = json.loads(scene()["cameras.json"])["frames"]
    inside = [row["image"] for row in rows if row["name"] == "images/2.jpg"]
    assert inside != ["images/2.jpg"]
    assert [view.name for view in read(bench, reader.views_steps(job_id, inside))] == inside
    assert read(bench, reader.views_steps(job_id, ["others.png"])) == []
