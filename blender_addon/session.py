"""The client's story: connect, submit, follow, cancel, fetch results; a timer calls `pump`. No bpy.

A *job* here is one that this Blender sent, now or before its last start (`records`). Everything that happens
comes out of `pump` as a list of events; the owner mirrors them where they are shown. Times are seconds of a
monotonic clock.
"""

import logging
import time
from collections.abc import Callable
from typing import Any

from . import client, fetched, files, folders, follows, local_server, records, snapshots, steps
from .jobs import (
    ConnectionChanged,
    Event,
    Job,
    JobChanged,
    ModelsChanged,
    Package,
    ViewArrived,
    ViewFailed,
)
from .wire import codec, errors, happenings, link, messages

log = logging.getLogger(__name__)

NO_ANSWER_AFTER = 3.0  # s without a Welcome until the panel says that nobody answers
TOKEN_EVERY = 0.5  # s between two looks for the token file while there is no connection
START_LIMIT = 60.0  # s a server has for coming up
SHOWN = 8  # jobs of before the start that are listed
VIEW = "live"  # name of the one view that is asked for again and again
LISTED = 500  # jobs of a list from which it may have been cut by the server
GONE = messages.Fault(
    code="job.unknown",
    sentence="The job is no longer at the server.",
    hint="It was deleted there; paint again.",
)


