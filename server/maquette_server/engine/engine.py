"""The job engine: from a request to a result. One object, one thread; for the service and the command line.

    engine = JobEngine(folder, config.load(folder), devices=("auto",))
    job = engine.submit(request)
    while engine.view(job.job_id).state not in messages.FINAL_STATES:
        for event in engine.pump(0.2):
            show(event.body)
    engine.close()

A job that succeeds has the events `result`, then the state; one that fails `failed`, then the state. Longer
than other files: it is the one place where what the user wants meets what the workers say.
"""

import logging
import queue
import secrets
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from maquette_wire import messages
from maquette_wire.errors import UserError

from .. import config as configuration
from ..methods import base
from . import admission, attempts, blobs, executor, folder, journal, ledger, pictures, reports, runs
from . import worker_messages as wire
from .pictures import Picture
from .runs import EngineEvent

__all__ = ["Action", "EngineEvent", "Events", "JobEngine", "Picture"]

log = logging.getLogger(__name__)

Action = Literal["cancel", "stop", "pause", "resume", "move", "delete"]
Events = list[EngineEvent]
TICK = 0.1  # s between two looks at the clock while a job runs
TIDY_EVERY = 600.0  # s between two looks for blobs that nobody uses
DISK_FULL = "The disk is full. Free some space, then resume the job: its checkpoint is kept."


