"""A stand-in server for the extension's tests: a real ROUTER socket, turned by hand, that keeps the
protocol's promises.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import zmq
from maquette_wire import PROTOCOL, __version__, arrays, codec, messages

TOKEN = "a token"


class FakeServer:
    """Answers whatever has come at each `turn`; a test says what happens to jobs with `tell`."""

    def __init__(self, port: int = 0) -> None:
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.port = port or self.socket.bind_to_random_port("tcp://127.0.0.1")
        if port:
            self.socket.bind(f"tcp://127.0.0.1:{port}")
        self.token = TOKEN
        self.folder_id = "folder-1"
        self.blobs: dict[str, bytearray] = {}
        self.jobs: dict[str, messages.JobInfo] = {}
        self.models = (
            messages.ModelInfo(name="pocket", kind="text_to_image", commercial="yes", default=True),
            messages.ModelInfo(name="big", kind="text_to_image", commercial="conditions"),
            messages.ModelInfo(name="editor", kind="instruct_edit", commercial="yes"),
        )
        self.submitted: list[messages.Submit] = []
        self.requests: dict[str, messages.Submit] = {}
        self.controls: list[tuple[str, str]] = []
        self.views: list[messages.View] = []
        self.refuse_submit: messages.Fault | None = None
        self.refuse_follow: dict[str | None, messages.Fault] = {}
        self.history: list[tuple[int, str, messages.EventBody]] = []
        self.follows: dict[str, tuple[bytes, messages.Follow]] = {}
        self.greeted: set[bytes] = set()
        self._numbers = itertools.count(1)

    def close(self) -> None:
        self.socket.close(linger=0)
        self.context.term()

    def turn(self) -> None:
        while self.socket.poll(0):
            client, *parts = self.socket.recv_multipart()
            message, frames = codec.decode_client(parts)
            for answer, data in self.answers(client, message, frames):
                self.socket.send_multipart([client, *codec.encode(answer, data)])

    def answers(
        self, client: bytes, message: Any, frames: list[Any]
    ) -> Iterator[tuple[messages.Message, list[Any]]]:
        name = message.request_id
        if isinstance(message, messages.Hello):
            if message.token != self.token:
                yield self.refusal(name, messages.Fault(code="token.wrong", sentence="Wrong token.")), []
                return
            self.greeted.add(client)
            yield (
                messages.Welcome(
                    request_id=name,
                    protocol=PROTOCOL,
                    version=__version__,
                    folder_id=self.folder_id,
                    last_event=len(self.history),
                    device="a device",
                    max_blob=2**31,
                    max_jobs=64,
                ),
                [],
            )
        elif client not in self.greeted:
            yield self.refusal(name, messages.Fault(code="token.wrong", sentence="Say hello first.")), []
        elif isinstance(message, messages.HaveBlobs):
            offsets = [(b, len(self.blobs.get(b.digest, b""))) for b in message.blobs]
            lacking = tuple(messages.BlobOffset(digest=b.digest, offset=n) for b, n in offsets if n < b.size)
            yield messages.MissingBlobs(request_id=name, missing=lacking), []
        elif isinstance(message, messages.PutChunk):
            held = self.blobs.setdefault(message.digest, bytearray())
            held[message.offset :] = frames[0]
            yield self.chunk(name, message.digest, message.size, len(held)), []
        elif isinstance(message, messages.GetBlob) and message.digest not in self.blobs:
            yield self.refusal(name, messages.Fault(code="blob.missing", sentence="It is not here.")), []
        elif isinstance(message, messages.GetBlob):
            held = self.blobs[message.digest]
            part = bytes(held[message.offset : message.offset + message.length])
            yield self.chunk(name, message.digest, len(held), message.offset), [part]
        elif isinstance(message, messages.Submit):
            yield self.on_submit(message), []
        elif isinstance(message, messages.Follow) and message.job_id in self.refuse_follow:
            yield self.refusal(name, self.refuse_follow[message.job_id]), []
        elif isinstance(message, messages.Follow):
            self.follows[name] = (client, message)
            for number, job_id, body in self.history:
                if number > message.after and message.job_id in {None, job_id}:
                    yield self.event(name, number, job_id, body), []
            self.on_follow(message)
        elif isinstance(message, messages.Control):
            self.controls.append((message.job_id, message.action))
            self.on_control(message)
            yield messages.Accepted(request_id=name, job=self.jobs[message.job_id]), []
        elif isinstance(message, messages.View):
            self.views.append(message)
            yield self.on_view(message)
        elif isinstance(message, messages.ListModels):
            yield messages.Models(request_id=name, models=self.models), []
        elif isinstance(message, messages.ListJobs) and message.job_id is not None:
            if message.job_id in self.jobs:
                yield messages.Jobs(request_id=name, jobs=(self.jobs[message.job_id],)), []
            else:
                fault = messages.Fault(code="job.unknown", sentence=f"There is no job '{message.job_id}'.")
                yield self.refusal(name, fault), []
        elif isinstance(message, messages.ListJobs):
            yield messages.Jobs(request_id=name, jobs=tuple(reversed(self.jobs.values()))), []

    def on_control(self, message: messages.Control) -> None:
        """For servers that do something."""

    def on_follow(self, message: messages.Follow) -> None:
        """For servers that show pictures."""

    def on_view(self, message: messages.View) -> tuple[messages.Message, list[bytes]]:
        """A picture of one colour, of any scene but `nothing`."""
        if message.scene == "nothing":
            fault = messages.Fault(code="scene.unknown", sentence="There is no scene or job 'nothing'.")
            return self.refusal(message.request_id, fault), []
        shape = (message.height, message.width, 4)
        colour = arrays.FrameArray(dtype="u1", shape=shape)
        frame = messages.Frame(request_id=message.request_id, view_id=message.view_id, colour=colour)
        return frame, [bytes([200]) * (shape[0] * shape[1] * 4)]

    def on_submit(self, message: messages.Submit) -> messages.Message:
        self.submitted.append(message)
        if self.refuse_submit is not None:
            return self.refusal(message.request_id, self.refuse_submit)
        job = messages.JobInfo(
            job_id=f"job-{message.request_id[:8]}",
            method=message.method,
            label=message.label,
            state="queued",
            attempt=0,
            created_ms=0,
        )
        self.jobs.setdefault(job.job_id, job)
        return messages.Accepted(request_id=message.request_id, job=job)

    def tell(self, job_id: str, body: messages.EventBody, frames: list[bytes] | None = None) -> None:
        number = next(self._numbers)
        self.history.append((number, job_id, body))
        for name, (client, follow) in self.follows.items():
            if follow.job_id in {None, job_id} and client in self.greeted:
                event = self.event(name, number, job_id, body)
                self.socket.send_multipart([client, *codec.encode(event, frames)])  # type: ignore[arg-type]

    def keep(
        self, role: str, name: str, data: bytes, dtype: str = "", shape: Any = ()
    ) -> messages.ResultItem:
        digest = arrays.digest_of(data)
        self.blobs[digest] = bytearray(data)
        return messages.ResultItem(
            role=role, name=name, digest=digest, size=len(data), dtype=dtype, shape=shape
        )

    def event(self, name: str, number: int, job_id: str, body: messages.EventBody) -> messages.Event:
        return messages.Event(request_id=name, number=number, job_id=job_id, time_ms=0, body=body)

    def chunk(self, name: str, digest: str, size: int, offset: int) -> messages.Chunk:
        return messages.Chunk(request_id=name, digest=digest, size=size, offset=offset)

    def refusal(self, name: str, fault: messages.Fault) -> messages.Refused:
        return messages.Refused(request_id=name, fault=fault, protocol=PROTOCOL, version=__version__)
