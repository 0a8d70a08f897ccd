"""The engine in this process, stand-in methods in a real worker: what it refuses, orders and survives."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from maquette_server import config
from maquette_server.engine import blobs, engine, executor, journal, runner
from maquette_server.engine import worker_messages as wire
from maquette_wire import arrays, messages
from maquette_wire.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> config.Config:
    path = [str(ROOT / part) for part in ("server", "shared", "tests/server")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.syspath_prepend(path[-1])
    limits = config.Limits(jobs=4)
    return config.Config(method_packages=("standins",), checkpoint_seconds=0.1, limits=limits)


@pytest.fixture
def jobs(tmp_path: Path, settings: config.Config) -> Iterator[engine.JobEngine]:
    made = engine.JobEngine(tmp_path / "folder", settings, devices=("cpu",))
    yield made
    made.close()


def request(method: str, name: str = "", **fields: Any) -> messages.Submit:
    return messages.Submit(request_id=name or os.urandom(8).hex(), method=method, **fields)


def until(jobs: engine.JobEngine, job_id: str, state: str) -> list[messages.EventBody]:
    """Pumps until the job is so; the bodies of its events."""
    bodies = []
    for _ in range(3000):
        bodies += [event.body for event in jobs.pump(0.05) if event.job_id == job_id]
        if jobs.view(job_id).state == state:
            return bodies
    raise AssertionError(jobs.view(job_id))


@pytest.mark.parametrize(
    ("method", "fields", "code"),
    [
        ("no_such", {}, "method.unknown"),
        ("counter", {"params": {"stepz": 1}}, "params.bad"),
        ("counter", {"params": {"steps": 0}}, "params.bad"),
        ("counter", {"params": {"label": "x" * 100_000}}, "params.bad"),
        ("painter", {}, "input.bad"),
        ("raiser", {"params": {"what": "user"}, "inputs": "texture"}, "input.bad"),
        ("counter", {"inputs": "two textures"}, "input.bad"),
        ("counter", {"inputs": "texture"}, "blob.missing"),
        ("counter", {"inputs": "wrong size"}, "blob.bad"),
    ],
)
def test_what_cannot_be_done_is_refused_before_it_is_queued(
    jobs: engine.JobEngine, method: str, fields: dict[str, Any], code: str
) -> None:
    known = jobs.put_bytes(b"known")
    unknown = messages.TextureInput(image=messages.BlobRef(digest="0" * 64, size=3))
    wrong = messages.TextureInput(image=messages.BlobRef(digest=known.digest, size=3))
    kinds = {"texture": (unknown,), "two textures": (unknown, unknown), "wrong size": (wrong,)}
    fields = fields | {"inputs": kinds[fields["inputs"]]} if "inputs" in fields else fields
    with pytest.raises(UserError) as refused:
        jobs.submit(request(method, **fields))
    assert refused.value.code == code
    assert jobs.list() == ()
    assert jobs.pump() == []


def test_the_same_request_gives_the_same_job_and_another_one_is_refused(jobs: engine.JobEngine) -> None:
    first = jobs.submit(request("counter", "same"))
    assert jobs.submit(request("counter", "same")).job_id == first.job_id
    with pytest.raises(UserError) as refused:
        jobs.submit(request("counter", "same", seed=1))
    assert refused.value.code == "protocol.bad"
    assert len(jobs.list()) == 1


def test_the_queue_has_an_end(jobs: engine.JobEngine) -> None:
    for _ in range(4):
        jobs.submit(request("counter"))
    with pytest.raises(UserError) as refused:
        jobs.submit(request("counter"))
    assert refused.value.code == "quota.jobs"


def test_a_job_that_was_moved_runs_first(jobs: engine.JobEngine) -> None:
    names = [jobs.submit(request("counter")).job_id for _ in range(3)]
    jobs.control(names[2], "move", 0)
    until(jobs, names[1], "succeeded")
    finished = [event.job_id for event in jobs.follow() if isinstance(event.body, messages.ResultBody)]
    assert finished == [names[2], names[0], names[1]]


def test_a_paused_job_keeps_its_place(jobs: engine.JobEngine) -> None:
    first, second = (jobs.submit(request("counter")).job_id for _ in range(2))
    jobs.control(first, "pause")
    assert jobs.view(first).state == "paused"
    third = jobs.submit(request("counter")).job_id
    jobs.control(first, "resume")
    until(jobs, third, "succeeded")
    finished = [event.job_id for event in jobs.follow() if isinstance(event.body, messages.ResultBody)]
    assert finished == [first, second, third]


@pytest.mark.parametrize(
    ("what", "code"),
    [("user", "mesh.empty"), ("memory", "memory.full"), ("torch", "memory.full"), ("fault", "job.failed")],
)
def test_what_a_method_raises_becomes_a_fault(jobs: engine.JobEngine, what: str, code: str) -> None:
    job = jobs.submit(request("raiser", params={"what": what})).job_id
    until(jobs, job, "failed")
    fault = jobs.view(job).fault
    assert fault is not None
    assert fault.code == code
    if code == "job.failed":
        log = Path(fault.hint.split("'")[1]).read_text(encoding="utf-8")
        assert fault.log_id in log
        assert "a fault of ours" in log


def test_a_failed_job_can_be_resumed(jobs: engine.JobEngine, tmp_path: Path) -> None:
    job = jobs.submit(request("crasher")).job_id
    until(jobs, job, "failed")
    jobs.control(job, "resume")
    until(jobs, job, "failed")
    assert jobs.view(job).attempt == 4


@pytest.mark.parametrize("action", ["stop", "pause", "resume", "move"])
def test_a_finished_job_takes_no_commands(jobs: engine.JobEngine, action: engine.Action) -> None:
    job = jobs.submit(request("counter")).job_id
    until(jobs, job, "succeeded")
    with pytest.raises(UserError) as refused:
        jobs.control(job, action)
    assert refused.value.code == "job.wrong_state"


def test_a_job_that_is_unknown_is_refused(jobs: engine.JobEngine) -> None:
    with pytest.raises(UserError) as refused:
        jobs.control("nobody", "cancel")
    assert refused.value.code == "job.unknown"


def test_deleting_frees_what_only_this_job_used(jobs: engine.JobEngine) -> None:
    shared, own = jobs.put_bytes(b"shared"), jobs.put_bytes(b"own")

    def job(image: messages.BlobRef) -> str:
        return jobs.submit(request("counter", inputs=(messages.TextureInput(image=image),))).job_id

    keeping, first, second = job(shared), job(shared), job(own)
    until(jobs, second, "succeeded")
    for name in (first, second):
        assert jobs.control(name, "delete") is None
    assert [info.job_id for info in jobs.list()] == [keeping]
    assert jobs.blob_path(shared.digest).exists()
    with pytest.raises(UserError):
        jobs.blob_path(own.digest)


def test_only_the_last_three_snapshots_are_kept(jobs: engine.JobEngine) -> None:
    jobs.wishes = lambda job_id: messages.PreviewWish(max_px=16, min_ms=100)
    params = {"steps": 200, "seconds": 0.02, "preview": 16}
    job = jobs.submit(request("counter", params=params)).job_id
    taken: list[str] = []
    while len(taken) < 6:
        for event in jobs.pump(0.2):
            if isinstance(event.body, messages.SnapshotBody):
                taken.append(event.body.items[0].digest)
                assert event.preview is not None
    assert [jobs.blobs.has(digest) for digest in taken[-6:]] == [False] * 3 + [True] * 3
    jobs.control(job, "cancel")


def test_a_disk_that_is_full_for_the_front_pauses_the_job(
    jobs: engine.JobEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(store: blobs.BlobStore, file: Path, digest: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(blobs.BlobStore, "adopt", full)
        job = jobs.submit(request("counter")).job_id
        until(jobs, job, "paused")
    assert jobs.view(job).results == ()
    jobs.control(job, "resume")
    until(jobs, job, "succeeded")


def test_a_journal_that_cannot_be_written_pauses_the_job_and_ends_nothing(
    jobs: engine.JobEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = jobs.submit(request("counter", params={"steps": 20, "seconds": 0.02})).job_id
    until(jobs, job, "running")

    def full(book: journal.Journal, saved: journal.Job) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal.Journal, "save", full)
        until(jobs, job, "paused")
        with pytest.raises(UserError) as refused:
            jobs.control(job, "resume")
        assert refused.value.code == "disk.full"
    jobs.control(job, "resume")
    until(jobs, job, "succeeded")


def test_a_restart_goes_on_with_what_was_queued(tmp_path: Path, settings: config.Config) -> None:
    first = engine.JobEngine(tmp_path, settings, devices=("cpu",))
    names = [first.submit(request("counter", params={"steps": 50, "seconds": 0.02})).job_id for _ in range(2)]
    until(first, names[0], "running")
    last = first.close()[-1].body
    assert isinstance(last, messages.StateBody)
    assert last.state == "interrupted"
    second = engine.JobEngine(tmp_path, settings, devices=("cpu",))
    assert [info.state for info in second.list()] == ["queued", "queued"]
    second.close()


def test_a_start_removes_the_attempts_of_jobs_that_are_over_and_no_others(
    tmp_path: Path, settings: config.Config
) -> None:
    first = engine.JobEngine(tmp_path, settings, devices=("cpu",))
    succeeded = first.submit(request("counter")).job_id
    until(first, succeeded, "succeeded")
    failed = first.submit(request("raiser", params={"what": "user"})).job_id
    until(first, failed, "failed")
    interrupted = first.submit(request("counter", params={"steps": 50, "seconds": 0.02})).job_id
    until(first, interrupted, "running")
    paused, cancelled, queued = (first.submit(request("counter")).job_id for _ in range(3))
    first.control(paused, "pause")
    first.control(cancelled, "cancel")
    first.close()
    everyone = {succeeded, failed, interrupted, paused, cancelled, queued, "deleted"}
    for job in everyone:
        (tmp_path / "jobs" / job / "attempt-9").mkdir(parents=True)
    engine.JobEngine(tmp_path, settings, devices=("cpu",)).close()
    left = {path.parent.name for path in (tmp_path / "jobs").glob("*/attempt-9")}
    assert left == {failed, interrupted, paused, queued}


def test_a_folder_is_held_by_one(jobs: engine.JobEngine, tmp_path: Path, settings: config.Config) -> None:
    with pytest.raises(UserError) as refused:
        engine.JobEngine(tmp_path / "folder", settings, devices=("cpu",))
    assert refused.value.code == "data.in_use"
    assert str(os.getpid()) in refused.value.sentence


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:1"])
def test_a_device_that_is_not_there_is_named(tmp_path: Path, settings: config.Config, device: str) -> None:
    with pytest.raises(UserError) as refused:
        engine.JobEngine(tmp_path, settings, devices=(device,))
    assert refused.value.code == "device.unknown"
    engine.JobEngine(tmp_path, settings, devices=("cpu",)).close()


def test_releasing_without_a_worker_frees_nothing(jobs: engine.JobEngine) -> None:
    freed: list[float] = []
    jobs.release(freed.append)
    assert freed == [0.0]
    job = jobs.submit(request("counter")).job_id
    until(jobs, job, "succeeded")
    jobs.release(freed.append)
    while len(freed) < 2:
        jobs.pump(0.1)


def test_the_log_says_nothing_of_the_settings(
    jobs: engine.JobEngine, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("INFO")
    job = jobs.submit(request("counter", label="my cube", params={"label": "a secret prompt"})).job_id
    until(jobs, job, "succeeded")
    worker_log = (tmp_path / "folder" / "workers" / "cpu" / "worker.log").read_text(encoding="utf-8")
    assert "this must not reach the front" in worker_log, "what a method prints goes there"
    for text in (caplog.text, worker_log):
        assert job in text
        assert "secret" not in text


def test_an_array_input_of_another_size_is_refused(jobs: engine.JobEngine) -> None:
    ref = jobs.put_bytes(bytes(24))
    good = arrays.ArrayRef(dtype="f4", shape=(2, 3), digest=ref.digest)
    bad = arrays.ArrayRef(dtype="f4", shape=(3, 3), digest=ref.digest)
    mesh = messages.MeshInput(name="Cube", positions=good, triangles=bad)
    with pytest.raises(UserError) as refused:
        jobs.submit(request("painter", inputs=(mesh,)))
    assert refused.value.code == "blob.bad"


def test_the_word_of_an_old_attempt_is_refused(jobs: engine.JobEngine) -> None:
    job = jobs.submit(request("counter", params={"steps": 40, "seconds": 0.02})).job_id
    until(jobs, job, "running")
    (worker,) = jobs._executor.workers
    body = messages.ProgressBody(step=99, total=99, stage="forged")
    fault = messages.Fault(code="job.failed", sentence="No.")
    for message in (
        wire.Progressed(job_id=job, attempt=0, body=body),
        wire.Broke(job_id=job, attempt=2, fault=fault),
        wire.Cancelled(job_id="another", attempt=1),
    ):
        jobs._executor.said.put(executor.Said(worker, message))
    bodies = until(jobs, job, "succeeded")
    assert body not in bodies
    assert not [body for body in bodies if isinstance(body, messages.FailedBody)]


def test_cancel_while_a_model_loads_ends_the_worker_within_seconds_and_says_so(
    jobs: engine.JobEngine,
) -> None:
    job = jobs.submit(request("loader")).job_id
    while not any(isinstance(event.body, messages.WarningBody) for event in jobs.pump(0.1)):
        pass
    (worker,) = jobs._executor.workers
    assert worker.process is not None
    before, began = worker.process.pid, time.monotonic()
    jobs.control(job, "cancel")
    assert jobs.view(job).state == "cancelled"
    following = jobs.submit(request("counter")).job_id
    until(jobs, following, "succeeded")
    assert worker.process.pid != before
    assert time.monotonic() - began < 20
    said = [event.body for event in jobs.follow(job_id=job) if isinstance(event.body, messages.WarningBody)]
    assert said[-1].code == "worker.replaced"
    assert "within 1 s" in said[-1].sentence
    assert not (jobs._folder / "jobs" / job).exists()


def test_a_worker_that_heeds_a_cancel_keeps_its_models(jobs: engine.JobEngine) -> None:
    job = jobs.submit(request("counter", params={"steps": 1000, "seconds": 0.02})).job_id
    until(jobs, job, "running")
    (worker,) = jobs._executor.workers
    assert worker.process is not None
    before = worker.process.pid
    while not any(isinstance(event.body, messages.ProgressBody) for event in jobs.pump(0.1)):
        pass
    jobs.control(job, "cancel")
    until(jobs, jobs.submit(request("counter")).job_id, "succeeded")
    assert worker.process.pid == before
    assert not [event for event in jobs.follow(job_id=job) if isinstance(event.body, messages.WarningBody)]


def test_a_fault_of_the_front_about_one_job_ends_that_job_alone(
    jobs: engine.JobEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, broken = runner.Runner._attempted, []

    def stumble(self: Any, run: Any, message: Any) -> None:
        if not broken:
            broken.append(message)
            raise RuntimeError("a fault of ours")
        real(self, run, message)

    monkeypatch.setattr(runner.Runner, "_attempted", stumble)
    first = jobs.submit(request("counter")).job_id
    until(jobs, first, "failed")
    fault = jobs.view(first).fault
    assert fault is not None
    assert fault.code == "job.failed"
    assert fault.log_id
    until(jobs, jobs.submit(request("counter")).job_id, "succeeded")