class JobEngine:
    """Holds a data folder and its workers.

    folder_path: made if need be, held alone until `close`. devices: "auto", "cpu", "cuda", "cuda:N"; one
    worker each. models: further models by name -> folder, beside the configured ones. wake: called from other
    threads when `pump` has something to do. address: where a server listens, for the text of `data.in_use`.
    `wishes` says for a job id what preview is wanted of it (None: no snapshots are made); who sets it calls
    `refresh_wishes` whenever an answer changes.
    Raises UserError `data.in_use`, `data.unusable`, `device.unknown`.
    """

    def __init__(
        self,
        folder_path: Path,
        config: configuration.Config | None = None,
        *,
        devices: Sequence[str] = ("auto",),
        models: Mapping[str, str | Path] | None = None,
        wake: Callable[[], None] | None = None,
        address: str = "",
    ) -> None:
        self.config = config or configuration.Config()
        self.methods = base.discover(self.config.method_packages)
        self.wishes: Callable[[str], messages.PreviewWish | None] = lambda job_id: None
        self._models = configuration.models_of(self.config, models)
        self._folder = folder_path.absolute()
        self._hold = folder.Hold(self._folder, address)
        try:
            self._executor = executor.Executor(
                self._folder / "workers", devices, self.config.torch_threads, wake or (lambda: None)
            )
            limits = self.config.limits
            self.blobs = blobs.BlobStore(self._folder / "blobs", limits.blob, limits.folder)
            self._ledger = ledger.Ledger(journal.Journal(self._folder))
        except BaseException:
            self._hold.release()
            raise
        self._pictures = pictures.Pictures(self._executor, str(self.blobs.folder))
        self._runs: dict[executor.Worker, runs.Run] = {}
        self._freeing: list[_Freeing] = []
        self._tidy_at = time.monotonic()

    # ---- what it is ----------------------------------------------------------------------------------------

    @property
    def folder_id(self) -> str:
        """Id of the data folder; event numbers mean something within it only."""
        return self._ledger.journal.folder_id

    @property
    def last_event(self) -> int:
        """Number of the newest event."""
        return self._ledger.journal.last_number

    @property
    def device(self) -> str:
        """Names of the devices."""
        return ", ".join(worker.device for worker in self._executor.workers)

    @property
    def token(self) -> str:
        """What a client of this data folder's server has to know."""
        return folder.token_of(self._folder)

    @property
    def idle(self) -> bool:
        """True when nothing runs, waits to run, or is being drawn."""
        return not (self._runs or self._waiting() or self._pictures.busy or self._freeing)

    def tell_address(self, address: str) -> None:
        """Where the server listens, once that is known."""
        self._hold.tell(address)

    # ---- blobs ---------------------------------------------------------------------------------------------

    def put_file(self, path: Path) -> messages.BlobRef:
        """Takes a file of this machine in as a blob (a copy). Raises UserError `disk.full`, OSError."""
        digest = self.blobs.copy(path)
        return messages.BlobRef(digest=digest, size=self.blobs.size(digest))

    def put_bytes(self, data: bytes) -> messages.BlobRef:
        """Takes bytes in as a blob. Raises UserError `disk.full`."""
        return messages.BlobRef(digest=self.blobs.add(data), size=len(data))

    def blob_path(self, digest: str) -> Path:
        """Where a blob lies, for reading. Raises UserError `blob.missing`."""
        self.blobs.size(digest)
        return self.blobs.path(digest)

    # ---- jobs ----------------------------------------------------------------------------------------------

    def submit(self, request: messages.Submit, client: str = "") -> messages.JobInfo:
        """Queues a job; a request id that is known gives the job it made.

        Raises UserError `method.unknown`, `params.bad`, `input.bad`, `blob.*`, `model.*`, `quota.jobs`,
        `disk.full`, and `protocol.bad` when the id was another request's.
        """
        known = self._ledger.by_request.get(request.request_id)
        if known is not None:
            if known.request != request:
                raise UserError("protocol.bad", "The id of this request was used for another one.")
            return self._ledger.info(known)
        admission.check(request, self.methods, self._models, self.config.default_model, self.blobs)
        if len(self._ledger.queue) >= self.config.limits.jobs:
            raise UserError(
                "quota.jobs",
                f"The queue is full: it holds {len(self._ledger.queue)} jobs.",
                hint="Wait for one to finish, or cancel one.",
            )
        job = journal.Job(secrets.token_hex(6), request, client, journal.now_ms())
        self._ledger.add(job)
        log.info("job %s: %s queued", job.job_id, request.method)
        return self._ledger.info(job)

    def control(self, job_id: str, action: Action, position: int = 0) -> messages.JobInfo | None:
        """A command to a job; None after `delete`. Raises UserError `job.unknown`, `job.wrong_state`."""
        job = self._ledger.job(job_id)
        if action == "delete":
            self._delete(job)
            return None
        if action == "cancel":
            self._cancel(job)
        elif action == "stop":
            self._stop(job)
        elif action == "pause":
            self._pause(job)
        elif action == "resume":
            self._resume(job)
        elif job_id in self._ledger.queue:
            self._ledger.move(job, position)
        else:
            raise _wrong_state(job, "moved")
        return self._ledger.info(job)

    def follow(self, after: int = 0, job_id: str | None = None) -> Events:
        """Stored events with higher numbers, oldest first; of running jobs also the newest progress and
        snapshot.
        """
        found = self._ledger.events(after, job_id)
        for run in self._runs.values():
            if run.current and job_id in (None, run.job.job_id):
                found += [event for event in run.newest.values() if event.number > after]
        return sorted(found, key=lambda event: event.number)

    def list(self) -> tuple[messages.JobInfo, ...]:
        """All jobs, newest first."""
        jobs = self._ledger.jobs.values()
        newest = sorted(jobs, key=lambda job: (job.created_ms, job.place), reverse=True)
        return tuple(self._ledger.info(job) for job in newest)

    def view(self, job_id: str) -> messages.JobInfo:
        """One job. Raises UserError `job.unknown`."""
        return self._ledger.info(self._ledger.job(job_id))

    def models(self) -> tuple[messages.ModelInfo, ...]:
        """All models."""
        return tuple(self._describe(name) for name in sorted(self._models))

    def check_model(self, name: str) -> messages.ModelInfo:
        """The model, if its files are as they should be. Raises UserError `model.*`."""
        if name not in self._models:
            raise UserError("model.not_found", f"There is no model '{name}'.")
        configuration.check_model(name, self._models[name])
        return self._describe(name)

    def _describe(self, name: str) -> messages.ModelInfo:
        return configuration.describe(name, self._models[name], name == self.config.default_model)

    def picture(self, request: messages.View, done: Callable[[Picture], None], owner: str = "") -> None:
        """Draws the newest texture of a job; `done` is called from `pump`, or when a newer view takes its
        place.

        `owner` keeps the views of one client apart from another's.
        Raises UserError `scene.unknown`, `view.nothing`.
        """
        job = self._ledger.jobs.get(request.scene)
        if job is None:
            raise UserError("scene.unknown", f"There is no scene or job '{request.scene}'.")
        self._pictures.ask(job, request, owner, done)

    def forget_pictures(self, owner: str) -> None:
        """Nobody waits for this owner's views any more."""
        self._pictures.forget(owner)

    def release(self, done: Callable[[float], None]) -> None:
        """Frees the models of idle workers; `done(freed MB)` is called from `pump`, at once when there are
        none.
        """
        idle = [w for w in self._executor.workers if w.process and not w.doomed and w not in self._runs]
        if not idle:
            done(0.0)
            return
        self._freeing.append(_Freeing(done, set(idle)))
        for worker in idle:
            self._executor.send(worker, wire.Free())

    def refresh_wishes(self) -> None:
        """Asks `wishes` again for every running job."""
        for run in self._runs.values():
            wish = self.wishes(run.job.job_id)
            if run.current and wish != run.wish:
                run.wish = wish
                max_px, min_ms = (wish.max_px, wish.min_ms) if wish else (0, 0)
                self._executor.send(
                    run.worker, wire.Wish(job_id=run.job.job_id, max_px=max_px, min_ms=min_ms)
                )

    # ---- the engine's own time -----------------------------------------------------------------------------

    def pump(self, timeout: float = 0.0) -> Events:
        """Lets everything happen that is due; waits at most `timeout` seconds for something to happen.

        Call it at least every 0.1 s while a job runs (with that or a longer timeout). Returns the events
        since the last call, those of `submit` and `control` included.
        """
        until = time.monotonic() + timeout
        while True:
            self._hear_all()
            self._look_at_the_clock()
            self._give_out()
            left = until - time.monotonic()
            if self._ledger.has_events or left <= 0:
                return self._ledger.take_events()
            try:
                self._hear(self._executor.said.get(timeout=left if self.idle else min(left, TICK)))
            except queue.Empty:
                continue

    def close(self, timeout: float = 10.0) -> Events:
        """Checkpoints running jobs, leaves them `interrupted`, ends the workers and frees the folder.

        Returns the last events.
        """
        until = time.monotonic() + timeout
        sentence = "The server was stopped."
        for run in self._runs.values():
            if run.current and run.purpose != "pause":
                self._halt(run, "interrupt", sentence)
        while self._runs and time.monotonic() < until:
            try:
                self._hear(self._executor.said.get(timeout=TICK))
            except queue.Empty:
                self._look_at_the_clock()
        for run in self._runs.values():
            if run.current:
                self._ledger.become(run.job, "interrupted", sentence)
        self._executor.close()
        self.blobs.close()
        self._ledger.journal.close()
        self._hold.release()
        return self._ledger.take_events()

    def _waiting(self) -> "Sequence[str]":
        return [job_id for job_id in self._ledger.queue if self._ledger.jobs[job_id].state == "queued"]

    def _hear_all(self) -> None:
        while True:
            try:
                said = self._executor.said.get_nowait()
            except queue.Empty:
                return
            self._hear(said)

    def _look_at_the_clock(self) -> None:
        now = time.monotonic()
        for run in self._runs.values():
            run.sampler.sample()
            if run.deadline is not None and now >= run.deadline and not run.worker.doomed:
                log.warning("job %s: the worker did not answer, it is killed", run.job.job_id)
                self._executor.kill(run.worker)
        self._pictures.drop_late()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY
            self._ledger.journal.keep_reserve()
            self.blobs.remove_unused(self._ledger.journal.is_used)

    def _give_out(self) -> None:
        """Gives queued jobs and pictures to workers that are free."""
        for worker in self._executor.workers:
            waiting = self._waiting()
            if waiting and worker not in self._runs and not worker.doomed:
                self._start(self._ledger.jobs[waiting[0]], worker)
        self._pictures.give_out({run.job.job_id: run.worker for run in self._runs.values()})

    def _start(self, job: journal.Job, worker: executor.Worker) -> None:
        try:
            path = self._prepare(job)
        except (UserError, OSError) as error:
            if _no_room(error):
                self._pause_for_room(job)
            elif isinstance(error, UserError):
                self._fail(job, _fault(error))
            else:
                raise
            return
        run = self._runs[worker] = runs.Run(job, job.attempt, worker)
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
        method = admission.method_of(job.request.method, self.methods)
        names = admission.models_for(method, job.request.model, self._models, self.config.default_model)

        def work() -> None:
            job.attempt += 1
            self._ledger.become(job, "running")
            if job.stop_wished:
                self._ledger.become(job, "stopping")

        job_folder = self._job_folder(job)
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
            models={kind: self._models[name].path for kind, name in names.items()},
            job_folder=str(job_folder),
            blob_folder=str(self.blobs.folder),
            checkpoint_seconds=self.config.checkpoint_seconds,
            budget=self.config.limits.job,
        )
        path = attempt_folder / "request.msgpack"
        path.write_bytes(msgspec.msgpack.encode(request))
        self._ledger.store(job, work)
        return path

    # ---- commands ------------------------------------------------------------------------------------------

    def _cancel(self, job: journal.Job) -> None:
        if job.state == "cancelled":
            return
        if job.state in messages.FINAL_STATES:
            raise _wrong_state(job, "cancelled")
        self._ledger.finish(job, "cancelled")
        run = self._run_of(job)
        if run is None:
            self._remove_attempts(job)
        else:
            run.ask("cancel")
            self._executor.send(run.worker, wire.Cancel(job_id=job.job_id))

    def _stop(self, job: journal.Job) -> None:
        """Stop and keep. A job that waits goes on first, so that the method itself can finish it."""
        run = self._run_of(job)

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
            run.ask("stop")
            self._executor.send(run.worker, wire.Stop(job_id=job.job_id))

    def _pause(self, job: journal.Job) -> None:
        run = self._run_of(job)
        if job.state == "running" and run is not None:
            self._halt(run, "pause", "")
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
            self.blobs.drop(digest)
        if self._run_of(job) is None:
            self._remove_attempts(job)
        log.info("job %s: deleted", job.job_id)

    def _halt(self, run: runs.Run, purpose: runs.Purpose, sentence: str) -> None:
        run.ask(purpose, sentence)
        self._executor.send(run.worker, wire.Halt(job_id=run.job.job_id))

    # ---- what workers say ----------------------------------------------------------------------------------

    def _hear(self, said: executor.Said) -> None:
        message, worker = said.message, said.worker
        if message is None:
            self._worker_ended(worker, said.status)
        elif isinstance(message, wire.Drawn):
            self._pictures.drawn(worker, message)
        elif isinstance(message, wire.Freed):
            self._count_freed(worker, message.freed_mb)
        elif isinstance(message, wire.Attempted):
            run = self._runs.get(worker)
            if run is None or (run.job.job_id, run.attempt) != (message.job_id, message.attempt):
                log.warning("job %s: word of an old attempt is refused", message.job_id)
                return
            try:
                self._attempted(run, message)
            except (UserError, OSError) as error:
                if not _no_room(error):
                    raise
                self._front_without_room(run)

    def _attempted(self, run: runs.Run, message: wire.Attempted) -> None:
        over = isinstance(message, wire.Finished | wire.Halted | wire.Cancelled | wire.Broke)
        if over:
            del self._runs[run.worker]
        if not run.current:
            if over:
                self._remove_attempts(run.job)
        elif isinstance(message, wire.Started):
            run.device = run.worker.device = message.device  # "auto" is no longer in doubt
        elif isinstance(message, wire.Progressed):
            self._ledger.progress[run.job.job_id] = message.body
            run.newest["progress"] = self._ledger.tell(run.job, message.body)
        elif isinstance(message, wire.Warned):
            self._ledger.warn(run.job, message.code, message.sentence)
        elif isinstance(message, wire.Snapped):
            self._take_snapshot(run, message)
        elif isinstance(message, wire.Checkpointed):
            attempts.remove_old_checkpoints(self._job_folder(run.job))
        elif isinstance(message, wire.Stopping):
            run.deadline = None  # it has heard; finishing may take its time
        elif isinstance(message, wire.Finished):
            self._succeed(run, self._adopt(message.items), message)
        elif isinstance(message, wire.Halted):
            self._halted(run, message.code == "disk.full")
        elif isinstance(message, wire.Broke):
            self._fail(run.job, _with_log(message.fault, run.worker))

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
        if self._runs.get(run.worker) is not run:
            if run.current:
                self._pause_for_room(run.job)
        elif run.purpose == "":
            self._halt(run, "full", DISK_FULL)

    def _pause_for_room(self, job: journal.Job) -> None:
        """When not even that can be written, it holds until a restart, which tries the job again."""
        try:
            self._ledger.become(job, "paused", DISK_FULL)
        except UserError:
            log.exception("job %s: its pause could not be written down", job.job_id)
            job.state = "paused"

    def _worker_ended(self, worker: executor.Worker, status: int) -> None:
        on_purpose = worker.doomed
        self._executor.gone(worker)
        self._pictures.worker_gone(worker)
        self._count_freed(worker, 0.0)
        run = self._runs.pop(worker, None)
        if run is None:
            log.info("the worker of %s ended with status %d", worker.device, status)
        elif not run.current:
            self._remove_attempts(run.job)
        elif not on_purpose:
            self._crashed(run, executor.why_it_ended(status))
        elif run.purpose == "stop":
            self._keep_snapshot(run)
        else:
            self._halted(run, disk_full=False)

    def _crashed(self, run: runs.Run, why: str) -> None:
        """Tried once more; a second crash without a newer checkpoint in between is the end."""
        job = run.job
        log.warning("job %s: the worker ended, %s", job.job_id, why)
        newest = attempts.newest_step(self._job_folder(job))
        if 0 <= newest <= job.crash_step:
            sentence = f"The worker process ended twice at the same place: {why}."
            self._fail(job, messages.Fault(code="job.crashed", sentence=sentence, hint="Try a smaller size."))
            return

        def work() -> None:
            job.crash_step = newest
            self._ledger.become(job, "interrupted", f"The worker process ended: {why}.")
            self._ledger.become(job, "queued", "The job is tried once more from its newest checkpoint.")

        self._ledger.store(job, work)

    def _take_snapshot(self, run: runs.Run, message: wire.Snapped) -> None:
        items = self._adopt(message.items)
        for digest in self._ledger.add_snapshot(run.job, message.step, items):
            self.blobs.drop(digest)
        preview = None
        if message.preview:
            path = Path(message.preview)
            preview = np.frombuffer(path.read_bytes(), np.uint8).reshape(message.preview_shape)
            path.unlink()
        body = messages.SnapshotBody(step=message.step, items=items)
        run.newest["snapshot"] = self._ledger.tell(run.job, body, preview)

    def _adopt(self, made: Sequence[wire.Made]) -> tuple[messages.ResultItem, ...]:
        """The files as blobs. Raises UserError `disk.full`."""
        for file in made:
            self.blobs.adopt(Path(file.file), file.digest)
        return tuple(
            messages.ResultItem(
                role=file.role,
                name=file.name,
                digest=file.digest,
                size=file.size,
                dtype=file.dtype,
                shape=file.shape,
            )
            for file in made
        )

    # ---- ends ----------------------------------------------------------------------------------------------

    def _keep_snapshot(self, run: runs.Run) -> None:
        job = run.job
        if not job.snapshots:
            sentence = "The job was stopped before there was anything to keep."
            self._fail(job, messages.Fault(code="job.nothing_to_keep", sentence=sentence))
            return
        progress = self._ledger.progress.get(job.job_id)
        self._succeed(run, job.snapshots[-1][1], reports.of_snapshot(job, run.device, progress))

    def _succeed(
        self, run: runs.Run, items: tuple[messages.ResultItem, ...], finished: wire.Finished
    ) -> None:
        job = run.job
        method = self.methods[job.request.method]
        report = reports.build(
            job,
            msgspec.to_builtins(method.read_params(job.request.params)),
            admission.models_for(method, job.request.model, self._models, self.config.default_model),
            self._ledger.warnings(job),
            run.sampler.peak_mb,
            finished,
        )
        data = reports.to_json(report)
        file = messages.ResultItem(
            role="figures", name="report.json", digest=self.blobs.add(data), size=len(data)
        )
        body = messages.ResultBody(items=(*items, file), report=report, kept=finished.kept)
        self._ledger.finish(job, "succeeded", body)
        self._remove_attempts(job)

    def _fail(self, job: journal.Job, fault: messages.Fault) -> None:
        """The attempts stay, so that the job can be resumed once the reason is mended."""
        log.info("job %s: failed with %s", job.job_id, fault.code)
        self._ledger.finish(job, "failed", messages.FailedBody(fault=fault))

    def _remove_attempts(self, job: journal.Job) -> None:
        shutil.rmtree(self._job_folder(job), ignore_errors=True)

    def _job_folder(self, job: journal.Job) -> Path:
        return self._folder / "jobs" / job.job_id

    def _run_of(self, job: journal.Job) -> runs.Run | None:
        return next((run for run in self._runs.values() if run.job is job), None)

    def _count_freed(self, worker: executor.Worker, freed_mb: float) -> None:
        for freeing in [one for one in self._freeing if worker in one.waiting]:
            freeing.waiting.discard(worker)
            freeing.freed_mb += freed_mb
            if not freeing.waiting:
                self._freeing.remove(freeing)
                freeing.done(freeing.freed_mb)


class _Freeing:
    """A release that waits for workers."""

    def __init__(self, done: Callable[[float], None], waiting: set[executor.Worker]) -> None:
        self.done, self.waiting, self.freed_mb = done, waiting, 0.0


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


def _fault(error: UserError) -> messages.Fault:
    return messages.Fault(
        code=error.code, sentence=error.sentence, hint=error.hint, fix=error.fix, log_id=error.log_id
    )


def _wrong_state(job: journal.Job, wanted: str) -> UserError:
    return UserError("job.wrong_state", f"The job is {job.state} and cannot be {wanted}.")
