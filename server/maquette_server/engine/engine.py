"""The job engine: from a request to a result. One object, one thread; for the service and the command line.

    engine = JobEngine(folder, config.load(folder), devices=("auto",))
    job = engine.submit(request)
    while engine.view(job.job_id).state not in messages.FINAL_STATES:
        for event in engine.pump(0.2):
            show(event.body)
    engine.close()

A job that succeeds has the events `result`, then the state; one that fails `failed`, then the state.
Longer than other files: it is the whole of what a user can ask for.
"""

import logging
import queue
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from maquette_wire import messages
from maquette_wire.errors import UserError

from .. import config as configuration
from ..methods import base
from . import admission, blobs, commands, executor, folder, journal, ledger, pictures, releases, runner
from . import worker_messages as wire
from .commands import Action
from .pictures import Picture
from .runs import EngineEvent

__all__ = ["Action", "EngineEvent", "Events", "JobEngine", "Picture"]

log = logging.getLogger(__name__)

Events = list[EngineEvent]
TICK = 0.1  # s between two looks at the clock while a job runs
TIDY_EVERY = 600.0  # s between two looks for blobs that nobody uses


class JobEngine:
    """Holds a data folder and its workers.

    folder_path: made if need be, held alone until `close`. devices: "auto", "cpu", "cuda", "cuda:N"; one
    worker each. models: further models by name -> folder, beside the configured ones. wake: called from other
    threads when `pump` has something to do. address: where a server listens, for the text of `data.in_use`.
    `wishes` says for a job id what preview is wanted of it; as long as it says None, no snapshots are made.
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
        except BaseException:  # Ctrl-C included: the folder is free again; raised again
            self._hold.release()
            raise
        self._pictures = pictures.Pictures(self._executor, str(self.blobs.folder))
        self._runner = runner.Runner(
            self._folder, self.config, self.methods, self._models, self._executor, self._ledger, self.blobs
        )
        self._runner.sweep()
        self._commands = commands.Commands(self._runner, self._ledger, self.blobs)
        self._releases = releases.Releases(self._executor)
        self._tidy_at = time.monotonic()

    # ---- what it is ----------------------------------------------------------------------------------------

    @property
    def wishes(self) -> Callable[[str], messages.PreviewWish | None]:
        """What preview is wanted of a job; whoever sets it calls `refresh_wishes` when an answer changes."""
        return self._runner.wishes

    @wishes.setter
    def wishes(self, wishes: Callable[[str], messages.PreviewWish | None]) -> None:
        self._runner.wishes = wishes

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
        return not (self._runner.runs or self._waiting() or self._pictures.busy or self._releases.busy)

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
            if not admission.same(known.request, request):
                raise UserError("protocol.bad", "The id of this request was used for another one.")
            return self._ledger.info(known)
        request = admission.with_scenes(request, self._results_of)
        models = admission.check(
            request, self.methods, self._models, configuration.defaults(self.config), self.blobs
        )
        if len(self._ledger.queue) >= self.config.limits.jobs:
            raise UserError(
                "quota.jobs",
                f"The queue is full: it holds {len(self._ledger.queue)} jobs.",
                hint="Wait for one to finish, or cancel one.",
            )
        job = journal.Job(secrets.token_hex(6), request, client, journal.now_ms(), models=models)
        self._ledger.add(job)
        log.info("job %s: %s queued", job.job_id, request.method)
        return self._ledger.info(job)

    def _results_of(self, job_id: str) -> tuple[messages.ResultItem, ...]:
        job = self._ledger.jobs.get(job_id)
        return tuple(job.results) if job is not None and job.state == "succeeded" else ()

    def control(self, job_id: str, action: Action, position: int = 0) -> messages.JobInfo | None:
        """A command to a job; None after `delete`. Raises UserError `job.unknown`, `job.wrong_state`."""
        job = self._ledger.job(job_id)
        self._commands.give(job, action, position)
        return self._ledger.info(job) if action != "delete" else None

    def follow(self, after: int = 0, job_id: str | None = None) -> Events:
        """Stored events with higher numbers, oldest first; of running jobs also the newest progress and
        snapshot.
        """
        found = self._ledger.events(after, job_id)
        for run in self._runner.runs.values():
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

    def scenes(self) -> tuple[messages.SceneInfo, ...]:
        """The scenes that jobs have made, newest first."""
        made = (job for job in self.list() if any(item.role == "scene" for item in job.results))
        return tuple(messages.SceneInfo(scene=job.job_id, name=job.label) for job in made)

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
        return configuration.describe(
            name, self._models[name], name in configuration.defaults(self.config).values()
        )

    def picture(self, request: messages.View, done: Callable[[Picture], None], owner: str = "") -> None:
        """Draws the newest texture or field of a job; `done` is called from `pump`, or when a newer view
        takes its place.

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
        self._releases.ask(done, busy=self._runner.runs)

    def refresh_wishes(self) -> None:
        """Asks `wishes` again for every running job."""
        self._runner.refresh_wishes()

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

    def close(self, timeout: float = 10.0, sentence: str = "The server was stopped.") -> Events:
        """Checkpoints running jobs, leaves them `interrupted`, ends the workers and frees the folder.

        sentence: why, for the jobs' records.  Returns the last events.
        """
        until = time.monotonic() + timeout
        for run in self._runner.runs.values():
            if run.current and run.purpose != "pause":
                self._runner.halt(run, "interrupt", sentence)
        while self._runner.runs and time.monotonic() < until:
            try:
                self._hear(self._executor.said.get(timeout=TICK))
            except queue.Empty:
                self._look_at_the_clock()
        for run in self._runner.runs.values():
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
        for run in self._runner.runs.values():
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
            if waiting and worker not in self._runner.runs and not worker.doomed:
                self._runner.start(self._ledger.jobs[waiting[0]], worker)
        self._pictures.give_out({run.job.job_id: run.worker for run in self._runner.runs.values()})

    # ---- what workers say ----------------------------------------------------------------------------------

    def _hear(self, said: executor.Said) -> None:
        message, worker = said.message, said.worker
        if message is None:
            self._runner.worker_ended(worker, said.status)
            self._pictures.worker_gone(worker)
            self._releases.freed(worker, 0.0)
        elif isinstance(message, wire.Drawn):
            self._pictures.drawn(worker, message)
        elif isinstance(message, wire.Freed):
            self._releases.freed(worker, message.freed_mb)
        elif isinstance(message, wire.Attempted):
            self._runner.hear(worker, message)
