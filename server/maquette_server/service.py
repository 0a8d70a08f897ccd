"""What the server answers, without a socket: message parts in, message parts out.

    service.handle(client, parts)          answers, and all that follows from them, wait in the client's
    outbox service.publish(engine.pump())         so do events
    service.first(client)                  the next message to send

`handle` never raises on what a client sent: an error is a Refused. A client is known from a hello that fits
until `forget`.
"""

import hmac
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from maquette_wire import PROTOCOL, __version__, arrays, codec, messages
from maquette_wire.codec import Part
from maquette_wire.errors import UserError

from . import follows as following
from .engine import engine as engines
from .engine import faults, journal
from .outbox import Outbox

log = logging.getLogger(__name__)

LISTED = 500  # jobs in one list
MAX_PARTS = 2  # of a client's message: the header, and the frame of a chunk
MAX_GREETING = 64 * 1024  # bytes from somebody who is not known yet; a hello has a few hundred
MAX_FOLLOWS = 256  # of one client; a job that is over does not count
STRANGERS_ANSWERS = 64 * 1024  # bytes of refusals that may wait for somebody who is not known


@dataclass
class _Client:
    """A client that said a hello that fits. Follows are by job id; None follows all jobs."""

    name: str
    outbox: Outbox = field(default_factory=Outbox)
    follows: dict[str | None, following.Follow] = field(default_factory=dict)


