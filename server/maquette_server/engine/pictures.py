"""Views that wait to be drawn. No job, no record; a newer one of the same view replaces an older one that
waits.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from maquette_wire import messages
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import journal
from . import worker_messages as wire
from .executor import Executor, Worker

MAX_WAITING = 16  # pictures of one owner


@dataclass(frozen=True)
class Picture:
    """A drawn view: colour u8 [H, W, 4] and depth f4 [H, W] or None, or what went wrong."""

    colour: NDArray[Any] | None = None
    depth: NDArray[Any] | None = None
    fault: messages.Fault | None = None


Done = Callable[[Picture], None]


@dataclass
class _Waiting:
    owner: str
    draw: wire.Draw
    job_id: str
    done: Done
    deadline: float
    late: bool = False


class Pictures:
    """The queue of views. A worker draws one at a time."""

    def __init__(self, executor: Executor, blob_folder: str) -> None:
        self._executor = executor
        self._blob_folder = blob_folder
        self._count = 0
        self._queue: list[_Waiting] = []
        self._drawing: dict[Worker, _Waiting] = {}

    @property
    def busy(self) -> bool:
        """True while somebody waits."""
        return bool(self._queue or self._drawing)

    def ask(self, job: journal.Job, view: messages.View, owner: str, done: Done) -> None:
        """Queues a view of a job. `owner` keeps the views of one client apart from another's.

        Raises UserError `view.nothing`.
        """
        items = job.results or (job.snapshots[-1][1] if job.snapshots else ())
        by_role = {item.role: item for item in items}
        mesh = next((item for item in job.request.inputs if isinstance(item, messages.MeshInput)), None)
        if "texture" not in by_role or mesh is None:
            raise UserError(
                "view.nothing", "The job has no texture to look at yet.", hint="Wait for a preview."
            )
        own = [one for one in self._queue if one.owner == owner]
        for other in own:
            if other.draw.view.view_id == view.view_id:
                self._queue.remove(other)
                other.done(_late("A newer picture of the same view was asked for."))
        if len(own) >= MAX_WAITING and own[0] in self._queue:
            self._queue.remove(own[0])
            own[0].done(_late("Too many newer pictures were asked for."))
        self._count += 1
        draw = wire.Draw(
            number=self._count,
            mesh=mesh,
            uv=by_role.get("uv"),
            texture=by_role["texture"].digest,
            view=view,
            blob_folder=self._blob_folder,
            out="",
        )
        deadline = time.monotonic() + view.deadline_ms / 1000
        self._queue.append(_Waiting(owner, draw, job.job_id, done, deadline))

    def forget(self, owner: str) -> None:
        """Nobody waits for this client's views any more."""
        self._queue = [waiting for waiting in self._queue if waiting.owner != owner]
        for waiting in self._drawing.values():
            waiting.late |= waiting.owner == owner

    def give_out(self, running: dict[str, Worker]) -> None:
        """Gives waiting views to workers: to the one that runs the job, else to one that is idle, else to
        any.
        """
        for waiting in list(self._queue):
            free = [w for w in self._executor.workers if not w.doomed and w not in self._drawing]
            idle = [worker for worker in free if worker not in running.values()]
            preferred = [worker for worker in free if running.get(waiting.job_id) is worker]
            for worker in (preferred + idle + free)[:1]:
                self._queue.remove(waiting)
                self._drawing[worker] = waiting
                out = str(worker.folder / "view")
                self._executor.send(worker, msgspec.structs.replace(waiting.draw, out=out))

    def drawn(self, worker: Worker, message: wire.Drawn) -> None:
        """The worker has drawn."""
        waiting = self._drawing.pop(worker, None)
        if waiting is None or waiting.late or waiting.draw.number != message.number:
            return
        waiting.done(
            _read(worker, waiting.draw.view) if message.fault is None else Picture(fault=message.fault)
        )

    def worker_gone(self, worker: Worker) -> None:
        """The worker's process has ended."""
        waiting = self._drawing.pop(worker, None)
        if waiting is not None and not waiting.late:
            waiting.done(_late("The worker ended before the picture was drawn."))

    def drop_late(self) -> None:
        """Says so to those whose time is over."""
        now = time.monotonic()
        for waiting in [one for one in self._queue if one.deadline <= now]:
            self._queue.remove(waiting)
            waiting.done(_late("The picture was not drawn in time."))
        for waiting in self._drawing.values():
            if waiting.deadline <= now and not waiting.late:
                waiting.late = True
                waiting.done(_late("The picture was not drawn in time."))


def _read(worker: Worker, view: messages.View) -> Picture:
    data = (worker.folder / "view").read_bytes()
    pixels = view.width * view.height
    colour = np.frombuffer(data, np.uint8, pixels * 4).reshape(view.height, view.width, 4)
    if not view.depth:
        return Picture(colour)
    return Picture(colour, np.frombuffer(data, "<f4", pixels, pixels * 4).reshape(view.height, view.width))


def _late(sentence: str) -> Picture:
    return Picture(fault=messages.Fault(code="view.late", sentence=sentence))
