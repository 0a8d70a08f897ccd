"""What somebody who follows jobs is told: each event once, with pictures of the wished size and pace."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec
from maquette_wire import arrays, codec, messages
from maquette_wire.codec import Part

from . import previews
from .engine.runs import EngineEvent
from .outbox import Outbox


@dataclass
class Follow:
    """A standing wish of one client. `job_id` None means all jobs."""

    request_id: str
    job_id: str | None
    preview: messages.PreviewWish | None
    limiter: previews.Limiter = field(default_factory=previews.Limiter)


def widest(everyone: Iterable[Follow], job_id: str) -> messages.PreviewWish | None:
    """What one preview of a job must be to serve all who follow it; None when nobody wants one."""
    wishes = [f.preview for f in everyone if f.preview is not None and f.job_id in (None, job_id)]
    if not wishes:
        return None
    return messages.PreviewWish(
        max_px=min(previews.MAX_PX, max(wish.max_px for wish in wishes)),
        min_ms=min(wish.min_ms for wish in wishes),
    )


def deliver(outbox: Outbox, follow: Follow, event: EngineEvent) -> None:
    """Puts the event into the outbox as the follower wishes to see it. Newer progress and pictures take the
    place of older ones that wait.
    """
    body, frames = event.body, list[Part]()
    replaces = None
    if isinstance(body, messages.ProgressBody):
        replaces = ("progress", follow.job_id, event.job_id)
    elif isinstance(body, messages.SnapshotBody) and follow.preview is not None:
        if not follow.limiter.may_send(event.job_id, follow.preview.min_ms):
            return
        replaces = ("snapshot", follow.job_id, event.job_id)
        if event.preview is not None:
            picture = previews.scaled(event.preview, follow.preview.max_px)
            dtype, shape, data = arrays.to_bytes(picture)
            body = msgspec.structs.replace(body, preview=arrays.FrameArray(dtype=dtype, shape=shape))
            frames = [data]
    message = messages.Event(
        request_id=follow.request_id,
        number=event.number,
        job_id=event.job_id,
        time_ms=event.time_ms,
        body=body,
    )
    outbox.put(codec.encode(message, frames), replaces)