class Service:
    """The conversations of all clients with one engine. `token` is what a client has to know."""

    def __init__(self, engine: engines.JobEngine, token: str) -> None:
        self._engine = engine
        self._token = token
        self._clients: dict[bytes, _Client] = {}
        self._strangers: dict[bytes, Outbox] = {}
        """refusals for those who are not known"""
        engine.wishes = self._wish
        self._answers: dict[type[messages.Message], Callable[[bytes, _Client, Any, list[Part]], Any]] = {
            messages.HaveBlobs: self._have_blobs,
            messages.PutChunk: self._put_chunk,
            messages.GetBlob: self._get_blob,
            messages.Submit: self._submit,
            messages.Follow: self._follow,
            messages.Control: self._control,
            messages.ListJobs: self._list_jobs,
            messages.ListModels: self._list_models,
            messages.CheckModel: self._check_model,
            messages.ListScenes: self._list_scenes,
            messages.DeleteScene: self._delete_scene,
            messages.Release: self._release,
            messages.View: self._view,
        }

    # ---- the transport's side ------------------------------------------------------------------------------

    @property
    def clients(self) -> list[bytes]:
        """Everybody for whom something may wait."""
        return [*self._clients, *self._strangers]

    def handle(self, client: bytes, parts: list[Part]) -> None:
        """Takes in one message of a client."""
        stranger = client not in self._clients
        small = sum(map(len, parts[:1])) <= MAX_GREETING
        request_id = codec.request_id_of(parts) if small or not stranger else "none"
        try:
            if stranger and sum(map(len, parts)) > MAX_GREETING:
                raise UserError("token.wrong", "Say hello with the server's token first.")
            if len(parts) > MAX_PARTS:
                raise UserError(
                    "protocol.bad", f"A message of more than {MAX_PARTS} parts is over the limit."
                )
            message, frames = codec.decode_client(parts)
            if isinstance(message, messages.Hello):
                answer = self._hello(client, message)
            elif stranger:
                raise UserError("token.wrong", "Say hello with the server's token first.")
            else:
                answer = self._answers[type(message)](client, self._clients[client], message, frames)
            if answer is not None:
                self._put(client, answer if isinstance(answer, list) else codec.encode(answer))
        except UserError as error:
            self._refuse(client, request_id, faults.of(error))
        except Exception:
            # Whatever one request sets off, the others are served on; the log has the traceback under the id.
            log_id = secrets.token_hex(4)
            log.exception("fault %s", log_id)
            sentence = "The server failed at this request through a fault of its own."
            fault = messages.Fault(code="server.fault", sentence=sentence, log_id=log_id)
            self._refuse(client, request_id, fault)

    def publish(self, events: engines.Events) -> None:
        """Puts events into the outboxes of those who follow them."""
        for event in events:
            for known in list(self._clients.values()):
                for follow in known.follows.values():
                    if follow.job_id in (None, event.job_id):
                        following.deliver(known.outbox, follow, event)
                if isinstance(event.body, messages.StateBody) and not journal.MAY_BECOME[event.body.state]:
                    known.follows.pop(event.job_id, None)  # nothing more can happen to that job
        for client in [client for client, known in self._clients.items() if known.outbox.overflown]:
            log.warning("a client does not read its messages and is forgotten")
            self.forget(client)

    def first(self, client: bytes) -> list[Part] | None:
        """The next message for a client, which stays until `sent`; None when none waits."""
        outbox = self._outbox(client)
        return outbox.first() if outbox else None

    def sent(self, client: bytes) -> None:
        """The first message for a client was sent."""
        outbox = self._outbox(client)
        if outbox is None:
            return
        outbox.drop_first()
        if outbox.first() is None:
            self._strangers.pop(client, None)

    def forget(self, client: bytes) -> None:
        """The client is gone, and what waits for it."""
        self._strangers.pop(client, None)
        if self._clients.pop(client, None) is not None:
            self._engine.forget_pictures(client.hex())
            self._engine.refresh_wishes()

    def _outbox(self, client: bytes) -> Outbox | None:
        known = self._clients.get(client)
        return known.outbox if known else self._strangers.get(client)

    def _put(self, client: bytes, parts: list[Part]) -> None:
        known = self._clients.get(client)
        outbox = known.outbox if known else self._strangers.setdefault(client, Outbox(STRANGERS_ANSWERS))
        outbox.put(parts)
        if outbox.overflown:
            log.warning("a client does not read its answers and is forgotten")
            self.forget(client)

    def _refuse(self, client: bytes, request_id: str, fault: messages.Fault) -> None:
        refused = messages.Refused(request_id=request_id, fault=fault, protocol=PROTOCOL, version=__version__)
        self._put(client, codec.encode(refused))

    # ---- hello ---------------------------------------------------------------------------------------------

    def _hello(self, client: bytes, hello: messages.Hello) -> messages.Welcome:
        if hello.protocol != PROTOCOL:
            raise UserError(
                "protocol.mismatch",
                f"This server ({__version__}) speaks protocol {PROTOCOL},"
                f" the client ({hello.version}) speaks {hello.protocol}.",
                hint="Install the same version of Maquette on both sides.",
            )
        if not hmac.compare_digest(hello.token.encode(), self._token.encode()):
            raise UserError(
                "token.wrong",
                "The token is not this server's.",
                hint="Connect as the user who started the server.",
            )
        limits = self._engine.config.limits
        if client not in self._clients:
            if len(self._clients) >= limits.clients:
                raise UserError(
                    "quota.clients",
                    f"The server has {limits.clients} clients already.",
                    hint="Try again later.",
                )
            self._clients[client] = _Client(hello.client)
        self._clients[client].name = hello.client
        self._clients[client].follows.clear()
        return messages.Welcome(
            request_id=hello.request_id,
            protocol=PROTOCOL,
            version=__version__,
            folder_id=self._engine.folder_id,
            last_event=self._engine.last_event,
            device=self._engine.device,
            max_blob=limits.blob,
            max_jobs=limits.jobs,
            methods=tuple(sorted(self._engine.methods)),
        )

    # ---- blobs ---------------------------------------------------------------------------------------------

    def _have_blobs(
        self, client: bytes, known: _Client, message: messages.HaveBlobs, frames: list[Part]
    ) -> messages.MissingBlobs:
        offsets = [(blob.digest, self._engine.blobs.lacks(blob.digest, blob.size)) for blob in message.blobs]
        missing = (messages.BlobOffset(digest=d, offset=at) for d, at in offsets if at is not None)
        return messages.MissingBlobs(request_id=message.request_id, missing=tuple(missing))

    def _put_chunk(
        self, client: bytes, known: _Client, message: messages.PutChunk, frames: list[Part]
    ) -> messages.Chunk:
        if len(frames) != 1:
            raise UserError("protocol.bad", "A chunk has one frame.")
        received = self._engine.blobs.put(message.digest, message.size, message.offset, frames[0])
        return messages.Chunk(
            request_id=message.request_id, digest=message.digest, size=message.size, offset=received
        )

    def _get_blob(
        self, client: bytes, known: _Client, message: messages.GetBlob, frames: list[Part]
    ) -> list[Part]:
        size = self._engine.blobs.size(message.digest)
        if message.offset > size:
            raise UserError("blob.bad", "The file is shorter than the part that was asked for.")
        data = self._engine.blobs.read(message.digest, message.offset, message.length)
        answer = messages.Chunk(
            request_id=message.request_id, digest=message.digest, size=size, offset=message.offset
        )
        return codec.encode(answer, [data])

    # ---- jobs ----------------------------------------------------------------------------------------------

    def _submit(
        self, client: bytes, known: _Client, message: messages.Submit, frames: list[Part]
    ) -> messages.Accepted:
        job = self._engine.submit(message, known.name)
        return messages.Accepted(request_id=message.request_id, job=job)

    def _control(
        self, client: bytes, known: _Client, message: messages.Control, frames: list[Part]
    ) -> messages.Accepted:
        job = self._engine.control(message.job_id, message.action, message.position)
        return messages.Accepted(request_id=message.request_id, job=job)

    def _list_jobs(
        self, client: bytes, known: _Client, message: messages.ListJobs, frames: list[Part]
    ) -> list[Part]:
        jobs = (self._engine.view(message.job_id),) if message.job_id else self._engine.list()[:LISTED]
        while True:
            try:
                return codec.encode(messages.Jobs(request_id=message.request_id, jobs=jobs))
            except UserError:
                if len(jobs) <= 1:
                    raise
                jobs = jobs[: len(jobs) // 2]  # the newest that fit into one message

    def _follow(self, client: bytes, known: _Client, message: messages.Follow, frames: list[Part]) -> None:
        follow = following.Follow(message.request_id, message.job_id, message.preview)
        over = False
        if message.job_id is not None:  # refuses a job that is unknown
            over = not journal.MAY_BECOME[self._engine.view(message.job_id).state]
        if message.job_id not in known.follows and not over and not self._room_to_follow(known):
            raise UserError(
                "protocol.bad",
                f"A client follows {MAX_FOLLOWS} unfinished jobs at the most.",
                hint="Follow all jobs at once instead.",
            )
        events = self._engine.follow(message.after, message.job_id)
        if over:
            known.follows.pop(message.job_id, None)
        else:
            known.follows[message.job_id] = follow
        for event in events:
            following.deliver(known.outbox, follow, event)
        self._engine.refresh_wishes()

    def _room_to_follow(self, known: _Client) -> bool:
        """Whether the client may follow one more. A job that failed may be resumed, so it is followed on; the
        one that was asked for first gives its place when there is no other.
        """
        if len(known.follows) < MAX_FOLLOWS:
            return True
        jobs = self._engine.list()
        unfinished = {job.job_id for job in jobs if job.state not in messages.FINAL_STATES}
        given_up = next((name for name in known.follows if name and name not in unfinished), None)
        if given_up is not None:
            del known.follows[given_up]
        return given_up is not None

    def _wish(self, job_id: str) -> messages.PreviewWish | None:
        """What one preview must be to serve everybody who follows a job."""
        everyone = (follow for known in self._clients.values() for follow in known.follows.values())
        return following.widest(everyone, job_id)

    # ---- models, scenes, views -----------------------------------------------------------------------------

    def _list_models(
        self, client: bytes, known: _Client, message: messages.ListModels, frames: list[Part]
    ) -> messages.Models:
        return messages.Models(request_id=message.request_id, models=self._engine.models())

    def _check_model(
        self, client: bytes, known: _Client, message: messages.CheckModel, frames: list[Part]
    ) -> messages.Models:
        model = self._engine.check_model(message.name)
        return messages.Models(request_id=message.request_id, models=(model,))

    def _list_scenes(
        self, client: bytes, known: _Client, message: messages.ListScenes, frames: list[Part]
    ) -> messages.Scenes:
        return messages.Scenes(request_id=message.request_id, scenes=self._engine.scenes())

    def _delete_scene(
        self, client: bytes, known: _Client, message: messages.DeleteScene, frames: list[Part]
    ) -> messages.Scenes:
        if message.scene not in {info.scene for info in self._engine.scenes()}:
            raise UserError("scene.unknown", f"There is no scene '{message.scene}'.")
        self._engine.control(message.scene, "delete")
        return messages.Scenes(request_id=message.request_id, scenes=self._engine.scenes())

    def _release(self, client: bytes, known: _Client, message: messages.Release, frames: list[Part]) -> None:
        def done(freed_mb: float) -> None:
            if client in self._clients:
                released = messages.Released(request_id=message.request_id, freed_mb=freed_mb)
                self._put(client, codec.encode(released))

        self._engine.release(done)

    def _view(self, client: bytes, known: _Client, message: messages.View, frames: list[Part]) -> None:
        def done(picture: engines.Picture) -> None:
            if client not in self._clients:
                return
            if picture.colour is None:
                assert picture.fault is not None
                self._refuse(client, message.request_id, picture.fault)
                return
            parts = [arrays.to_bytes(picture.colour)]
            if picture.depth is not None:
                parts.append(arrays.to_bytes(picture.depth))
            refs = [
                arrays.FrameArray(dtype=part[0], shape=part[1], frame=number)
                for number, part in enumerate(parts)
            ]
            frame = messages.Frame(
                request_id=message.request_id,
                view_id=message.view_id,
                colour=refs[0],
                depth=refs[1] if len(refs) > 1 else None,
                event=self._engine.last_event,
            )
            self._put(client, codec.encode(frame, [part[2] for part in parts]))

        self._engine.picture(message, done, client.hex())
