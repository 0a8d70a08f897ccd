"""The client's state machine against a small server in memory, with connections that end at any point."""

import hashlib
from dataclasses import dataclass, field

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from maquette_wire import PROTOCOL, codec, happenings, link, messages, uploads
from maquette_wire.arrays import FrameArray

MIB = 1024 * 1024


@dataclass
class MemoryServer:
    """Protocol 1 in memory: blobs, jobs by request id, one list of events; a restart forgets who greeted."""

    folder_id: str = "folder-a"
    max_blob: int = 2**31
    greeted: bool = False
    blobs: dict[str, bytearray] = field(default_factory=dict)
    jobs: dict[str, messages.JobInfo] = field(default_factory=dict)
    events: list[tuple[int, str, messages.EventBody]] = field(default_factory=list)
    follows: list[messages.Follow] = field(default_factory=list)
    heard: list[messages.Message] = field(default_factory=list)
    told: int = 0
    chunks_unread: int = 0

    def job(self, request_id: str) -> messages.JobInfo:
        return self.jobs.setdefault(
            request_id,
            messages.JobInfo(
                job_id=f"job-{len(self.jobs)}",
                method="m",
                label="l",
                state="queued",
                attempt=0,
                created_ms=0,
            ),
        )

    def restart(self) -> None:
        self.greeted = False
        self.follows.clear()

    def hear(self, parts: list[codec.Part]) -> list[list[codec.Part]]:
        message, frames = codec.decode_client(parts)
        self.heard.append(message)
        name = message.request_id
        if isinstance(message, messages.Hello):
            self.greeted = True
            welcome = messages.Welcome(
                request_id=name,
                protocol=PROTOCOL,
                version="9",
                folder_id=self.folder_id,
                last_event=len(self.events),
                device="cpu",
                max_blob=self.max_blob,
                max_jobs=64,
            )
            return [codec.encode(welcome)]
        if not self.greeted:
            return [self.refuse(name, "token.wrong")]
        match message:
            case messages.HaveBlobs():
                missing = tuple(
                    messages.BlobOffset(digest=b.digest, offset=len(self.blobs.get(b.digest, b"")))
                    for b in message.blobs
                    if b.digest not in self.blobs or len(self.blobs[b.digest]) < b.size
                )
                return [codec.encode(messages.MissingBlobs(request_id=name, missing=missing))]
            case messages.PutChunk():
                self.chunks_unread += 1
                blob = self.blobs.setdefault(message.digest, bytearray())
                if message.offset == len(blob):
                    blob += frames[0]
                return [self.chunk(name, message.digest, message.size, len(blob))]
            case messages.GetBlob():
                blob = self.blobs[message.digest]
                part = bytes(blob[message.offset : message.offset + message.length])
                answer = messages.Chunk(
                    request_id=name, digest=message.digest, size=len(blob), offset=message.offset
                )
                return [codec.encode(answer, [part])]
            case messages.Submit():
                for one in message.inputs:
                    assert isinstance(one, messages.TextureInput)
                    if one.image.digest not in self.blobs:
                        return [self.refuse(name, "blob.missing")]
                return [codec.encode(messages.Accepted(request_id=name, job=self.job(name)))]
            case messages.Follow():
                self.follows = [f for f in self.follows if f.request_id != name] + [message]
                return [
                    self.event(message.request_id, *e)
                    for e in self.events
                    if e[0] > message.after and message.job_id in (None, e[1])
                ]
            case messages.ListJobs():
                return [codec.encode(messages.Jobs(request_id=name, jobs=tuple(self.jobs.values())))]
            case _:
                return [codec.encode(messages.Accepted(request_id=name))]

    def happens(self, job_id: str, body: messages.EventBody) -> list[list[codec.Part]]:
        number = len(self.events) + 1
        self.events.append((number, job_id, body))
        return [
            self.event(f.request_id, number, job_id, body) for f in self.follows if f.job_id in (None, job_id)
        ]

    def event(self, name: str, number: int, job_id: str, body: messages.EventBody) -> list[codec.Part]:
        event = messages.Event(request_id=name, number=number, job_id=job_id, time_ms=0, body=body)
        return codec.encode(event)

    def refuse(self, name: str, code: str) -> list[codec.Part]:
        fault = messages.Fault(code=code, sentence="No.")
        return codec.encode(messages.Refused(request_id=name, fault=fault, protocol=PROTOCOL, version="9"))

    def chunk(self, name: str, digest: str, size: int, offset: int) -> list[codec.Part]:
        return codec.encode(messages.Chunk(request_id=name, digest=digest, size=size, offset=offset))


