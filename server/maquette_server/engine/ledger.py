"""The jobs of a data folder and all that happens to them: states, events, the queue, what each job uses.

Every change goes through one transaction of the journal; when that fails, the job and the events are as they
were before. *Told* events are numbered like stored ones, but live in memory only.
"""

import logging
from collections.abc import Callable
from typing import Any

from maquette_wire import messages
from maquette_wire.errors import UserError
from numpy.typing import NDArray

from . import admission, journal
from . import queue as order
from .runs import EngineEvent

log = logging.getLogger(__name__)

KEPT_SNAPSHOTS = 3


class Ledger:
    """All jobs by id, in memory and in the journal. `queue` holds the unfinished ones in their order."""

    def __init__(self, book: journal.Journal) -> None:
        self.journal = book
        self.jobs = {job.job_id: job for job in book.jobs()}
        self.by_request = {job.request.request_id: job for job in self.jobs.values()}
        self.progress: dict[str, messages.ProgressBody] = {}
        self._outbox: list[EngineEvent] = []
        unfinished = [job for job in self.jobs.values() if job.state not in messages.FINAL_STATES]
        self.queue = order.Queue(job.job_id for job in sorted(unfinished, key=lambda job: job.place))
        for job in unfinished:
            job.crash_step = -1  # a new server tries anew
            if job.state in ("running", "stopping"):
                self.become(job, "interrupted", "The job was broken off.")
            if job.state == "interrupted":
                self.become(job, "queued", "The job goes on from its newest checkpoint.")

    # ---- reading -------------------------------------------------------------------------------------------

    def job(self, job_id: str) -> journal.Job:
        """The job. Raises UserError `job.unknown`."""
        if job_id not in self.jobs:
            raise UserError(
                "job.unknown", f"There is no job '{job_id}'.", hint="`maquette jobs list` shows all."
            )
        return self.jobs[job_id]

    def events(self, after: int, job_id: str | None) -> list[EngineEvent]:
        """Stored events with higher numbers, oldest first, of one job or of all."""
        stored = self.journal.events(after, job_id)
        return [EngineEvent(event.number, event.job_id, event.time_ms, event.body) for event in stored]

    def warnings(self, job: journal.Job) -> list[messages.WarningBody]:
        """All warnings of a job."""
        bodies = [event.body for event in self.events(0, job.job_id)]
        return [body for body in bodies if isinstance(body, messages.WarningBody)]

    def info(self, job: journal.Job) -> messages.JobInfo:
        """A row of the list of jobs."""
        progress = self.progress.get(job.job_id)
        return messages.JobInfo(
            job_id=job.job_id,
            method=job.request.method,
            label=job.request.label,
            state=job.state,
            attempt=job.attempt,
            created_ms=job.created_ms,
            client=job.client,
            step=progress.step if progress else 0,
            total=progress.total if progress else 0,
            stage=progress.stage if progress else "",
            seconds_left=progress.seconds_left if progress else None,
            results=job.results,
            fault=job.fault,
            params=job.request.params,
        )

    def take_events(self) -> list[EngineEvent]:
        """What happened since the last call."""
        events, self._outbox = self._outbox, []
        return events

    @property
    def has_events(self) -> bool:
        """Whether something happened since `take_events`."""
        return bool(self._outbox)

    # ---- writing -------------------------------------------------------------------------------------------

    def add(self, job: journal.Job) -> None:
        """A new job, at the end of the queue."""
        job.place = 1 + max((other.place for other in self.jobs.values()), default=0)

        def work() -> None:
            self.save(job)
            self.journal.use(job.job_id, digests(job))
            self._record(job, messages.StateBody(state="queued", attempt=0))

        self.store(job, work)
        self.jobs[job.job_id] = self.by_request[job.request.request_id] = job
        self.queue.add(job.job_id)

    def save(self, job: journal.Job) -> None:
        """Writes the job down as it is."""
        self.journal.save(job)

    def move(self, job: journal.Job, position: int) -> None:
        """Gives the job another place in the queue, 0 first."""
        self.queue.move(job.job_id, position)
        with self.journal.write():
            for place, job_id in enumerate(self.queue, start=1):
                self.jobs[job_id].place = place
                self.save(self.jobs[job_id])

    def remove(self, job: journal.Job) -> set[str]:
        """Forgets a finished job; returns the blobs that nobody uses any more."""
        used = digests(job)
        self.journal.remove(job.job_id)
        del self.jobs[job.job_id], self.by_request[job.request.request_id]
        return {digest for digest in used if not self.journal.is_used(digest)}

    def become(self, job: journal.Job, state: messages.JobState, sentence: str = "") -> None:
        """The job's next state. Raises UserError `disk.full`."""
        if state not in journal.MAY_BECOME[job.state]:
            raise AssertionError(f"job {job.job_id} cannot become {state} from {job.state}")
        log.info("job %s: %s -> %s", job.job_id, job.state, state)

        def work() -> None:
            job.state = state
            self.save(job)
            self._record(job, messages.StateBody(state=state, attempt=job.attempt, sentence=sentence))

        self.store(job, work)
        if state not in messages.FINAL_STATES:
            self.queue.add(job.job_id)

    def finish(
        self, job: journal.Job, state: messages.JobState, body: messages.EventBody | None = None
    ) -> None:
        """A final state, with the event that explains it before it. Raises UserError `disk.full`."""

        def work() -> None:
            job.stop_wished = False
            if state != "failed":
                job.snapshots = []
            if isinstance(body, messages.ResultBody):
                job.results = body.items
            if isinstance(body, messages.FailedBody):
                job.fault = body.fault
            self.journal.use(job.job_id, digests(job))
            if body is not None:
                self._record(job, body)
            self.become(job, state)

        self.store(job, work)
        self.queue.remove(job.job_id)
        self.progress.pop(job.job_id, None)

    def warn(self, job: journal.Job, code: str, sentence: str) -> None:
        """A warning. Raises UserError `disk.full`."""
        body = messages.WarningBody(code=code, sentence=sentence)
        self.store(job, lambda: self._record(job, body))

    def add_snapshot(self, job: journal.Job, step: int, items: tuple[messages.ResultItem, ...]) -> set[str]:
        """One more snapshot, the last three are kept; returns the blobs that nobody uses any more."""
        before = digests(job)

        def work() -> None:
            job.snapshots = [*job.snapshots, (step, items)][-KEPT_SNAPSHOTS:]
            self.save(job)
            self.journal.use(job.job_id, digests(job))

        self.store(job, work)
        gone = before - digests(job)
        return {digest for digest in gone if not self.journal.is_used(digest)}

    def tell(
        self, job: journal.Job, body: messages.EventBody, preview: NDArray[Any] | None = None
    ) -> EngineEvent:
        """An event that is not stored. Raises UserError `disk.full`."""
        event = EngineEvent(self.journal.next_number(), job.job_id, journal.now_ms(), body, preview)
        self._outbox.append(event)
        return event

    def _record(self, job: journal.Job, body: messages.EventBody) -> None:
        stored = self.journal.record(job.job_id, body)
        self._outbox.append(EngineEvent(stored.number, job.job_id, stored.time_ms, body))

    def store(self, job: journal.Job, work: Callable[[], None]) -> None:
        """Does the work in one transaction, all or nothing.

        Tried twice on a full disk: the first failure gives up the journal's reserve. Raises UserError
        `disk.full`.
        """
        if self.journal.writing:
            work()
            return
        values, told = vars(job).copy(), len(self._outbox)
        for last in (False, True):
            try:
                with self.journal.write():
                    work()
                return
            except BaseException as error:
                vars(job).update(values)
                del self._outbox[told:]
                if last or not (isinstance(error, UserError) and error.code == "disk.full"):
                    raise


def digests(job: journal.Job) -> set[str]:
    """Every blob a job uses: its inputs, its results and its last snapshots."""
    used = {ref.digest for ref in admission.references(job.request.inputs)}
    used |= {item.digest for item in job.results}
    return used | {item.digest for _, items in job.snapshots for item in items}