class Session:
    """One server, spoken to from `connect` to `close`. `kept` remembers jobs between starts of Blender."""

    def __init__(
        self,
        kept: records.Records,
        client_name: str,
        token_of: Callable[[int], folders.LocalServer | None] = folders.local_server,
    ) -> None:
        self.jobs: dict[str, Job] = {}
        """by request id, oldest first"""
        self.state = "OFF"
        self.device = ""
        self.models: tuple[messages.ModelInfo, ...] = ()
        self.preview_px = 0
        """long side of the previews; 0 asks for none"""
        self._kept = kept
        self._client_name = client_name
        self._token_of = token_of
        self._client: client.Client | None = None
        self._address: local_server.Address | None = None
        self._started: local_server.Started | None = None
        self._events: list[Event] = []
        self._fetched = fetched.Fetched()
        self._files = files.Files()
        self._collecting: dict[str, tuple[steps.Work[Package], Callable[[link.Link, Package], None]]] = {}
        """by request id: work that is under way, and what to do with its result"""
        self._follows = follows.Follows()
        self._view = ""
        """request id of the newest view that was asked for"""
        self._since = self._token_at = 0.0
        self._complained = False

    # ---- connection ----

    @property
    def address(self) -> local_server.Address | None:
        """Where the server is, or None before `connect`."""
        return self._address

    @property
    def started(self) -> local_server.Started | None:
        """The server that was started from here, as long as its process is there."""
        return self._started

    def connect(self, address: local_server.Address, started: local_server.Started | None = None) -> None:
        """Begins to speak to the server there; a `started` one is given time. Answers come out of `pump`."""
        self.close()
        self._address, self._started = address, started
        known = self._token_of(address.port) if address.loopback else None
        conversation = link.Link(self._client_name, token=known.token if known else "")
        self._client = client.Client(address.endpoint, conversation)
        self._follows = follows.Follows()
        self._since, self._token_at, self._complained = time.monotonic(), 0.0, False
        self._set_state("STARTING" if started is not None else "CONNECTING")

    def close(self, why: messages.Fault | None = None) -> None:
        """Lets go of the server; jobs go on there. Requests that it has not accepted are given up, and so are
        wishes for results.
        """
        why = why or messages.Fault(code="address.no_answer", sentence="It was not sent.")
        if self._client is not None:
            self._client.close()
            self._client = None
        self._files.clear()
        for work, _ in self._collecting.values():
            work.close()
        self._collecting.clear()
        for job in self.jobs.values():
            job.asked = False
            if not job.job_id and not job.finished:
                self._fail(job, why)
        self._set_state("OFF")

    def submit(
        self,
        method: str,
        work: steps.Work[Package],
        *,
        params: dict[str, Any],
        seed: int,
        label: str,
        record: records.Record,
        model: str = "",
        stage: str = "collect",
    ) -> Job:
        """Sends a job once `work` has collected what it takes along; the job is in `jobs` from now on.

        `work` is done by `pump`, a few milliseconds at a time; what it raises fails the job. `record` is
        remembered of the job. `stage` says what `work` does. Raises UserError without a connection.
        """
        if self._client is None:
            raise errors.UserError("address.no_answer", "There is no connection to a server.", fix="connect")
        job = Job(self._client.link.new_request_id(), label, record, stage=stage, total=work.total)

        def send(link: link.Link, package: Package) -> None:
            job.record = {**job.record, **package.record}
            job.warnings += package.notes
            link.submit(
                method,
                package.inputs,
                package.blobs,
                params=params,
                seed=seed,
                label=label,
                model=model,
                request_id=job.request_id,
            )

        self.jobs[job.request_id] = job
        self._collecting[job.request_id] = (work, send)
        self._events.append(JobChanged(job))
        return job

    def cancel(self, request_id: str) -> None:
        """Ends a job without a result."""
        self._control(request_id, "cancel")

    def stop(self, request_id: str) -> None:
        """Ends a job and keeps its newest state as the result."""
        self._control(request_id, "stop")

    def result(self, job: Job) -> dict[str, tuple[messages.ResultItem, fetched.Data]]:
        """The result of a job by name; empty when it is not here: then `ask_result` fetches it."""
        return self._fetched.result(job)

    @property
    def held(self) -> int:
        """Bytes of results and previews that are kept in memory."""
        return self._fetched.size

    def ask_result(self, job: Job) -> None:
        """Fetches the result of a job that succeeded; it is kept until `applied`.

        The job goes through `fetching` to `succeeded`. Raises UserError.
        """
        if not fetched.has_result(job):
            raise errors.UserError("job.wrong_state", f"The job of '{job.label}' has no result to apply yet.")
        if self._client is None:
            raise errors.UserError(
                "address.no_answer",
                f"The result for '{job.label}' is on the server, and there is no connection to it.",
                hint="Connect, then apply it again.",
                fix="connect",
            )
        job.asked = True
        self._fetch(job)

    def applied(self, job: Job) -> None:
        """The result that was asked for has been used; it need not be kept for that any longer."""
        job.asked = False

    def items(self, job_id: str) -> tuple[messages.ResultItem, ...] | None:
        """What any job of the server gave; None until that is known: ask again. Raises UserError."""
        job = self._by_job_id(job_id)
        return job.items if job is not None and job.items else self._files.items(self._talk, job_id)

    def file(self, item: messages.ResultItem) -> fetched.Data | None:
        """A file of a result, kept until `drop`; None until it has come: ask again. Raises UserError."""
        return self._files.file(self._talk, item)

    def drop(self, item: messages.ResultItem) -> None:
        """The file that was asked for is not needed any longer."""
        self._files.drop(item.digest)

    def view(
        self,
        scene: str,
        camera: messages.Matrix,
        fov_y: float,
        width: int,
        height: int,
        deadline_ms: int,
        moment: int | None = None,
    ) -> str:
        """Asks what a camera sees of a job's scene; ViewArrived or ViewFailed follows with the id returned.

        camera: world_from_camera in the coordinates of the scene. fov_y: radians. A newer request replaces
        the older one, which is not answered then. moment: of an edited scene. Raises UserError without a
        connection.
        """
        if self._client is None or self.state != "READY":
            raise errors.UserError("address.no_answer", "There is no connection to a server.", fix="connect")
        link = self._client.link
        self._view = link.view(
            VIEW, scene, camera, fov_y, width, height, moment=moment, deadline_ms=deadline_ms
        )
        return self._view

    def follow_preview(self, max_px: int) -> None:
        """Changes the size of previews of running jobs; 0 asks for none."""
        self.preview_px = max_px
        for job in self.jobs.values():
            if job.job_id and not job.finished:
                self._follow(job.job_id)

    # ---- the pump ----

    @property
    def busy(self) -> bool:
        """True while something is expected soon."""
        return self.state not in {"OFF", "READY"} or any(not job.finished for job in self.jobs.values())

    @property
    def collecting(self) -> bool:
        """True while there is work here that every turn carries on."""
        return bool(self._collecting)

    def is_read(self, job: Job) -> bool:
        """True while what a job takes along is still read here."""
        return job.request_id in self._collecting

    def pump(self, budget: float) -> list[Event]:
        """Works for about `budget` seconds; returns what happened since the last call, oldest first."""
        now = time.monotonic()
        if self._client is not None:
            for one in self._client.pump(budget / 2 if self._collecting else budget):
                self._take(one)
            self._follows.end(self._client.link, self._is_over)
            self._collect(now + budget)
        if self._client is not None and self.state != "READY":
            self._wait_for_server(now)
        if self._started is not None and self._started.process.poll() is not None:
            self._server_ended(self._started)
        self._fetched.keep(self.jobs.values())
        events, self._events = self._events, []
        return events

    # ---- inside ----

    @property
    def _talk(self) -> link.Link:
        """Raises UserError without a connection."""
        if self._client is None:
            raise errors.UserError("address.no_answer", "There is no connection to a server.", fix="connect")
        return self._client.link

    def _collect(self, until: float) -> None:
        """Carries on the oldest work; what is ready goes out."""
        assert self._client is not None
        request_id = next(iter(self._collecting), "")
        if not request_id:
            return
        (work, send), job = self._collecting[request_id], self.jobs[request_id]
        try:
            if work.advance(until):
                assert work.result is not None
                del self._collecting[request_id]
                send(self._client.link, work.result)
            job.step = work.done
        except errors.UserError as error:
            work.close()
            self._collecting.pop(request_id, None)
            self._fail(job, messages.Fault(code=error.code, sentence=error.sentence, hint=error.hint))
        self._events.append(JobChanged(job))

    def _take(self, one: happenings.Happening) -> None:
        if isinstance(one, happenings.Connected):
            self._on_connected(one)
        elif isinstance(one, happenings.Lost):
            self._since, self._complained = time.monotonic(), True
            self._set_state("LOST")
        elif isinstance(one, happenings.Refused):
            if one.fault.code != "token.wrong" or not self._refresh_token():
                self._set_state("REFUSED", one.fault)
        elif isinstance(one, happenings.SubmitAccepted):
            self._on_accepted(one)
        elif isinstance(one, happenings.EventArrived):
            job = self._by_job_id(one.event.job_id)
            if job is not None:
                self._on_event(job, one.event.body, one.frames)
        elif isinstance(one, happenings.UploadProgress):
            self._on_upload(one)
        elif isinstance(one, happenings.DownloadProgress):
            self._on_download(one)
        elif isinstance(one, happenings.Downloaded):
            self._on_downloaded(one)
        elif isinstance(one, happenings.FrameArrived):
            self._events.append(ViewArrived(one.request_id, one.colour))
        elif isinstance(one, happenings.RequestFailed) and one.request_id == self._view:
            self._events.append(ViewFailed(one.request_id, one.fault))
        elif isinstance(one, happenings.RequestFailed):
            self._on_refused(one)
        elif isinstance(one, happenings.JobsListed):
            if not self._files.listed(one):
                self._on_listed(one.jobs)
        elif isinstance(one, happenings.ModelsListed):
            self.models = one.models
            self._events.append(ModelsChanged(one.models))

    def _on_connected(self, one: happenings.Connected) -> None:
        self.device = one.welcome.device
        if one.new_folder:
            for job in self.jobs.values():
                if job.job_id and not job.finished:
                    sentence = "The server has another data folder than before, without this job."
                    self._fail(job, messages.Fault(code="job.unknown", sentence=sentence))
        assert self._client is not None
        self._client.link.list_jobs()
        self._client.link.list_models()
        self._set_state("READY")

    def _on_listed(self, listed: tuple[messages.JobInfo, ...]) -> None:
        """Jobs that this Blender sent before its last start, or before the last `connect`, are taken up
        again; those that a whole list lacks have been deleted.
        """
        known = {job.job_id: job for job in self.jobs.values()}
        there = {info.job_id for info in listed}
        for job in self.jobs.values():
            if len(listed) < LISTED and job.job_id and job.job_id not in there and not job.finished:
                self._fail(job, GONE)
        ours = [(info, self._kept.get(info.job_id)) for info in listed if info.job_id not in known]
        older = {}
        for info, record in reversed([pair for pair in ours if pair[1] is not None][:SHOWN]):
            assert record is not None
            job = Job.of(info, record)
            older[job.request_id] = job
            self._events.append(JobChanged(job))
        self.jobs = {**older, **self.jobs}
        for job in self.jobs.values():
            if job.job_id and not job.finished and job.job_id not in self._follows:
                self._follow(job.job_id)

    def _on_accepted(self, one: happenings.SubmitAccepted) -> None:
        job = self.jobs.get(one.request_id)
        if job is None:
            return
        job.job_id, job.state = one.job.job_id, one.job.state
        try:
            self._kept.put(job.job_id, {**job.record, "request_id": job.request_id})
        except OSError as error:
            job.warnings.append(
                f"After a restart of Blender this job will not be known here: {error.strerror}."
            )
        self._follow(job.job_id)
        if job.wish:
            self._control(job.request_id, job.wish)
        self._events.append(JobChanged(job))

    def _on_event(self, job: Job, body: messages.EventBody, frames: list[codec.Part]) -> None:
        if isinstance(body, messages.SnapshotBody):
            self._on_snapshot(job, body, frames)
            return
        if isinstance(body, messages.ProgressBody) and job.finished:
            return
        job.hear(body)
        if isinstance(body, messages.ResultBody):
            self._on_result(job)
        self._events.append(JobChanged(job))

    def _on_result(self, job: Job) -> None:
        """The newest job's result is fetched, as it is the next to be applied; older ones when asked for."""
        lacking = [role for role in job.roles if role not in {item.role for item in job.wanted}]
        if lacking:
            sentence = f"The result lacks {' and '.join(lacking)}."
            self._fail(job, messages.Fault(code="job.failed", sentence=sentence))
            return
        listed = list(self.jobs.values())
        later = listed[listed.index(job) + 1 :]
        if job.asked or not any(fetched.has_result(other) for other in later):
            self._fetch(job)
        else:
            job.state = "succeeded"

    def _fetch(self, job: Job) -> None:
        """Sees to it that the result comes; the job has succeeded once it is here."""
        assert self._client is not None
        job.state = "succeeded" if self.result(job) else "fetching"
        for item in job.wanted:
            if item.digest not in self._fetched:
                self._client.link.download(item.digest, item.size)
        self._events.append(JobChanged(job))

    def _on_snapshot(self, job: Job, body: messages.SnapshotBody, frames: list[codec.Part]) -> None:
        assert self._client is not None
        if self.preview_px:
            self._events += snapshots.take(self._client.link, self._fetched, job, body, frames)

    def _on_download(self, one: happenings.DownloadProgress) -> None:
        self._fetched.progress(one.digest, one.received)
        for job in self.jobs.values():
            if job.state == "fetching" and one.digest in {item.digest for item in job.wanted}:
                self._fetched.fill(job)
                self._events.append(JobChanged(job))

    def _on_downloaded(self, one: happenings.Downloaded) -> None:
        self._fetched.put(one.digest, one.data)
        self._files.downloaded(one.digest, one.data)
        for job in self.jobs.values():
            if job.state == "fetching" and self.result(job):
                job.state = "succeeded"
                self._events.append(JobChanged(job))
            self._events += snapshots.ready(self._fetched, job)

    def _on_upload(self, one: happenings.UploadProgress) -> None:
        job = self.jobs.get(one.request_id)
        if job is not None and not job.job_id and one.total:
            job.stage, job.step, job.total = "upload", one.sent // 1024, one.total // 1024
            self._events.append(JobChanged(job))

    def _on_refused(self, one: happenings.RequestFailed) -> None:
        self._files.refused(one.request_id, one.fault)
        followed = self._by_job_id(self._follows.refused(one.request_id) or "none")
        if followed is not None and not followed.finished and not followed.items:
            # Nothing more would be heard of it.
            self._fail(followed, GONE if one.fault.code == GONE.code else one.fault)
        for job in self.jobs.values():
            digests = {item.digest for item in job.wanted}
            if one.request_id == job.request_id or (job.state == "fetching" and one.request_id in digests):
                self._fail(job, one.fault)
            elif job.picture_uvs is not None and one.request_id == job.picture_uvs.digest:
                job.picture_uvs = None  # of a snapshot that is gone already; the next one will do

    def _control(self, request_id: str, action: str) -> None:
        job = self.jobs.get(request_id)
        if job is None or job.finished:
            return
        if self._client is None:
            raise errors.UserError("address.no_answer", "There is no connection to a server.", fix="connect")
        if action == "cancel" and request_id in self._collecting:
            work, _ = self._collecting.pop(request_id)
            work.close()
            job.state = "cancelled"
            self._events.append(JobChanged(job))
        elif not job.job_id:
            job.wish = action
        elif job.state == "fetching":
            self._give_up_fetching(job)
        elif action == "cancel":
            self._client.link.control(job.job_id, "cancel")
        else:
            self._client.link.control(job.job_id, "stop")

    def _give_up_fetching(self, job: Job) -> None:
        """The job is done on the server: only its way to here is given up."""
        assert self._client is not None
        others = [other for other in self.jobs.values() if other.state == "fetching" and other is not job]
        shared = {item.digest for other in others for item in other.wanted}
        for digest in {item.digest for item in job.wanted} - shared:
            self._client.link.forget(digest)
        job.asked = False
        if job.items:
            job.state = "succeeded"
        self._events.append(JobChanged(job))

    def _follow(self, job_id: str) -> None:
        assert self._client is not None
        self._follows.begin(self._client.link, job_id, self.preview_px)

    def _is_over(self, job_id: str) -> bool:
        """Whether nothing more is expected; of a job that failed the sentence may still be on its way."""
        job = self._by_job_id(job_id)
        return job is None or (job.finished and (job.state != "failed" or job.fault is not None))

    def _by_job_id(self, job_id: str) -> Job | None:
        return next((job for job in self.jobs.values() if job.job_id == job_id), None)

    def _fail(self, job: Job, fault: messages.Fault) -> None:
        job.fault, job.state, job.asked = fault, "failed", False
        self._events.append(JobChanged(job))

    def _set_state(self, state: str, fault: messages.Fault | None = None) -> None:
        if state != self.state or fault is not None:
            self.state = state
            self._events.append(ConnectionChanged(state, fault))

    def _wait_for_server(self, now: float) -> None:
        """Looks for the token of a server that came up; says once that nobody answers."""
        assert self._client is not None
        assert self._address is not None
        if now - self._token_at >= TOKEN_EVERY:
            self._token_at = now
            self._refresh_token()
        limit = START_LIMIT if self._started is not None else NO_ANSWER_AFTER
        if now - self._since >= limit and not self._complained:
            self._complained = True
            self._set_state(self.state, local_server.silent(self._address))

    def _refresh_token(self) -> bool:
        """Takes the newest token of a local server and says hello with it; True when it is a new one."""
        assert self._client is not None
        assert self._address is not None
        known = self._token_of(self._address.port) if self._address.loopback else None
        if known is None or known.token == self._client.link.token:
            return False
        self._client.link.token = known.token
        for one in self._client.link.reconnected():
            self._take(one)
        if self.state == "REFUSED":
            self._set_state("CONNECTING")
        return True

    def _server_ended(self, started: local_server.Started) -> None:
        """A server that was started from here is no more; told when it never came up."""
        self._started = None
        if self.state != "STARTING":
            return
        fault = local_server.ended(started)
        self.close(fault)
        self._set_state("OFF", fault)
