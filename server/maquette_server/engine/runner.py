"""Jobs that are with a worker: how they start, what the workers say about them, and what ends them.

A worker's word counts only while its attempt is the newest of its job (*fencing*).
"""

import contextlib
import logging
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
from maquette_wire import messages
from maquette_wire.errors import UserError

from .. import config as configuration
from ..methods import base
from . import admission, attempts, blobs, executor, faults, journal, ledger, outcomes, runs
from . import worker_messages as wire

log = logging.getLogger(__name__)

DISK_FULL = "The disk is full. Free some space, then resume the job: its checkpoint is kept."


class Runner:
    """`runs` by worker. `wishes` says for a job id what preview is wanted of it."""

    def __init__(
        self,
        folder: Path,
        config: configuration.Config,
        methods: Mapping[str, base.Method],
        models: Mapping[str, configuration.ModelEntry],
        workers: executor.Executor,
        book: ledger.Ledger,
        store: blobs.BlobStore,
    ) -> None:
        self._folder, self._config, self._methods, self._models = folder, config, methods, models
        self._executor, self._ledger, self._blobs = workers, book, store
        self._outcomes = outcomes.Outcomes(methods, book, store)
        self.runs: dict[executor.Worker, runs.Run] = {}
        self.wishes: Callable[[str], messages.PreviewWish | None] = lambda job_id: None

    def run_of(self, job: journal.Job) -> runs.Run | None:
        """The run of a job that is with a worker."""
        return next((run for run in self.runs.values() if run.job is job), None)

    def remove_attempts(self, job: journal.Job) -> None:
        """Removes all files of a job's attempts."""
        shutil.rmtree(self._job_folder(job), ignore_errors=True)

    def sweep(self) -> None:
        """Removes the files of attempts that nothing can go on from: of jobs that are deleted, cancelled or
        done. A server that was killed, and a worker that outlived it, leave such. To be called before the
        first start.
        """
        over = ("succeeded", "cancelled")
        for folder in (self._folder / "jobs").glob("*"):
            job = self._ledger.jobs.get(folder.name)
            if folder.is_dir() and (job is None or job.state in over):
                log.info("job %s: what its attempts left is removed", folder.name)
                shutil.rmtree(folder, ignore_errors=True)

    def _job_folder(self, job: journal.Job) -> Path:
        return self._folder / "jobs" / job.job_id

    # ---- to a worker ---------------------------------------------------------------------------------------

    def start(self, job: journal.Job, worker: executor.Worker) -> None:
        """Starts the next attempt of a job; a job that cannot start fails, or waits for room on the disk."""
        path = None
        with self._paused_without_room(job):
            try:
                path = self._prepare(job)
            except UserError as error:
                if _no_room(error):
                    raise
                self._outcomes.fail(job, faults.of(error))
        if path is None:
            return
        run = self.runs[worker] = runs.Run(job, job.attempt, worker)
        self._executor.send(worker, wire.Start(request=str(path)))
        assert worker.process is not None
        run.sampler.watch(worker.process.pid)
        if job.stop_wished:
            self._executor.send(worker, wire.Stop(job_id=job.job_id))
        self.refresh_wishes()

    def _prepare(self, job: journal.Job) -> Path:
        """The next attempt's folder with its request. The number is stored first: it fences older attempts
        off.
        """
        method = admission.method_of(job.request.method, self._methods)
        if job.models is None:
            names = admission.models_for(
                method, job.request.model, self._models, configuration.defaults(self._config)
            )
        else:
            names = {kind: model.name for kind, model in job.models.items()}
        models = admission.with_digests(names, self._models)
        job_folder = self._job_folder(job)
        changed = _changed(job.models, models) if attempts.checkpoints(job_folder) else ""

        def work() -> None:
            job.attempt += 1
            job.models = models
            self._ledger.become(job, "running")
            if changed:
                self._ledger.warn(job, outcomes.CHANGED, changed)
            if job.stop_wished:
                self._ledger.become(job, "stopping")

        attempt_folder = attempts.attempt_folder(job_folder, job.attempt + 1)
        attempt_folder.mkdir(parents=True, exist_ok=True)
        request = wire.Request(
            job_id=job.job_id,
            attempt=job.attempt + 1,
            method=method.name,
            package=method.package,
            params=job.request.params,
            inputs=job.request.inputs,
            seed=job.request.seed,
            models={kind: self._models[name].path for kind, name in names.items()} | self._further(method),
            digests={kind: model.digest for kind, model in models.items()},
            job_folder=str(job_folder),
            blob_folder=str(self._blobs.folder),
            checkpoint_seconds=self._config.checkpoint_seconds,
            budget=self._config.limits.job,
        )
        path = attempt_folder / "request.msgpack"
        path.write_bytes(msgspec.msgpack.encode(request))
        self._ledger.store(job, work)
        return path

    def _further(self, method: base.Method) -> dict[str, str]:
        """Folders of the weights that a method uses when there are such."""
        known = {"lpips": self._config.lpips, "clip": self._config.clip}
        return {kind: known[kind] for kind in method.further if known[kind]}

    def refresh_wishes(self) -> None:
        """Asks `wishes` again for every running job."""
        for run in self.runs.values():
            wish = self.wishes(run.job.job_id)
            if run.current and wish != run.wish:
                run.wish = wish
                max_px, min_ms = (wish.max_px, wish.min_ms) if wish else (0, 0)
                self._executor.send(
                    run.worker, wire.Wish(job_id=run.job.job_id, max_px=max_px, min_ms=min_ms)
                )

    def stop(self, run: runs.Run) -> None:
        """Stop and keep: the method finishes early."""
        run.ask("stop")
        self._executor.send(run.worker, wire.Stop(job_id=run.job.job_id))

    def cancel(self, run: runs.Run) -> None:
        """Ends a run whose job is over already."""
        run.ask("cancel")
        self._executor.send(run.worker, wire.Cancel(job_id=run.job.job_id))

    def halt(self, run: runs.Run, purpose: runs.Purpose, sentence: str) -> None:
        """Checkpoint, then close the method; the sentence says why."""
        run.ask(purpose, sentence)
        self._executor.send(run.worker, wire.Halt(job_id=run.job.job_id))

    # ---- from a worker -------------------------------------------------------------------------------------

    def hear(self, worker: executor.Worker, message: wire.Attempted) -> None:
        """Takes in what a worker says about an attempt."""
        run = self.runs.get(worker)
        if run is None or (run.job.job_id, run.attempt) != (message.job_id, message.attempt):
            log.warning("job %s: word of an old attempt is refused", message.job_id)
            return
        try:
            self._attempted(run, message)
        except Exception as error:  # noqa: BLE001  # whatever it is about one job, the others go on
            if _no_room(error):
                self._front_without_room(run)
            else:
                self._broken(run)

    def _broken(self, run: runs.Run) -> None:
        """A fault of ours while taking in what a worker said: its job fails, its worker starts anew."""
        log_id = secrets.token_hex(4)
        log.exception("job %s: fault %s", run.job.job_id, log_id)
        self.runs.pop(run.worker, None)
        self._executor.kill(run.worker)
        if run.job.state not in messages.FINAL_STATES:
            sentence = "The job failed through a fault of ours; the server's log has the details."
            self._outcomes.fail(run.job, messages.Fault(code="job.failed", sentence=sentence, log_id=log_id))

    def _attempted(self, run: runs.Run, message: wire.Attempted) -> None:
        over = isinstance(message, wire.Finished | wire.Halted | wire.Cancelled | wire.Broke)
        if over:
            del self.runs[run.worker]
        if not run.current:
            if over:
                self.remove_attempts(run.job)
        elif isinstance(message, wire.Started):
            run.device = run.worker.device = message.device  # "auto" is no longer in doubt
        elif isinstance(message, wire.Progressed):
            self._ledger.progress[run.job.job_id] = message.body
            run.newest["progress"] = self._ledger.tell(run.job, message.body)
        elif isinstance(message, wire.Warned):
            self._ledger.warn(run.job, message.code, message.sentence)
        elif isinstance(message, wire.Snapped):
            self._outcomes.take_snapshot(run, message)
        elif isinstance(message, wire.Checkpointed):
            attempts.remove_old_checkpoints(self._job_folder(run.job))
        elif isinstance(message, wire.Stopping):
            run.deadline = None  # it has heard; finishing may take its time
        elif isinstance(message, wire.Finished):
            self._outcomes.succeed(run, self._outcomes.adopt(message.items), message)
            self.remove_attempts(run.job)
        elif isinstance(message, wire.Halted):
            self._halted(run, message.code == "disk.full")
        elif isinstance(message, wire.Broke):
            self._outcomes.fail(run.job, _with_log(message.fault, run.worker))

    def _halted(self, run: runs.Run, disk_full: bool) -> None:
        if disk_full:
            self._pause_for_room(run.job)
        elif run.purpose == "interrupt":
            self._ledger.become(run.job, "interrupted", run.sentence)
        else:
            self._ledger.become(run.job, "paused", run.sentence)

    def _front_without_room(self, run: runs.Run) -> None:
        """The front itself could not write: the job pauses, whatever its worker is about to do."""
        log.warning("job %s: no room on the disk", run.job.job_id)
        if self.runs.get(run.worker) is not run:
            if run.current:
                self._pause_for_room(run.job)
        elif run.purpose == "":
            self.halt(run, "full", DISK_FULL)

    @contextlib.contextmanager
    def _paused_without_room(self, job: journal.Job) -> Iterator[None]:
        """What is done to a job here pauses it instead when there is no room on the disk."""
        try:
            yield
        except (UserError, OSError) as error:
            if not _no_room(error):
                raise
            self._pause_for_room(job)

    def _pause_for_room(self, job: journal.Job) -> None:
        """When not even that can be written, it holds until a restart, which tries the job again."""
        try:
            self._ledger.become(job, "paused", DISK_FULL)
        except UserError:
            log.exception("job %s: its pause could not be written down", job.job_id)
            job.state = "paused"

    def worker_ended(self, worker: executor.Worker, status: int) -> None:
        """A worker's process has ended: on purpose, or by what it did."""
        on_purpose = worker.doomed
        self._executor.gone(worker)
        run = self.runs.pop(worker, None)
        if run is not None and on_purpose:
            self._say_replaced(run)
        if run is None:
            log.info("the worker of %s ended with status %d", worker.device, status)
        elif not run.current:
            self.remove_attempts(run.job)
        else:
            with self._paused_without_room(run.job):
                if not on_purpose:
                    self._crashed(run, executor.why_it_ended(status))
                elif run.purpose == "stop":
                    self._outcomes.keep_snapshot(run)
                    if run.job.state == "succeeded":
                        self.remove_attempts(run.job)
                else:
                    self._halted(run, disk_full=False)

    def _say_replaced(self, run: runs.Run) -> None:
        """The artist is told why the next job takes longer to start."""
        if run.job.job_id not in self._ledger.jobs:
            return  # deleted
        sentence = (
            f"The worker did not stop within {runs.SECONDS[run.purpose]:.0f} s and was ended;"
            " the next job loads its model anew."
        )
        try:
            self._ledger.warn(run.job, "worker.replaced", sentence)
        except UserError:  # no room on the disk, which is said elsewhere
            log.warning("job %s: %s", run.job.job_id, sentence)

    def _crashed(self, run: runs.Run, why: str) -> None:
        """Tried once more; a second crash without a newer checkpoint in between is the end."""
        job = run.job
        log.warning("job %s: the worker ended, %s", job.job_id, why)
        newest = attempts.newest_step(self._job_folder(job))
        if 0 <= newest <= job.crash_step:
            sentence = f"The worker process ended twice at the same place: {why}."
            fault = messages.Fault(code="job.crashed", sentence=sentence, hint="Try a smaller size.")
            self._outcomes.fail(job, fault)
            return

        def work() -> None:
            job.crash_step = newest
            self._ledger.become(job, "interrupted", f"The worker process ended: {why}.")
            self._ledger.become(job, "queued", "The job is tried once more from its newest checkpoint.")

        self._ledger.store(job, work)


def _changed(before: Mapping[str, journal.Model] | None, now: Mapping[str, journal.Model]) -> str:
    """What to say when a job goes on from a checkpoint with other models, or perhaps with others."""
    for kind, model in now.items():
        old = before.get(kind) if before else None
        if old is None or "" in (old.digest, model.digest):
            return f"It is not known whether the model '{model.name}' is the one with which the job began."
        if old.digest != model.digest:
            return (
                f"The model '{model.name}' has changed since the job began: it was {old.digest[:12]}"
                f" and is {model.digest[:12]}; the job goes on with the new one."
            )
    return ""


def _with_log(fault: messages.Fault, worker: executor.Worker) -> messages.Fault:
    """A fault of ours says where its details are."""
    if fault.code != "job.failed":
        return fault
    hint = f"'{worker.folder / executor.LOG}' has the details under {fault.log_id}."
    return msgspec.structs.replace(fault, hint=hint)


def _no_room(error: BaseException) -> bool:
    if isinstance(error, UserError):
        return error.code in ("disk.full", "quota.disk")
    return journal.is_disk_full(error)
