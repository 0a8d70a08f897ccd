"""Views that wait to be drawn. No job, no record; a newer one of the same view replaces an older one that
waits, here or with a worker that has not begun it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from maquette_wire import messages
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import faults, journal
from . import worker_messages as wire
from .executor import Executor, Worker

MAX_WAITING = 16  # pictures of one owner
_OF_A_FIELD = (
    "scene.json",
    "cameras.json",
    "checkpoints/",
    "moments/",
)  # not the pictures that it was made from


@dataclass(frozen=True)
class Picture:
    """A drawn view: colour u8 [H, W, 4] and depth f4 [H, W] or None, or what went wrong. A field's may be
    smaller than asked for.
    """

    colour: NDArray[Any] | None = None
    depth: NDArray[Any] | None = None
    fault: messages.Fault | None = None


Done = Callable[[Picture], None]


@dataclass
class _Waiting:
    number: int
    owner: str
    view: messages.View
    job: journal.Job
    done: Done
    deadline: float
    late: bool = False

    def answer(self, picture: Picture) -> None:
        """Once; after that nobody waits."""
        if not self.late:
            self.late = True
            self.done(picture)


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
        _drawable(job)
        for other in [*self._queue, *self._drawing.values()]:
            if other.owner == owner and other.view.view_id == view.view_id:
                self._replace(other, "A newer picture of the same view was asked for.")
        own = [one for one in self._queue if one.owner == owner]
        if len(own) >= MAX_WAITING:
            self._replace(own[0], "Too many newer pictures were asked for.")
        self._count += 1
        deadline = time.monotonic() + view.deadline_ms / 1000
        self._queue.append(_Waiting(self._count, owner, view, job, done, deadline))

    def _replace(self, other: _Waiting, sentence: str) -> None:
        """A picture that waits here is refused; one that a worker has is, unless it is begun already."""
        if other in self._queue:
            self._queue.remove(other)
            other.answer(_late(sentence))
        for worker, drawing in self._drawing.items():
            if drawing is other:
                self._executor.send(worker, wire.Skip(number=other.number))

    def forget(self, owner: str) -> None:
        """Nobody waits for this client's views any more."""
        self._queue = [waiting for waiting in self._queue if waiting.owner != owner]
        for worker, waiting in self._drawing.items():
            if waiting.owner == owner:
                waiting.late = True
                self._executor.send(worker, wire.Skip(number=waiting.number))

    def give_out(self, running: dict[str, Worker]) -> None:
        """Gives waiting views to workers: to one that is idle, else to the one that runs the job, else to
        any.
        """
        for waiting in list(self._queue):
            free = [w for w in self._executor.workers if not w.doomed and w not in self._drawing]
            idle = [worker for worker in free if worker not in running.values()]
            own = [worker for worker in free if running.get(waiting.job.job_id) is worker]
            for worker in (idle + own + free)[:1]:
                self._queue.remove(waiting)
                try:
                    what = _drawable(waiting.job)
                except UserError as error:  # the job has been tried anew since the view was asked for
                    waiting.answer(Picture(fault=faults.of(error)))
                    continue
                self._drawing[worker] = waiting
                draw = wire.Draw(
                    number=waiting.number,
                    what=what,
                    view=waiting.view,
                    deadline=waiting.deadline,
                    blob_folder=self._blob_folder,
                    out=str(worker.folder / "view"),
                )
                self._executor.send(worker, draw)

    def drawn(self, worker: Worker, message: wire.Drawn) -> None:
        """The worker has drawn."""
        waiting = self._drawing.get(worker)
        if waiting is None or waiting.number != message.number:
            return
        del self._drawing[worker]
        if waiting.late:
            return
        waiting.answer(
            _read(worker, message, waiting.view.depth)
            if message.fault is None
            else Picture(fault=message.fault)
        )

    def worker_gone(self, worker: Worker) -> None:
        """The worker's process has ended."""
        waiting = self._drawing.pop(worker, None)
        if waiting is not None:
            waiting.answer(_late("The worker ended before the picture was drawn."))

    def drop_late(self) -> None:
        """Says so to those whose time is over."""
        now = time.monotonic()
        for waiting in [*self._queue, *self._drawing.values()]:
            if waiting.deadline <= now:
                waiting.answer(_late("The picture was not drawn in time."))
        self._queue = [waiting for waiting in self._queue if not waiting.late]


def _drawable(job: journal.Job) -> wire.Painted | wire.Field:
    """What there is to look at in a job's result, or in its newest snapshot.

    Raises UserError `view.nothing`.
    """
    items = job.results or (job.snapshots[-1][1] if job.snapshots else ())
    files = tuple(
        messages.SceneFile(path=item.name, file=messages.BlobRef(digest=item.digest, size=item.size))
        for item in items
        if item.role == "scene" and item.name.startswith(_OF_A_FIELD)
    )
    if files:
        return wire.Field(files=files)
    by_role = {item.role: item for item in items}
    mesh = next((item for item in job.request.inputs if isinstance(item, messages.MeshInput)), None)
    if "texture" not in by_role or mesh is None:
        raise UserError(
            "view.nothing",
            "The job has nothing to look at yet.",
            hint="Wait for a preview, or for its result.",
        )
    return wire.Painted(mesh=mesh, uv=by_role.get("uv"), texture=by_role["texture"].digest)


def _read(worker: Worker, drawn: wire.Drawn, depth: bool) -> Picture:
    data = (worker.folder / "view").read_bytes()
    height, width = drawn.height, drawn.width
    colour = np.frombuffer(data, np.uint8, height * width * 4).reshape(height, width, 4)
    if not depth:
        return Picture(colour)
    return Picture(
        colour, np.frombuffer(data, "<f4", height * width, height * width * 4).reshape(height, width)
    )


def _late(sentence: str) -> Picture:
    return Picture(fault=messages.Fault(code="view.late", sentence=sentence))