@dataclass
class Connection:
    """Two queues between a link and a server; `cut` loses what is in them."""

    link: link.Link
    server: MemoryServer
    to_server: list[list[codec.Part]] = field(default_factory=list)
    to_client: list[list[codec.Part]] = field(default_factory=list)
    happened: list[happenings.Happening] = field(default_factory=list)
    now: float = 1.0

    def send(self) -> None:
        self.to_server += self.link.outgoing()

    def server_step(self, count: int = 1) -> None:
        for _ in range(min(count, len(self.to_server))):
            self.to_client += self.server.hear(self.to_server.pop(0))

    def client_step(self, count: int = 1) -> None:
        for _ in range(min(count, len(self.to_client))):
            self.happened += self.link.receive(self.to_client.pop(0))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.happened += self.link.tick(self.now)

    def cut(self, noticed: bool = True) -> None:
        self.to_server.clear()
        self.to_client.clear()
        self.server.restart()
        if noticed:
            self.happened += self.link.reconnected()

    def settle(self) -> None:
        for _ in range(10_000):
            self.send()
            self.server_step(1000)
            self.client_step(1000)
            self.pass_time(0.5)
            if self.link.idle and not self.to_client:
                return
        raise AssertionError("the link does not come to rest")

    def of(self, kind: type) -> list:
        return [h for h in self.happened if isinstance(h, kind)]


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def texture(data: bytes) -> messages.TextureInput:
    return messages.TextureInput(image=messages.BlobRef(digest=digest(data), size=len(data)))


def bytes_of(size: int, seed: int = 0) -> bytes:
    return np.random.default_rng(seed).bytes(size)


def submit(made: Connection, *blobs: bytes, request_id: str = "") -> str:
    return made.link.submit(
        "m", tuple(texture(b) for b in blobs), {digest(b): b for b in blobs}, request_id=request_id
    )


@pytest.fixture
def made() -> Connection:
    connection = Connection(link.Link("test", "token"), MemoryServer())
    connection.pass_time(0)
    return connection


def test_the_first_message_is_a_hello_and_nothing_goes_before_the_welcome(made: Connection) -> None:
    made.link.list_jobs()
    made.send()
    made.send()
    assert [type(codec.decode_client(p)[0]).__name__ for p in made.to_server] == ["Hello"]
    made.settle()
    assert made.link.connected
    assert made.link.server_version == "9"
    assert len(made.of(happenings.JobsListed)) == 1


def test_a_job_is_submitted_after_its_blobs_are_there(made: Connection) -> None:
    data = bytes_of(3 * MIB + 17)
    name = submit(made, data)
    made.settle()
    assert made.server.blobs[digest(data)] == data
    kinds = [type(m).__name__ for m in made.server.heard]
    assert kinds == ["Hello", "HaveBlobs", *["PutChunk"] * 4, "Submit"]
    accepted = made.of(happenings.SubmitAccepted)
    assert [a.request_id for a in accepted] == [name]
    assert made.of(happenings.UploadProgress)[-1].sent == len(data)


def test_a_blob_that_the_server_has_is_not_sent(made: Connection) -> None:
    data = bytes_of(2 * MIB)
    made.server.blobs[digest(data)] = bytearray(data)
    submit(made, data)
    made.settle()
    assert not any(isinstance(m, messages.PutChunk) for m in made.server.heard)
    assert len(made.of(happenings.SubmitAccepted)) == 1


