"""The client's story over real sockets, against a stand-in server."""

from typing import Any

import msgspec
import numpy as np
import pytest
from maquette_wire import arrays, errors, messages

from blender_addon import jobs, local_server, session, steps

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9000  # more than two chunks
UVS = np.arange(48, dtype="<f4").reshape(24, 2)


def submit(bench: Any, data: bytes = b"abc", work: Any = None) -> session.Job:
    return bench.session.submit(
        "latent_paint",
        steps.Work(work or package(data), 1),
        params={"prompt": "gold"},
        seed=3,
        label="Cube",
        record={"prompt": "gold", "target": {"uid": "u"}},
    )


def package(data: bytes, before: int = 0) -> steps.Steps[jobs.Package]:
    """A texture, after so many steps."""
    for _ in range(before):
        yield 1
    digest = arrays.digest_of(data)
    blob = messages.TextureInput(image=messages.BlobRef(digest=digest, size=len(data)))
    return jobs.Package((blob,), {digest: data}, {"target": {"uid": "u", "digest": "d"}})


def accepted(bench: Any) -> session.Job:
    bench.connect()
    job = submit(bench)
    bench.until(lambda: bool(job.job_id))
    bench.until(lambda: bool(bench.server.follows))
    return job


def result(bench: Any, png: bytes = PNG) -> messages.ResultBody:
    items = (
        bench.server.keep("texture", "texture.png", png),
        bench.server.keep("uv", "uv.bin", UVS.tobytes(), "f4", UVS.shape),
        bench.server.keep("mesh", "mesh.glb", b"not fetched"),
    )
    return messages.ResultBody(items=items, report={"seed": 3})


def test_a_submitted_job_reaches_the_server_with_its_bytes(bench: Any) -> None:
    bench.connect()
    data = bytes(range(256)) * 20_000
    job = submit(bench, data)
    bench.until(lambda: bool(job.job_id))
    assert bytes(bench.server.blobs[arrays.digest_of(data)]) == data
    sent = bench.server.submitted[0]
    assert (sent.method, sent.seed, sent.label, sent.params) == (
        "latent_paint",
        3,
        "Cube",
        {"prompt": "gold"},
    )
    assert job.state == "queued"


def test_the_models_of_the_server_are_told_and_the_chosen_one_is_sent(bench: Any) -> None:
    bench.connect()
    bench.until(lambda: any(isinstance(event, session.ModelsChanged) for event in bench.events))
    assert [model.name for model in bench.session.models] == ["pocket", "big", "editor"]
    bench.session.submit(
        "latent_paint",
        steps.Work(package(b"abc"), 1),
        params={},
        seed=0,
        label="Cube",
        record={"target": {"uid": "u"}},
        model="big",
    )
    bench.until(lambda: bool(bench.server.submitted))
    assert bench.server.submitted[0].model == "big"


def test_a_job_submitted_before_the_server_is_up_is_sent_when_it_is(bench: Any) -> None:
    port = bench.server.port
    bench.server.close()
    bench.session.connect(local_server.Address("127.0.0.1", port))
    job = submit(bench)
    for _ in range(20):
        bench.session.pump(0.002)
    assert bench.session.state == "CONNECTING"
    bench.server = type(bench.server)(port)
    bench.until(lambda: bool(job.job_id))


def test_progress_and_warnings_are_mirrored(bench: Any) -> None:
    job = accepted(bench)
    bench.server.tell(job.job_id, messages.StateBody(state="running", attempt=1))
    bench.server.tell(job.job_id, messages.ProgressBody(step=7, total=20, stage="paint", seconds_left=6.5))
    bench.server.tell(job.job_id, messages.WarningBody(code="prompt.cut", sentence="It was cut."))
    bench.until(lambda: bool(job.warnings))
    assert (job.state, job.step, job.total, job.stage, job.seconds_left) == ("running", 7, 20, "paint", 6.5)
    assert job.warnings == ["It was cut."]


def test_collecting_takes_a_step_at_a_time_and_shows_how_far_it_is(bench: Any) -> None:
    bench.connect()
    job = submit(bench, work=package(b"abc", before=5))
    for step in range(1, 6):
        bench.session.pump(0.0)
        assert (job.stage, job.step) == ("collect", step)
    bench.until(lambda: bool(job.job_id))
    assert job.record["target"]["digest"] == "d"


