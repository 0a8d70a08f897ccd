"""The client's end of the wire as a state machine without a socket, for the extension and the command line.

The owner has one DEALER socket and a clock; the link has everything else. The owner's loop, from a timer or a
poller, when no parts are left over from last time:

    for parts in link.outgoing():
        socket.send_multipart(parts, NOBLOCK)
    while parts := received():
        happened += link.receive(parts)
    happened += link.tick(time.monotonic())

Words. *Greeting*: a hello is out and its Welcome is due. *Pending*: a request without an answer; it is sent
again, under the same id, after each new Welcome, so a lost connection loses nothing and doubles nothing (the
server knows a Submit by its id, and an answer counts once). *Follow*: a standing wish for events; renewed
after a new Welcome with the last number seen, or from 0 when the server has another data folder.

- `reconnected()` is for an owner that notices that its connection is a new one (socket monitor, new socket).
  One that cannot notice need not: when an answer is due and nothing comes for SILENCE seconds, hello is said
  again.
- If the socket would block, keep the parts that were not sent, send them first next time, and call `outgoing`
  only when none are left; throw them away when you call `reconnected()`.
- Small requests go before chunks, and at most eight chunks are unanswered each way: a cancel never waits
  long.
- A request that is refused is a `RequestFailed`; methods raise only for what cannot be put into a message.

One file, because every line of it reads or writes the same state; the transfers are `uploads` and
`downloads`.
"""

import secrets
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import PROTOCOL, __version__, codec, downloads, happenings, meanings, messages, uploads
from .codec import Part
from .errors import UserError

HELLO_AGAIN = 2.0  # s between two hellos while the server does not answer
SILENCE = 5.0  # s without a word while an answer is due, until the link says hello again
FOLLOW_SILENCE = 15.0  # s without a word while only events are awaited: a model that loads is silent too
SEEN = 2048  # numbers of events that are remembered, so that one which comes twice is told once
NOT_GREETED = "token.wrong"  # the answer of a server that restarted and has not heard our hello
RESENDS = 2  # of a submission whose blobs the server lost between upload and submission
GREETINGS = 3  # hellos because of that answer, without a single request going through, before it is believed

Action = Literal["cancel", "stop", "pause", "resume", "move", "delete"]


@dataclass
class _Follow:
    """A standing wish: `job_id` None follows all jobs; `after` counts within the data folder `folder_id`."""

    job_id: str | None
    preview: messages.PreviewWish | None
    after: int
    folder_id: str
    seen: deque[int] = field(default_factory=lambda: deque(maxlen=SEEN))


@dataclass
class _Submission:
    message: messages.Submit
    blobs: Mapping[str, uploads.Source]
    resends: int = 0