def test_a_blob_goes_on_from_the_offset_the_server_has(made: Connection) -> None:
    data = bytes_of(3 * MIB)
    made.server.blobs[digest(data)] = bytearray(data[: MIB + 5])
    submit(made, data)
    made.settle()
    assert made.server.blobs[digest(data)] == data
    offsets = [m.offset for m in made.server.heard if isinstance(m, messages.PutChunk)]
    assert offsets == [MIB + 5, 2 * MIB + 5]


def test_an_empty_blob_arrives(made: Connection) -> None:
    submit(made, b"")
    made.settle()
    assert made.server.blobs == {digest(b""): bytearray()}
    made.link.download(digest(b""), 0)
    made.settle()
    assert made.of(happenings.Downloaded)[0].data == b""


def test_no_more_than_eight_chunks_are_unanswered_and_a_cancel_goes_before_the_next(made: Connection) -> None:
    made.settle()
    submit(made, bytes_of(12 * MIB))
    made.send()
    made.server_step()
    made.client_step()
    made.send()
    made.send()
    assert len(made.to_server) == codec.CHUNKS_IN_FLIGHT
    made.server_step()
    made.client_step()
    made.link.control("job-0", "cancel")
    kinds = [type(codec.decode_client(parts)[0]) for parts in made.link.outgoing()]
    assert kinds == [messages.Control, messages.PutChunk]


def test_a_chunk_is_a_view_and_not_a_copy(made: Connection) -> None:
    data = bytearray(bytes_of(2 * MIB))
    made.settle()
    made.link.upload({digest(data): data})
    made.send()
    made.server_step()
    made.client_step()
    put = made.link.outgoing()[0]
    assert isinstance(put[1], memoryview)
    assert put[1].obj is data


def test_a_numpy_array_is_a_blob(made: Connection) -> None:
    array = np.arange(300_000, dtype="<f8").reshape(3, -1)
    made.link.upload({digest(array.tobytes()): array})
    made.settle()
    assert made.server.blobs[digest(array.tobytes())] == array.tobytes()


def test_a_file_that_cannot_be_read_fails_its_submission_only(made: Connection) -> None:
    class Gone:
        size = 10

        def read(self, offset: int, length: int) -> bytes:
            raise OSError("it is gone")

    data = bytes_of(100)
    bad = made.link.submit("m", (), {"0" * 64: Gone()})
    good = submit(made, data)
    made.settle()
    assert [(f.request_id, f.fault.code) for f in made.of(happenings.RequestFailed)] == [(bad, "input.bad")]
    assert [a.request_id for a in made.of(happenings.SubmitAccepted)] == [good]


def test_a_blob_over_the_limit_is_refused_before_a_byte_is_sent(made: Connection) -> None:
    made.server.max_blob = 1000
    submit(made, bytes_of(1001))
    made.settle()
    assert made.of(happenings.RequestFailed)[0].fault.code == "blob.too_large"
    assert [type(m).__name__ for m in made.server.heard] == ["Hello"]


def test_two_submissions_with_the_same_blob_send_it_once(made: Connection) -> None:
    data = bytes_of(5 * MIB)
    names = {submit(made, data), submit(made, data)}
    made.settle()
    assert sum(isinstance(m, messages.PutChunk) for m in made.server.heard) == 5
    assert {a.request_id for a in made.of(happenings.SubmitAccepted)} == names


def test_many_small_blobs_are_asked_for_in_messages_that_fit(made: Connection) -> None:
    blobs = {digest(b): b for b in (i.to_bytes(4, "little") for i in range(uploads.BLOBS_A_QUESTION + 3))}
    made.link.upload(blobs)
    made.settle()
    assert len(made.server.blobs) == len(blobs)
    assert sum(isinstance(m, messages.HaveBlobs) for m in made.server.heard) == 2