def test_a_job_that_is_cancelled_while_it_is_collected_is_never_sent(bench: Any) -> None:
    bench.connect()
    job = submit(bench, work=package(b"abc", before=3))
    bench.session.pump(0.0)
    bench.session.cancel(job.request_id)
    assert job.state == "cancelled"
    for _ in range(50):
        bench.session.pump(0.002)
        bench.server.turn()
    assert not bench.server.submitted
    assert not bench.session.busy


def test_what_cannot_be_collected_fails_the_job_with_its_sentence(bench: Any) -> None:
    def broken() -> steps.Steps[jobs.Package]:
        yield 1
        raise errors.UserError("mesh.no_uv", "Faces are stacked.", hint="Unwrap.")

    bench.connect()
    job = submit(bench, work=broken())
    bench.until(lambda: job.finished)
    assert job.fault == messages.Fault(code="mesh.no_uv", sentence="Faces are stacked.", hint="Unwrap.")
    assert bench.session.state == "READY"


@pytest.mark.parametrize("state_first", [True, False])
def test_a_job_has_succeeded_once_its_result_is_here(bench: Any, state_first: bool) -> None:
    job = accepted(bench)
    bodies = [messages.StateBody(state="succeeded", attempt=1), result(bench)]
    for body in bodies if state_first else reversed(bodies):
        bench.server.tell(job.job_id, body)
    seen = set()

    def done() -> bool:
        seen.add(job.state)
        assert job.state != "succeeded" or bench.session.result(job)
        return job.state == "succeeded"

    bench.until(done)
    assert "fetching" in seen
    files = bench.session.result(job)
    assert files["texture.png"][1] == PNG
    item, data = files["uv.bin"]
    assert np.array_equal(arrays.from_bytes(item.dtype, item.shape, data), UVS)
    assert set(files) == {"texture.png", "uv.bin"}
    assert job.report == {"seed": 3}


def two_results(bench: Any) -> list[session.Job]:
    """Two jobs that have succeeded, with different textures and the same UVs."""
    bench.connect()
    done = [submit(bench) for _ in range(2)]
    bench.until(lambda: all(job.job_id for job in done) and len(bench.server.follows) == 2)
    for number, job in enumerate(done):
        bench.server.tell(job.job_id, result(bench, PNG + bytes([number])))
        bench.until(lambda: job.state == "succeeded")  # noqa: B023
    bench.until(lambda: bool(bench.session.result(done[1])))
    return done


def test_only_the_newest_result_is_kept_in_memory(bench: Any) -> None:
    older, newest = two_results(bench)
    assert older.state == newest.state == "succeeded"
    assert bench.session.result(older) == {}
    assert bench.session.held == len(PNG) + 1 + UVS.nbytes


def test_an_older_result_is_fetched_when_it_is_asked_for_and_then_let_go(bench: Any) -> None:
    older, newest = two_results(bench)
    bench.session.ask_result(older)
    assert older.state == "fetching"
    seen = set()

    def here() -> bool:
        seen.add((older.stage, older.step))
        return older.state == "succeeded"

    bench.until(here)
    told = {step for stage, step in seen if stage == "fetch"}
    assert told & {1024, 2048, 2250}, "KiB so far; a slow machine may see the last only"
    assert bench.session.result(older)["texture.png"][1] == PNG + b"\0"
    bench.session.applied(older)
    bench.session.pump(0.0)
    assert bench.session.result(older) == {}
    assert bench.session.result(newest)


def test_results_of_before_the_start_are_not_all_fetched(bench: Any) -> None:
    done = two_results(bench)
    for job in done:
        bench.server.tell(job.job_id, messages.StateBody(state="succeeded", attempt=1))
        bench.server.jobs[job.job_id] = messages.JobInfo(
            job_id=job.job_id, method="paint", label="Cube", state="succeeded", attempt=1, created_ms=0
        )
    bench.session.close()
    bench.session = bench.fresh_session()
    bench.connect()
    bench.until(lambda: len(bench.session.jobs) == 2)
    older, newest = bench.session.jobs.values()
    bench.until(lambda: older.state == newest.state == "succeeded")
    assert bench.session.result(newest)
    assert bench.session.result(older) == {}


def test_giving_up_a_fetch_leaves_the_job_and_what_others_fetch(bench: Any) -> None:
    older, newest = two_results(bench)
    bench.session.ask_result(older)
    bench.session.cancel(older.request_id)
    assert (older.state, older.asked) == ("succeeded", False)
    for _ in range(50):
        bench.session.pump(0.002)
        bench.server.turn()
    assert bench.session.result(older) == {}
    assert bench.session.result(newest)
    assert bench.server.controls == []


