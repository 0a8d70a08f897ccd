"""The service without a socket: parts in, parts out, and no input that it does not answer."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from maquette_server import config, outbox, previews, service
from maquette_server.engine import engine, executor, journal, pictures
from maquette_wire import PROTOCOL, arrays, codec, messages

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "the token"


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[engine.JobEngine]:
    path = [str(ROOT / part) for part in ("server", "shared", "tests/server")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.syspath_prepend(path[-1])
    limits = config.Limits(clients=2, blob=1000)
    settings = config.Config(method_packages=("standins",), limits=limits)
    made = engine.JobEngine(tmp_path, settings, devices=("cpu",))
    yield made
    made.close()


class Desk:
    """A service with clients that need no sockets."""

    def __init__(self, jobs: engine.JobEngine) -> None:
        self.jobs = jobs
        self.service = service.Service(jobs, TOKEN)

    def answers(self, client: bytes = b"a") -> list[Any]:
        found = []
        while (parts := self.service.first(client)) is not None:
            found.append(codec.decode_server(list(parts))[0])
            self.service.sent(client)
        return found

    def ask(self, message: messages.Message, client: bytes = b"a", frames: list[Any] | None = None) -> Any:
        self.service.handle(client, codec.encode(message, frames))
        found = self.answers(client)
        return found[0] if found else None

    def hello(self, client: bytes = b"a", **fields: Any) -> Any:
        fields = {"protocol": PROTOCOL, "version": "0", "token": TOKEN, "client": "somebody"} | fields
        return self.ask(messages.Hello(request_id="hello", **fields), client)

    def code(self, message: messages.Message, frames: list[Any] | None = None) -> str:
        """With which code a request is refused."""
        answer = self.ask(message, frames=frames)
        assert isinstance(answer, messages.Refused), answer
        assert answer.request_id == message.request_id
        return answer.fault.code


@pytest.fixture
def desk(jobs: engine.JobEngine) -> Desk:
    return Desk(jobs)


@pytest.fixture
def known(desk: Desk) -> Desk:
    """A desk at which client `a` has said hello."""
    assert isinstance(desk.hello(), messages.Welcome)
    return desk


def test_welcome_says_what_the_client_must_know(desk: Desk) -> None:
    welcome = desk.hello()
    assert welcome.protocol == PROTOCOL
    assert welcome.folder_id == desk.jobs.folder_id
    assert "counter" in welcome.methods
    assert welcome.max_blob == 1000


def test_a_hello_that_does_not_fit_is_refused_with_the_reason(desk: Desk) -> None:
    assert desk.hello(protocol=PROTOCOL + 1).fault.code == "protocol.mismatch"
    assert desk.hello(token="").fault.code == "token.wrong"
    assert desk.hello(token="ü" * 50).fault.code == "token.wrong"
    assert desk.code(messages.ListJobs(request_id="x")) == "token.wrong"


def test_clients_are_counted_until_they_are_gone(desk: Desk) -> None:
    for client in (b"a", b"b", b"a"):
        assert isinstance(desk.hello(client), messages.Welcome)
    assert desk.hello(b"c").fault.code == "quota.clients"
    desk.service.forget(b"a")
    assert isinstance(desk.hello(b"c"), messages.Welcome)
    assert desk.code(messages.ListJobs(request_id="x")) == "token.wrong"


def test_blobs_go_in_and_come_out(known: Desk) -> None:
    data = os.urandom(700)
    digest = arrays.digest_of(data)
    blob = messages.BlobRef(digest=digest, size=700)
    missing = known.ask(messages.HaveBlobs(request_id="a", blobs=(blob,)))
    assert missing.missing == (messages.BlobOffset(digest=digest, offset=0),)
    put = messages.PutChunk(request_id="b", digest=digest, size=700, offset=0)
    assert known.ask(put, frames=[data]).offset == 700
    assert known.ask(messages.HaveBlobs(request_id="c", blobs=(blob,))).missing == ()
    known.service.handle(b"a", codec.encode(messages.GetBlob(request_id="d", digest=digest, offset=600)))
    answer, frames = codec.decode_server(list(known.service.first(b"a") or ()))
    assert isinstance(answer, messages.Chunk)
    assert bytes(frames[0]) == data[600:]


def test_requests_that_cannot_be_done_are_refused_by_their_id(known: Desk) -> None:
    nothing = "0" * 64
    put = messages.PutChunk(request_id="a", digest=nothing, size=5, offset=0)
    assert known.code(put) == "protocol.bad"
    assert known.code(put, [b"12345"]) == "blob.bad"
    assert known.code(messages.GetBlob(request_id="b", digest=nothing)) == "blob.missing"
    big = messages.BlobRef(digest=nothing, size=1001)
    assert known.code(messages.HaveBlobs(request_id="c", blobs=(big,))) == "blob.too_large"
    assert known.code(messages.Submit(request_id="d", method="?")) == "method.unknown"
    assert known.code(messages.Control(request_id="e", job_id="x", action="cancel")) == "job.unknown"
    assert known.code(messages.ListJobs(request_id="f", job_id="x")) == "job.unknown"
    assert known.code(messages.CheckModel(request_id="g", name="x")) == "model.not_found"
    assert known.code(messages.DeleteScene(request_id="h", scene="x")) == "scene.unknown"
    assert known.ask(messages.ListScenes(request_id="i")).scenes == ()


def test_models_are_listed_with_what_the_panel_shows(known: Desk) -> None:
    pocket, editor = known.ask(messages.ListModels(request_id="a")).models
    assert (pocket.name, pocket.default, pocket.kind) == ("pocket", True, "text_to_image")
    assert "red" in pocket.vocabulary
    assert pocket.notice
    assert (editor.name, editor.default, editor.kind) == ("pocket-edit", True, "instruct_edit")
    assert known.ask(messages.CheckModel(request_id="b", name="pocket")).models == (pocket,)


def test_events_reach_those_who_follow_and_only_those(known: Desk) -> None:
    known.hello(b"b")
    job = known.ask(messages.Submit(request_id="j", method="counter")).job.job_id
    known.ask(messages.Follow(request_id="f", job_id=job))
    other = known.ask(messages.Submit(request_id="k", method="counter")).job.job_id
    known.ask(messages.Follow(request_id="g", job_id=other), b"b")
    while known.jobs.view(job).state != "succeeded":
        known.service.publish(known.jobs.pump(0.1))
    events = known.answers()
    assert {(event.request_id, event.job_id) for event in events} == {("f", job)}
    assert [event.body.state for event in events if isinstance(event.body, messages.StateBody)][-1] == (
        "succeeded"
    )
    assert {(event.request_id, event.job_id) for event in known.answers(b"b")} == {("g", other)}


def test_a_job_that_is_unknown_cannot_be_followed(known: Desk) -> None:
    assert known.code(messages.Follow(request_id="f", job_id="nobody")) == "job.unknown"


def test_a_client_follows_a_bounded_number_of_jobs(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "MAX_FOLLOWS", 2)
    jobs = [known.ask(messages.Submit(request_id=f"j{n}", method="counter")).job.job_id for n in range(3)]
    for job in jobs[:2] * 2:  # the same job again counts once
        assert not isinstance(known.ask(messages.Follow(request_id="f", job_id=job)), messages.Refused)
        known.answers()
    assert known.code(messages.Follow(request_id="g", job_id=jobs[2])) == "protocol.bad"


def run_to(desk: Desk, job: str, state: str) -> list[Any]:
    """Serves until the job is so; what client `a` was told."""
    while desk.jobs.view(job).state != state:
        desk.service.publish(desk.jobs.pump(0.1))
    return desk.answers()


def test_jobs_that_are_over_do_not_use_up_what_a_client_may_follow(
    known: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_FOLLOWS", 2)
    for number in range(4):
        job = known.ask(messages.Submit(request_id=f"j{number}", method="counter")).job.job_id
        known.service.handle(b"a", codec.encode(messages.Follow(request_id=f"f{number}", job_id=job)))
        told = run_to(known, job, "succeeded")
        assert not [answer for answer in told if isinstance(answer, messages.Refused)]
        assert told[-1].body == messages.StateBody(state="succeeded", attempt=1)
    known.hello()  # as after a lost connection
    for number in range(3):
        known.service.handle(b"a", codec.encode(messages.Follow(request_id=f"g{number}", job_id=job)))
        assert known.answers()[-1].body == messages.StateBody(state="succeeded", attempt=1)


def test_a_job_that_failed_is_followed_until_another_needs_the_place(
    known: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "MAX_FOLLOWS", 2)
    failed = []
    for number in range(2):
        submit = messages.Submit(request_id=f"j{number}", method="raiser", params={"what": "user"})
        failed.append(known.ask(submit).job.job_id)
        known.ask(messages.Follow(request_id=f"f{number}", job_id=failed[-1]))
        run_to(known, failed[-1], "failed")
    known.jobs.control(failed[0], "resume")
    assert run_to(known, failed[0], "failed")[-1].request_id == "f0"
    job = known.ask(messages.Submit(request_id="k", method="counter")).job.job_id
    known.ask(messages.Follow(request_id="g", job_id=job))
    assert run_to(known, job, "succeeded")[-1].request_id == "g"
    for again, names in ((failed[1], {"f1"}), (failed[0], set())):
        known.jobs.control(again, "resume")
        assert {answer.request_id for answer in run_to(known, again, "failed")} == names


def test_pictures_that_wait_for_one_owner_are_bounded(tmp_path: Path) -> None:
    late: list[pictures.Picture] = []
    waiting = pictures.Pictures(executor.Executor(tmp_path, (), 1, lambda: None), "")
    item = messages.ResultItem(role="texture", name="t.png", digest="0" * 64, size=1)
    ref = arrays.ArrayRef(dtype="f4", shape=(0, 3), digest="0" * 64)
    mesh = messages.MeshInput(name="Cube", positions=ref, triangles=ref)
    request = messages.Submit(request_id="r", method="painter", inputs=(mesh,))
    job = journal.Job("job", request, "", 0, results=(item,))
    identity = tuple(tuple(float(i == j) for j in range(4)) for i in range(4))
    for number in range(100):
        view = messages.View(
            request_id="v", view_id=str(number), scene="job", camera=identity, fov_y=1.0, width=8, height=8
        )
        waiting.ask(job, view, "owner", late.append)
    assert len(late) == 100 - pictures.MAX_WAITING
    assert {picture.fault.code for picture in late if picture.fault} == {"view.late"}


def test_a_stranger_may_send_a_greeting_and_no_more(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(parts: list[Any]) -> Any:
        raise AssertionError("what a stranger sends is not decoded")

    put = messages.PutChunk(request_id="put", digest="0" * 64, size=2**20, offset=0)
    with monkeypatch.context() as patch:
        patch.setattr(codec, "decode_client", decode)
        assert desk.ask(put, frames=[bytes(2**20)]).request_id == "put"
        desk.service.handle(b"a", [bytes(2**20)])
        assert desk.answers()[0].fault.code == "token.wrong"
    assert isinstance(desk.hello(), messages.Welcome)


def test_refusals_that_a_stranger_does_not_read_do_not_pile_up(desk: Desk) -> None:
    for _ in range(5000):
        desk.service.handle(b"a", [b"x"])
    assert (
        sum(len(part) for parts in desk.service._strangers[b"a"]._waiting.values() for part in parts) < 70_000
    )


def test_a_message_of_too_many_parts_is_refused_by_its_id(known: Desk) -> None:
    assert known.code(messages.ListJobs(request_id="a"), frames=[b"x"] * 2) == "protocol.bad"


def event(number: int, body: messages.EventBody, job: str = "job", preview: Any = None) -> engine.EngineEvent:
    return engine.EngineEvent(number, job, 0, body, preview)


def test_newer_progress_takes_the_place_of_older_and_nothing_else_is_lost(known: Desk) -> None:
    known.ask(messages.Follow(request_id="f"))
    fault = messages.Fault(code="job.failed", sentence="No.")
    known.service.publish(
        [
            event(1, messages.ProgressBody(step=1, total=9, stage="x")),
            event(2, messages.StateBody(state="running", attempt=1)),
            event(3, messages.ProgressBody(step=2, total=9, stage="x")),
            event(4, messages.ProgressBody(step=1, total=9, stage="x"), "other"),
            event(5, messages.ProgressBody(step=3, total=9, stage="x")),
            event(6, messages.FailedBody(fault=fault)),
        ]
    )
    assert [answer.number for answer in known.answers()] == [2, 4, 5, 6]


def test_each_follower_gets_the_preview_it_asked_for(known: Desk) -> None:
    known.hello(b"b")
    known.ask(messages.Follow(request_id="f", preview=messages.PreviewWish(max_px=20, min_ms=60_000)))
    known.ask(messages.Follow(request_id="g"), b"b")
    picture = np.zeros((60, 30, 4), np.uint8)
    for number in (1, 2):
        known.service.publish([event(number, messages.SnapshotBody(step=number, items=()), preview=picture)])
    (one,) = known.answers()
    assert one.body.preview.shape == (20, 10, 4)
    assert [answer.body.preview for answer in known.answers(b"b")] == [None, None]
    assert known.jobs.wishes("job") == messages.PreviewWish(max_px=20, min_ms=60_000)
    known.service.forget(b"a")
    assert known.jobs.wishes("job") is None


def test_a_view_of_nothing_is_refused(known: Desk) -> None:
    rows = ((1.0, 0.0, 0.0, 0.0),) * 4
    view = messages.View(request_id="v", view_id="v", scene="x", camera=rows, fov_y=1.0, width=8, height=8)
    assert known.code(view) == "scene.unknown"
    job = known.ask(messages.Submit(request_id="j", method="counter")).job.job_id
    assert known.code(msgspec.structs.replace(view, scene=job)) == "view.nothing"


def test_a_fault_of_ours_is_answered_and_logged(
    known: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(known.jobs, "models", broken)
    answer = known.ask(messages.ListModels(request_id="a"))
    assert answer.fault.code == "server.fault"
    assert answer.fault.log_id in caplog.text


def test_a_client_that_does_not_read_is_forgotten(known: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_BYTES", 10_000)
    for _ in range(1000):
        known.service.handle(b"a", codec.encode(messages.ListModels(request_id="a")))
    assert len(known.service.clients) <= 1
    assert known.hello().protocol == PROTOCOL


def test_no_garbage_goes_unanswered_or_does_harm(known: Desk) -> None:
    dice = random.Random(3)
    good = codec.encode(messages.Submit(request_id="a", method="counter", params={"steps": 3}))[0]
    for _ in range(2000):
        header = bytearray(good)
        for _ in range(dice.randrange(1, 4)):
            header[dice.randrange(len(header))] = dice.randrange(256)
        if dice.random() < 0.3:
            header = header[: dice.randrange(len(header))]
        known.service.handle(b"a", [bytes(header), *[dice.randbytes(5)] * dice.randrange(3)])
        assert len(known.answers()) == 1
    for parts in ([], [b""], [b"\xc1"], [b"\x91" * 50_000], [bytes(2 * 2**20)], [b"x"] * 100):
        known.service.handle(b"a", list(parts))
        (answer,) = known.answers()
        assert isinstance(answer, messages.Refused)
    assert isinstance(known.hello(), messages.Welcome)


@pytest.mark.parametrize("shape", [(10, 10), (600, 3), (7, 1001), (512, 512), (1, 1)])
@pytest.mark.parametrize("max_px", [16, 100, 4096])
def test_a_preview_is_no_larger_than_asked_for_and_keeps_its_colour(
    shape: tuple[int, int], max_px: int
) -> None:
    picture = np.full((*shape, 4), 77, np.uint8)
    small = previews.scaled(picture, max_px)
    assert max(small.shape[:2]) <= max_px
    assert (small == 77).all()
    if max(shape) <= max_px:
        assert small.shape == picture.shape


def test_a_list_of_jobs_that_is_too_long_has_the_newest(known: Desk) -> None:
    settings = {"label": "x" * 60_000}
    for number in range(30):
        job = known.ask(messages.Submit(request_id=f"j{number}", method="counter", params=settings)).job
        known.ask(messages.Control(request_id="c", job_id=job.job_id, action="cancel"))
    listed = known.ask(messages.ListJobs(request_id="l")).jobs
    assert 5 < len(listed) < 30
    assert listed[0].job_id == job.job_id