def test_blobs_that_went_missing_before_the_submission_are_sent_again(made: Connection) -> None:
    data = bytes_of(10)
    submit(made, data)
    while not any(isinstance(m, messages.PutChunk) for m in made.server.heard):
        made.send()
        made.server_step()
        made.client_step()
    made.server.blobs.clear()
    made.settle()
    assert made.server.blobs[digest(data)] == data
    assert len(made.of(happenings.SubmitAccepted)) == 1


def test_a_lost_chunk_is_sent_again(made: Connection) -> None:
    data = bytes_of(4 * MIB)
    made.link.upload({digest(data): data})
    made.send()
    made.server_step()
    made.client_step()
    made.send()
    made.server_step()
    made.client_step()
    made.send()
    del made.to_server[1]
    made.settle()
    assert made.server.blobs[digest(data)] == data


def test_a_refused_chunk_fails_the_submission(made: Connection) -> None:
    name = submit(made, bytes_of(2 * MIB))
    made.send()
    made.server_step()
    made.client_step()
    made.send()
    made.server_step()
    made.client_step()
    made.send()
    first = codec.request_id_of(made.to_server[0])
    made.to_server.clear()
    made.to_client.append(made.server.refuse(first, "quota.disk"))
    made.settle()
    assert [(f.request_id, f.fault.code) for f in made.of(happenings.RequestFailed)] == [(name, "quota.disk")]
    assert not made.of(happenings.SubmitAccepted)


@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["server", "client", "both", "both", "cut", "unnoticed", "halves"]),
            st.integers(1, 6),
        ),
        max_size=30,
    ),
    sizes=st.lists(
        st.sampled_from([0, 1, 1000, MIB - 1, MIB, MIB + 1, 10 * MIB]), min_size=1, max_size=3, unique=True
    ),
)
def test_connections_that_end_at_any_point_give_the_same_bytes_and_one_job(
    steps: list[tuple[str, int]], sizes: list[int]
) -> None:
    made = Connection(link.Link("test", "token"), MemoryServer())
    wanted = bytes(11 * MIB)
    made.server.blobs[digest(wanted)] = bytearray(wanted)
    blobs = [bytes_of(size, size) for size in sizes]
    submit(made, *blobs, request_id="the-one")
    made.link.download(digest(wanted), len(wanted))
    for kind, count in steps:
        made.send()
        out = [codec.decode_client(p)[0] for p in made.to_server]
        assert sum(isinstance(m, messages.PutChunk) for m in out) <= codec.CHUNKS_IN_FLIGHT
        assert sum(isinstance(m, messages.GetBlob) for m in out) <= codec.CHUNKS_IN_FLIGHT
        if kind in ("server", "both"):
            made.server_step(count)
        if kind in ("client", "both"):
            made.client_step(count)
        if kind == "cut":
            made.cut()
        if kind == "unnoticed":
            made.cut(noticed=False)
        if kind == "halves":  # what was on its way arrives at a server that has restarted
            made.server.restart()
            del made.to_client[count:]
        made.pass_time(0.7)
    made.settle()
    for blob in blobs:
        assert made.server.blobs[digest(blob)] == blob
    assert len(made.server.jobs) == 1
    assert [a.request_id for a in made.of(happenings.SubmitAccepted)] == ["the-one"]
    assert made.of(happenings.Downloaded)[0].data == wanted
    assert not made.of(happenings.RequestFailed)


def test_a_submission_is_sent_again_under_its_id(made: Connection) -> None:
    submit(made)
    while not any(isinstance(m, messages.Submit) for m in made.server.heard):
        made.send()
        made.server_step()
        made.client_step()
    made.cut()
    made.settle()
    assert len({m.request_id for m in made.server.heard if isinstance(m, messages.Submit)}) == 1
    assert len(made.server.jobs) == 1
    assert len(made.of(happenings.SubmitAccepted)) == 1


