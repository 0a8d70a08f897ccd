"""Commands to a job: what each means in the state the job is in.

States and what may follow them are the journal's (`MAY_BECOME`); a job that is with a worker is asked through
its run.
"""

import logging
from typing import Literal

from maquette_wire import messages
from maquette_wire.errors import UserError

from . import blobs, journal, ledger, runner

log = logging.getLogger(__name__)

Action = Literal["cancel", "stop", "pause", "resume", "move", "delete"]


class Commands:
    """Gives commands to jobs of a ledger."""

    def __init__(self, running: runner.Runner, book: ledger.Ledger, store: blobs.BlobStore) -> None:
        self._runner, self._ledger, self._blobs = running, book, store

    def give(self, job: journal.Job, action: Action, position: int = 0) -> None:
        """`position` is for "move": the new place in the queue. Raises UserError `job.wrong_state`."""
        if action == "delete":
            self._delete(job)
        elif action == "cancel":
            self._cancel(job)
        elif action == "stop":
            self._stop(job)
        elif action == "pause":
            self._pause(job)
        elif action == "resume":
            self._resume(job)
        elif job.job_id in self._ledger.queue:
            self._ledger.move(job, position)
        else:
            raise _wrong_state(job, "moved")

    def _cancel(self, job: journal.Job) -> None:
        if job.state == "cancelled":
            return
        if job.state in messages.FINAL_STATES:
            raise _wrong_state(job, "cancelled")
        self._ledger.finish(job, "cancelled")
        run = self._runner.run_of(job)
        if run is None:
            self._runner.remove_attempts(job)
        else:
            self._runner.cancel(run)

    def _stop(self, job: journal.Job) -> None:
        """Stop and keep. A job that waits goes on first, so that the method itself can finish it."""
        run = self._runner.run_of(job)

        def work() -> None:
            job.stop_wished = True
            if job.state == "running":
                self._ledger.become(job, "stopping")
            elif job.state == "paused":
                self._ledger.become(job, "queued")
            else:
                self._ledger.save(job)

        if job.state == "stopping":
            return
        waits = job.state in ("queued", "paused") and job.attempt > 0
        if not (job.state == "running" and run is not None) and not waits:
            raise _wrong_state(job, "stopped and kept")
        self._ledger.store(job, work)
        if run is not None:
            self._runner.stop(run)

    def _pause(self, job: journal.Job) -> None:
        run = self._runner.run_of(job)
        if job.state == "running" and run is not None:
            self._runner.halt(run, "pause", "")
        elif job.state == "queued":
            self._ledger.become(job, "paused")
        elif job.state != "paused":
            raise _wrong_state(job, "paused")

    def _resume(self, job: journal.Job) -> None:
        if job.state not in ("paused", "failed"):
            raise _wrong_state(job, "resumed")

        def work() -> None:
            job.crash_step, job.fault = -1, None
            self._ledger.become(job, "queued")

        self._ledger.store(job, work)

    def _delete(self, job: journal.Job) -> None:
        if job.state not in messages.FINAL_STATES:
            self._cancel(job)
        for digest in self._ledger.remove(job):
            self._blobs.drop(digest)
        if self._runner.run_of(job) is None:
            self._runner.remove_attempts(job)
        log.info("job %s: deleted", job.job_id)


def _wrong_state(job: journal.Job, wanted: str) -> UserError:
    return UserError("job.wrong_state", f"The job is {job.state} and cannot be {wanted}.")