def test_a_result_that_is_gone_on_the_server_ends_in_a_sentence(bench: Any) -> None:
    older, _ = two_results(bench)
    for item in older.items:
        bench.server.blobs[item.digest] = bytearray(1)  # other bytes than were announced
    bench.session.ask_result(older)
    bench.until(lambda: older.state == "failed")
    assert older.fault is not None
    assert older.fault.code == "blob.bad"


def test_asking_for_a_result_without_a_connection_says_so(bench: Any) -> None:
    older, _ = two_results(bench)
    bench.session.close()
    with pytest.raises(errors.UserError, match="no connection"):
        bench.session.ask_result(older)


def test_the_uvs_of_a_preview_go_with_its_job(bench: Any) -> None:
    bench.session.preview_px = 256
    job = accepted(bench)
    uvs = bench.server.keep("uv", "uv.bin", UVS.tobytes(), "f4", UVS.shape)
    seen = arrays.FrameArray(dtype="u1", shape=(4, 4, 4))
    body = messages.SnapshotBody(step=1, items=(uvs,), preview=seen)
    bench.server.tell(job.job_id, body, [bytes(64)])
    bench.until(lambda: bench.session.held == UVS.nbytes)
    bench.server.tell(job.job_id, messages.StateBody(state="cancelled", attempt=1))
    bench.until(lambda: job.finished)
    assert bench.session.held == 0


def test_a_failed_job_keeps_its_sentence(bench: Any) -> None:
    job = accepted(bench)
    fault = messages.Fault(code="memory.full", sentence="Too big.", hint="Take less.")
    bench.server.tell(job.job_id, messages.FailedBody(fault=fault))
    bench.until(lambda: job.finished)
    assert (job.state, job.fault) == ("failed", fault)


def test_a_refused_submission_fails_the_job_and_not_the_connection(bench: Any) -> None:
    bench.server.refuse_submit = messages.Fault(code="prompt.empty", sentence="The prompt is empty.")
    bench.connect()
    job = submit(bench)
    bench.until(lambda: job.finished)
    assert job.fault is not None
    assert job.fault.code == "prompt.empty"
    assert bench.session.state == "READY"


@pytest.mark.parametrize("action", ["cancel", "stop"])
def test_a_command_reaches_the_job(bench: Any, action: str) -> None:
    job = accepted(bench)
    getattr(bench.session, action)(job.request_id)
    bench.until(lambda: bool(bench.server.controls))
    assert bench.server.controls == [(job.job_id, action)]


def test_a_cancel_before_acceptance_is_sent_after_it(bench: Any) -> None:
    bench.connect()
    job = submit(bench)
    bench.session.pump(0.002)
    bench.session.cancel(job.request_id)
    assert not job.job_id
    bench.until(lambda: bool(bench.server.controls))
    assert bench.server.controls == [(job.job_id, "cancel")]


def test_a_job_is_found_again_after_a_restart_of_blender(bench: Any) -> None:
    job = accepted(bench)
    bench.server.tell(job.job_id, messages.WarningBody(code="x", sentence="Mind this."))
    bench.session.close()
    bench.server.tell(job.job_id, result(bench))
    bench.server.jobs[job.job_id] = messages.JobInfo(
        job_id=job.job_id, method="latent_paint", label="Cube", state="succeeded", attempt=1, created_ms=0
    )
    bench.session = bench.fresh_session()
    bench.connect()
    bench.until(lambda: any(j.state == "succeeded" for j in bench.session.jobs.values()))
    again = bench.session.jobs[job.request_id]
    assert again.record["target"] == {"uid": "u", "digest": "d"}
    assert again.warnings == ["Mind this."]
    assert bench.session.result(again)["texture.png"][1] == PNG


UNKNOWN = messages.Fault(code="job.unknown", sentence="There is no job 'x'.")
FULL = messages.Fault(code="protocol.bad", sentence="A client follows 256 jobs at the most.")


@pytest.mark.parametrize(
    ("refusal", "sentence"), [(UNKNOWN, "The job is no longer at the server."), (FULL, FULL.sentence)]
)
def test_a_job_that_cannot_be_followed_fails_with_a_sentence(
    bench: Any, refusal: messages.Fault, sentence: str
) -> None:
    job = accepted(bench)
    bench.server.refuse_follow[job.job_id] = refusal
    bench.connect()
    bench.until(lambda: job.finished, turns=200)
    assert job.fault is not None
    assert (job.state, job.fault.code, job.fault.sentence) == ("failed", refusal.code, sentence)
    assert not bench.session.busy