def warning(text: str) -> messages.WarningBody:
    return messages.WarningBody(code="c", sentence=text)


def test_events_go_on_after_the_last_number_that_was_seen(made: Connection) -> None:
    made.link.follow("job-0")
    made.settle()
    made.to_client += made.server.happens("job-0", warning("1"))
    made.to_client += made.server.happens("job-1", warning("other"))
    made.settle()
    made.to_client += made.server.happens("job-0", warning("2"))
    made.cut()  # number 3 is lost on the way
    made.settle()
    made.to_client += made.server.happens("job-0", warning("3"))
    made.settle()
    assert [e.event.body.sentence for e in made.of(happenings.EventArrived)] == ["1", "2", "3"]
    assert [m.after for m in made.server.heard if isinstance(m, messages.Follow)] == [0, 1]
    assert made.link.last_event("job-0") == 4


def test_an_event_that_comes_twice_is_told_once(made: Connection) -> None:
    made.link.follow()
    made.settle()
    again = made.server.happens("job-0", warning("1"))
    made.to_client += again + again
    made.settle()
    assert len(made.of(happenings.EventArrived)) == 1


def test_event_numbers_of_another_folder_are_not_used(made: Connection) -> None:
    made.link.follow("job-0", after=7, folder_id="folder-z")
    made.settle()
    made.to_client += made.server.happens("job-0", warning("1"))
    made.settle()
    made.server = MemoryServer(folder_id="folder-b")
    made.server.happens("job-0", warning("new"))
    made.cut()
    made.settle()
    assert [e.event.body.sentence for e in made.of(happenings.EventArrived)] == ["1", "new"]
    assert [c.new_folder for c in made.of(happenings.Connected)] == [False, True]
    assert [m.after for m in made.server.heard if isinstance(m, messages.Follow)] == [0]


def test_a_known_number_of_the_same_folder_is_used(made: Connection) -> None:
    for text in "abc":
        made.server.happens("job-0", warning(text))
    made.link.follow("job-0", after=2, folder_id="folder-a")
    made.settle()
    assert [e.event.body.sentence for e in made.of(happenings.EventArrived)] == ["c"]


def test_following_again_changes_the_preview_and_not_the_follow(made: Connection) -> None:
    first = made.link.follow("job-0")
    made.settle()
    assert made.link.follow("job-0", messages.PreviewWish(max_px=256)) == first
    made.settle()
    assert len(made.server.follows) == 1
    assert made.server.follows[0].preview == messages.PreviewWish(max_px=256)


def test_silence_while_an_answer_is_due_brings_another_hello(made: Connection) -> None:
    made.settle()
    made.link.list_jobs()
    made.send()
    made.cut(noticed=False)
    made.pass_time(link.SILENCE - 1)
    assert not made.link.outgoing()
    made.pass_time(2)
    made.settle()
    assert len(made.of(happenings.JobsListed)) == 1
    assert not made.of(happenings.Lost)


def test_a_server_that_stays_silent_is_lost_and_found_again(made: Connection) -> None:
    made.link.follow()
    made.settle()
    for _ in range(40):
        made.pass_time(1)
        made.link.outgoing()
    assert not made.link.connected
    assert len(made.of(happenings.Lost)) == 1
    made.cut(noticed=False)
    made.settle()
    assert made.link.connected
    assert len(made.of(happenings.Connected)) == 2


def test_an_unanswered_hello_is_repeated_but_never_piles_up(made: Connection) -> None:
    for _ in range(100):
        made.pass_time(1)
    assert len(made.link.outgoing()) == 1
    made.pass_time(link.HELLO_AGAIN)
    assert len(made.link.outgoing()) == 1