class Link:
    """One client's conversation with one server. `client_name` is shown beside its jobs."""

    def __init__(self, client_name: str, token: str = "") -> None:
        self.client_name = client_name
        self.token = token
        self._prefix = secrets.token_hex(6)
        self._count = 0
        self._queue: deque[messages.Message] = deque()
        self._happened: list[happenings.Happening] = []
        self._pending: dict[str, messages.Message] = {}
        self._submissions: dict[str, _Submission] = {}
        self._follows: dict[str, _Follow] = {}
        self._uploads = uploads.Uploads(self._fresh_id)
        self._downloads = downloads.Downloads(self._fresh_id)
        self._welcome: messages.Welcome | None = None
        self._refused: messages.Fault | None = None
        self._server_version = ""
        self._connected = False
        self._greeting = False
        self._greetings = 0
        self._started = False
        self._now = self._heard = self._due_since = self._hello_at = self._hello_since = 0.0
        self._greet()

    # ---- what the owner reads ------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        """True while the server answers."""
        return self._connected

    @property
    def welcome(self) -> messages.Welcome | None:
        """The newest Welcome, also when the connection has been lost since."""
        return self._welcome

    @property
    def refused(self) -> messages.Fault | None:
        """Why the hello was refused, or None."""
        return self._refused

    @property
    def server_version(self) -> str:
        """Version of the server as it said itself, empty before its first word."""
        return self._server_version

    @property
    def idle(self) -> bool:
        """True when nothing is unanswered and nothing is on its way; follows do not count."""
        transfers = self._uploads.active or self._downloads.active
        return not (self._greeting or self._queue or self._pending or transfers)

    def last_event(self, job_id: str | None = None) -> int:
        """Number of the newest event that came for that follow, 0 when there is none."""
        return max((follow.after for follow in self._follows.values() if follow.job_id == job_id), default=0)

    # ---- what the owner's socket calls ---------------------------------------------------------------------

    def outgoing(self) -> list[list[Part]]:
        """Messages to send now, in order: small requests, then chunks. They count as sent."""
        chunks: list[list[Part]] = []
        if self._connected and not self._greeting:
            assert self._welcome is not None
            asks, happened = self._uploads.questions(self._welcome.max_blob)
            self._take(happened)
            self._queue += asks
            self._queue += self._downloads.requests()
            chunks = [codec.encode(put, [part]) for put, part in self._uploads.chunks()]
            self._take(self._uploads.unreadable())
        small = [codec.encode(message) for message in self._queue]
        self._queue.clear()
        return small + chunks

    def receive(self, parts: list[Part]) -> list[happenings.Happening]:
        """Takes in one message of the server; returns what happened, oldest first."""
        self._heard = self._now
        try:
            message, frames = codec.decode_server(parts)
            self._on_message(message, frames)
        except UserError as error:
            fault = messages.Fault(code=error.code, sentence=error.sentence, hint=error.hint)
            self._on_refusal(codec.request_id_of(parts), fault)
        return self._drain()

    def tick(self, now: float) -> list[happenings.Happening]:
        """Lets time pass. `now` is any clock in seconds that never goes back."""
        if not self._started:
            self._started = True
            self._heard = self._due_since = self._hello_at = self._hello_since = now
        self._now = now
        due = bool(self._pending) or self._uploads.waiting or self._downloads.waiting
        if not due:
            self._due_since = now
        if self._refused is None and self._greeting:
            if self._connected and now - max(self._heard, self._hello_since) >= SILENCE:
                self._lose()
            if now - self._hello_at >= HELLO_AGAIN and not self._queue:
                self._greet()
        elif self._refused is None:
            events_silent = bool(self._follows) and now - self._heard >= FOLLOW_SILENCE
            if events_silent or now - max(self._heard, self._due_since) >= SILENCE:
                self._greet()
        return self._drain()

    def reconnected(self) -> list[happenings.Happening]:
        """The connection is a new one: says hello again; all else waits for the Welcome."""
        self._refused = None
        self._lose()
        self._greet()
        return self._drain()

    # ---- what the owner asks for ---------------------------------------------------------------------------

    def new_request_id(self) -> str:
        """An id for a submission that is unique for ever; keep it to find the job again."""
        return secrets.token_hex(16)

    def upload(self, blobs: Mapping[str, uploads.Source], request_id: str = "") -> str:
        """Makes sure that the server has these blobs (by digest); Uploaded or RequestFailed follows."""
        request_id = request_id or self._fresh_id()
        self._uploads.add(request_id, blobs)
        return request_id

    def submit(
        self,
        method: str,
        inputs: tuple[messages.Input, ...],
        blobs: Mapping[str, uploads.Source],
        *,
        params: dict[str, Any] | None = None,
        seed: int = 0,
        model: str = "",
        label: str = "",
        request_id: str = "",
    ) -> str:
        """Uploads what the server lacks of `blobs`, then submits; SubmitAccepted or RequestFailed follows.

        Submitting again with an id that the server knows gives the job it knows. Raises UserError
        `protocol.bad` when the request is over the limits of a message, TypeError for a blob that cannot be
        read.
        """
        request_id = request_id or self.new_request_id()
        message = messages.Submit(
            request_id=request_id,
            method=method,
            label=label,
            params=params or {},
            inputs=inputs,
            seed=seed,
            model=model,
        )
        codec.encode(message)
        self._uploads.add(request_id, blobs)
        self._submissions[request_id] = _Submission(message, blobs)
        return request_id

    def download(self, digest: str, size: int) -> None:
        """Fetches a blob, by digest and size of a result item; Downloaded follows.

        A download that fails is a RequestFailed with the digest as its id.
        """
        self._take(self._downloads.add(digest, size))

    def forget(self, request_id: str) -> None:
        """Gives up an upload, a submission that is not accepted yet, a download (its digest) or a request.

        A submission that is on its way may still become a job.
        """
        self._uploads.forget(request_id)
        self._downloads.forget(request_id)
        self._submissions.pop(request_id, None)
        self._pending.pop(request_id, None)

    def follow(
        self,
        job_id: str | None = None,
        preview: messages.PreviewWish | None = None,
        *,
        after: int = 0,
        folder_id: str = "",
    ) -> str:
        """Asks for events after that number, of a job or of all; asked again, only the preview changes.

        `after` counts only within the data folder it came from: `folder_id`, or when that is empty the folder
        of the newest Welcome. With another folder all events are asked for.
        """
        here = self._welcome.folder_id if self._welcome else ""
        request_id = next((name for name, follow in self._follows.items() if follow.job_id == job_id), "")
        if request_id:
            self._follows[request_id].preview = preview
        else:
            request_id = self._fresh_id()
            self._follows[request_id] = _Follow(job_id, preview, after, folder_id or here)
        if self._connected and not self._greeting:
            self._queue.append(self._follow_message(request_id))
        return request_id

    def unfollow(self, job_id: str | None = None) -> None:
        """Events of that follow are no longer told, and the follow is not renewed."""
        self._follows = {name: follow for name, follow in self._follows.items() if follow.job_id != job_id}

    def control(self, job_id: str, action: Action, position: int = 0) -> str:
        """A command to a job; Done with the job as it is then follows."""
        return self._ask(
            messages.Control(request_id=self._fresh_id(), job_id=job_id, action=action, position=position)
        )

    def list_jobs(self, job_id: str | None = None) -> str:
        """JobsListed follows."""
        return self._ask(messages.ListJobs(request_id=self._fresh_id(), job_id=job_id))

    def list_models(self) -> str:
        """ModelsListed follows."""
        return self._ask(messages.ListModels(request_id=self._fresh_id()))

    def check_model(self, name: str) -> str:
        """ModelsListed with one model follows, or RequestFailed that says what is wrong with it."""
        return self._ask(messages.CheckModel(request_id=self._fresh_id(), name=name))

    def list_scenes(self) -> str:
        """ScenesListed follows."""
        return self._ask(messages.ListScenes(request_id=self._fresh_id()))

    def delete_scene(self, scene: str) -> str:
        """ScenesListed follows."""
        return self._ask(messages.DeleteScene(request_id=self._fresh_id(), scene=scene))

    def release(self) -> str:
        """Frees device memory of idle workers; Done with `freed_mb` follows."""
        return self._ask(messages.Release(request_id=self._fresh_id()))

    def view(
        self,
        view_id: str,
        scene: str,
        camera: messages.Matrix,
        fov_y: float,
        width: int,
        height: int,
        *,
        time: float = 0.0,
        moment: int | None = None,
        depth: bool = False,
        deadline_ms: int = 2000,
    ) -> str:
        """One picture of a job's newest result; FrameArrived follows unless a newer view replaces it."""
        for request_id, pending in list(self._pending.items()):
            if isinstance(pending, messages.View) and pending.view_id == view_id:
                self.forget(request_id)
        return self._ask(
            messages.View(
                request_id=self._fresh_id(),
                view_id=view_id,
                scene=scene,
                camera=camera,
                fov_y=fov_y,
                width=width,
                height=height,
                time=time,
                moment=moment,
                depth=depth,
                deadline_ms=deadline_ms,
            )
        )

    # ---- inside --------------------------------------------------------------------------------------------

    def _fresh_id(self) -> str:
        self._count += 1
        return f"{self._prefix}-{self._count}"

    def _ask(self, message: messages.Message) -> str:
        codec.encode(message)
        self._pending[message.request_id] = message
        if self._connected and not self._greeting:
            self._queue.append(message)
        return message.request_id

    def _greet(self) -> None:
        """Queues a hello alone: everything else that waits is queued anew after the Welcome."""
        if not self._greeting:
            self._hello_since = self._now
        self._greeting = True
        self._hello_at = self._now
        self._queue.clear()
        hello = messages.Hello(
            request_id=self._hello_id,
            protocol=PROTOCOL,
            version=__version__,
            client=self.client_name,
            token=self.token,
        )
        self._queue.append(hello)

    @property
    def _hello_id(self) -> str:
        return f"{self._prefix}-hello"

    def _lose(self) -> None:
        if self._connected:
            self._happened.append(happenings.Lost())
        self._connected = False

    def _drain(self) -> list[happenings.Happening]:
        happened, self._happened = self._happened, []
        return happened

    def _take(self, happened: list[happenings.Happening]) -> None:
        """Records what the transfers say; a submission whose blobs are there goes out."""
        for one in happened:
            self._happened.append(one)
            if isinstance(one, happenings.Uploaded) and one.request_id in self._submissions:
                self._ask(self._submissions[one.request_id].message)
            elif isinstance(one, happenings.RequestFailed):
                self._submissions.pop(one.request_id, None)

    def _on_message(self, message: messages.Message, frames: list[Part]) -> None:
        if isinstance(message, messages.Welcome):
            self._on_welcome(message)
            return
        if isinstance(message, messages.Refused):
            self._server_version = message.version
            self._on_refusal(message.request_id, message.fault)
            return
        self._greetings = 0
        if isinstance(message, messages.Event):
            self._on_event(message, frames)
        elif isinstance(message, messages.MissingBlobs):
            self._take(self._uploads.answered(message) or [])
        elif isinstance(message, messages.Chunk):
            received = self._downloads.receipt(message, frames)
            self._take((self._uploads.receipt(message) if received is None else received) or [])
        elif message.request_id in self._pending:
            self._happened.append(meanings.of(self._pending.pop(message.request_id), message, frames))
            self._submissions.pop(message.request_id, None)

    def _on_welcome(self, welcome: messages.Welcome) -> None:
        self._server_version = welcome.version
        if welcome.protocol != PROTOCOL:
            sentence = f"The server speaks protocol {welcome.protocol}, this client {PROTOCOL}."
            self._on_refusal(self._hello_id, messages.Fault(code="protocol.mismatch", sentence=sentence))
            return
        new_folder = self._welcome is not None and self._welcome.folder_id != welcome.folder_id
        if new_folder or not self._connected:
            self._happened.append(happenings.Connected(welcome, new_folder))
        self._welcome = welcome
        self._connected = True
        self._greeting = False
        self._due_since = self._now
        self._uploads.restart()
        self._downloads.restart()
        self._queue.clear()
        self._queue += self._pending.values()
        for request_id, follow in self._follows.items():
            if follow.folder_id != welcome.folder_id:
                follow.folder_id, follow.after = welcome.folder_id, 0
                follow.seen.clear()
            self._queue.append(self._follow_message(request_id))

    def _follow_message(self, request_id: str) -> messages.Follow:
        follow = self._follows[request_id]
        return messages.Follow(
            request_id=request_id, after=follow.after, job_id=follow.job_id, preview=follow.preview
        )

    def _on_event(self, event: messages.Event, frames: list[Part]) -> None:
        follow = self._follows.get(event.request_id)
        if follow is None or event.number in follow.seen:
            return
        # A preview that the server held back may come after newer events, so numbers need not ascend.
        follow.seen.append(event.number)
        follow.after = max(follow.after, event.number)
        self._happened.append(happenings.EventArrived(event, frames))

    def _on_refusal(self, request_id: str, fault: messages.Fault) -> None:
        if request_id == self._hello_id or fault.code == "protocol.mismatch":
            self._refused = fault
            self._greeting = False
            self._lose()
            self._queue.clear()
            self._happened.append(happenings.Refused(fault, self._server_version))
        elif fault.code == NOT_GREETED and self._greetings < GREETINGS:
            if not self._greeting:
                self._greetings += 1
                self._greet()
        else:
            self._fail(request_id, fault)

    def _fail(self, request_id: str, fault: messages.Fault) -> None:
        transfer = self._uploads.refused(request_id, fault)
        if transfer is None:
            transfer = self._downloads.refused(request_id, fault)
        if transfer is not None:
            self._take(transfer)
            return
        submission = self._submissions.get(request_id)
        pending = self._pending.pop(request_id, None)
        if pending and submission and fault.code == "blob.missing" and submission.resends < RESENDS:
            submission.resends += 1
            self._uploads.add(request_id, submission.blobs)
        elif pending or self._follows.pop(request_id, None) or request_id == "none":
            self._submissions.pop(request_id, None)
            self._happened.append(happenings.RequestFailed(request_id, fault))