@pytest.mark.parametrize("others", [0, 499, 500])
def test_a_job_that_a_whole_list_lacks_is_gone(bench: Any, others: int) -> None:
    job = accepted(bench)
    info = bench.server.jobs.pop(job.job_id)
    for number in range(others):
        bench.server.jobs[f"other-{number}"] = msgspec.structs.replace(info, job_id=f"other-{number}")
    listed = []
    on_listed = bench.session._on_listed
    bench.session._on_listed = lambda jobs: (on_listed(jobs), listed.append(len(jobs)))
    bench.connect()
    bench.until(lambda: bool(listed))
    assert listed == [others]
    assert job.state == ("queued" if others == session.LISTED else "failed")
    assert job.fault is None or job.fault.sentence == "The job is no longer at the server."


def test_finished_jobs_are_not_followed_again(bench: Any) -> None:
    done = accepted(bench)
    bench.server.tell(done.job_id, messages.StateBody(state="failed", attempt=1))
    bench.until(lambda: done.finished)
    bench.server.tell(done.job_id, messages.FailedBody(fault=FULL))
    bench.until(lambda: done.fault is not None)
    going = submit(bench)
    bench.until(lambda: len(bench.server.follows) == 2)
    bench.server.follows.clear()
    bench.session._client.link.reconnected()
    bench.until(lambda: bool(bench.server.follows))
    assert [follow.job_id for _, follow in bench.server.follows.values()] == [going.job_id]


def test_jobs_of_other_clients_are_not_listed(bench: Any) -> None:
    bench.server.jobs["job-of-another"] = messages.JobInfo(
        job_id="job-of-another", method="latent_paint", label="X", state="running", attempt=1, created_ms=0
    )
    accepted(bench)
    assert [job.label for job in bench.session.jobs.values()] == ["Cube"]


def test_a_wrong_token_is_told(bench: Any) -> None:
    bench.session = session.Session(bench.session._kept, "a test", token_of=lambda port: None)
    bench.session.connect(local_server.Address("127.0.0.1", bench.server.port))
    bench.until(lambda: bench.session.state == "REFUSED")
    told = [e for e in bench.events if isinstance(e, session.ConnectionChanged) and e.fault]
    assert told[-1].fault.code == "token.wrong"


def test_a_server_that_came_back_with_another_token_is_spoken_to_again(bench: Any) -> None:
    job = accepted(bench)
    port = bench.server.port
    old = bench.server
    old.close()
    bench.server = type(old)(port)
    bench.server.token = "another"
    bench.server.blobs, bench.server.jobs, bench.server.history = old.blobs, old.jobs, old.history
    bench.server.tell(job.job_id, messages.ProgressBody(step=1, total=2, stage="paint"))
    bench.until(lambda: job.step == 1, turns=6000)
    assert bench.session.state == "READY"


def test_jobs_are_given_up_when_the_data_folder_is_another(bench: Any) -> None:
    job = accepted(bench)
    port = bench.server.port
    bench.server.close()
    bench.server = type(bench.server)(port)
    bench.server.folder_id = "folder-2"
    bench.until(lambda: job.finished, turns=6000)
    assert job.fault is not None
    assert job.fault.code == "job.unknown"


def test_a_snapshot_shows_its_picture_once_the_uvs_are_there(bench: Any) -> None:
    bench.session.preview_px = 256
    job = accepted(bench)
    assert next(iter(bench.server.follows.values()))[1].preview == messages.PreviewWish(max_px=256)
    uvs = bench.server.keep("uv", "uv.bin", UVS.tobytes(), "f4", UVS.shape)
    for step in (1, 2):
        picture = np.full((4, 4, 4), step, np.uint8)
        body = messages.SnapshotBody(
            step=step, items=(uvs,), preview=arrays.FrameArray(dtype="u1", shape=(4, 4, 4))
        )
        bench.server.tell(job.job_id, body, [picture.tobytes()])

        def shown() -> list[jobs.PreviewArrived]:
            return [e for e in bench.events if isinstance(e, jobs.PreviewArrived)]

        bench.until(lambda: bool(shown()) and (shown()[-1].picture == picture).all())  # noqa: B023
    assert np.array_equal(shown()[-1].uvs, UVS)


def test_submitting_without_a_connection_is_refused(bench: Any) -> None:
    with pytest.raises(errors.UserError) as caught:
        submit(bench)
    assert caught.value.code == "address.no_answer"


def test_closing_fails_what_was_not_sent(bench: Any) -> None:
    bench.connect()
    job = submit(bench)
    bench.session.close()
    assert job.state == "failed"
    assert bench.session.state == "OFF"