def test_a_refused_hello_is_told_with_the_servers_version_and_not_repeated(made: Connection) -> None:
    hello = codec.request_id_of(made.link.outgoing()[0])
    fault = {"code": "protocol.mismatch", "sentence": "No.", "unheard_of": 1}
    header = {
        "type": "Refused",
        "request_id": hello,
        "protocol": 7,
        "version": "7.1",
        "fault": fault,
        "more": 2,
    }
    made.to_client.append([msgspec.msgpack.encode(header)])
    made.client_step()
    for _ in range(50):
        made.pass_time(1)
    refused = made.of(happenings.Refused)
    assert [(r.fault.code, r.server_version) for r in refused] == [("protocol.mismatch", "7.1")]
    assert made.link.refused is not None
    assert not made.link.outgoing()
    made.cut()
    made.settle()
    assert made.link.refused is None
    assert made.link.connected


def test_a_token_that_is_never_taken_ends_in_a_failure_and_not_in_a_circle(made: Connection) -> None:
    made.settle()
    name = made.link.list_jobs()
    for _ in range(40):
        for parts in made.link.outgoing():
            message = codec.decode_client(parts)[0]
            made.server.greeted = False
            answers = made.server.hear(parts)
            if not isinstance(message, messages.Hello):
                assert message.request_id == name
            made.to_client += answers
        made.client_step(10)
        made.pass_time(0.1)
    failed = made.of(happenings.RequestFailed)
    assert [(f.request_id, f.fault.code) for f in failed] == [(name, "token.wrong")]


def test_bytes_that_are_no_message_do_no_harm(made: Connection) -> None:
    made.settle()
    for junk in ([b""], [b"\xc1"], [b"\x81\xa4type\xa5Nobod"], [b"x" * 100, b"y"]):
        made.to_client.append(list(junk))
    made.link.list_jobs()
    made.settle()
    assert len(made.of(happenings.JobsListed)) == 1


def test_a_download_whose_bytes_do_not_fit_is_tried_again_and_then_refused(made: Connection) -> None:
    data = bytes_of(2 * MIB + 1)
    made.server.blobs[digest(data)] = bytearray(len(data))
    made.link.download(digest(data), len(data))
    made.settle()
    assert [f.fault.code for f in made.of(happenings.RequestFailed)] == ["blob.bad"]
    assert not made.of(happenings.Downloaded)
    gets = [m for m in made.server.heard if isinstance(m, messages.GetBlob)]
    assert len(gets) == 6


def test_a_newer_view_replaces_an_older_one(made: Connection) -> None:
    camera = tuple(tuple(float(i == j) for j in range(4)) for i in range(4))
    old = made.link.view("viewport", "job-0", camera, 1.0, 4, 2)  # type: ignore[arg-type]
    new = made.link.view("viewport", "job-0", camera, 1.0, 4, 2, depth=True)  # type: ignore[arg-type]
    made.send()
    made.server_step()
    made.client_step()
    made.send()
    heard = [codec.decode_client(p)[0] for p in made.to_server]
    assert [m.request_id for m in heard] == [new]
    made.to_server.clear()
    colour = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    depth = np.ones((2, 4), "<f4")
    for name in (old, new):
        frame = messages.Frame(
            request_id=name,
            view_id="viewport",
            colour=FrameArray(dtype="u1", shape=(2, 4, 4), frame=0),
            depth=FrameArray(dtype="f4", shape=(2, 4), frame=1),
        )
        made.to_client.append(codec.encode(frame, [colour.tobytes(), depth.tobytes()]))
    made.settle()
    (arrived,) = made.of(happenings.FrameArrived)
    assert arrived.request_id == new
    assert np.array_equal(arrived.colour, colour)
    assert np.array_equal(arrived.depth, depth)


def test_an_upload_that_is_forgotten_sends_no_more(made: Connection) -> None:
    made.settle()
    name = submit(made, bytes_of(20 * MIB))
    made.send()
    made.server_step()
    made.client_step()
    made.send()
    made.link.forget(name)
    made.settle()
    assert sum(isinstance(m, messages.PutChunk) for m in made.server.heard) == codec.CHUNKS_IN_FLIGHT
    assert not made.of(happenings.SubmitAccepted)
