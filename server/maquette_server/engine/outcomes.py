"""What comes out of a job: snapshots on its way, and a result or a fault at its end."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np
from maquette_wire import messages

from ..methods import base
from . import blobs, journal, ledger, reports, runs
from . import worker_messages as wire

log = logging.getLogger(__name__)

BIT_EQUAL, NO_STEP_LOST = "bit-equal", "no step lost"  # what a report may promise of an exact resume
CHANGED = "model.changed"  # the warning that a job went on with another model, or perhaps with another


class Outcomes:
    """Takes files of workers into the blob store and writes down what became of their jobs."""

    def __init__(
        self,
        methods: Mapping[str, base.Method],
        book: ledger.Ledger,
        store: blobs.BlobStore,
    ) -> None:
        self._methods, self._ledger, self._blobs = methods, book, store

    def take_snapshot(self, run: runs.Run, message: wire.Snapped) -> None:
        """A result so far, of which the last ones are kept. Raises UserError `disk.full`."""
        items = self.adopt(message.items)
        for digest in self._ledger.add_snapshot(run.job, message.step, items):
            self._blobs.drop(digest)
        preview = None
        if message.preview:
            path = Path(message.preview)
            preview = np.frombuffer(path.read_bytes(), np.uint8).reshape(message.preview_shape)
            path.unlink()
        body = messages.SnapshotBody(step=message.step, items=items)
        run.newest["snapshot"] = self._ledger.tell(run.job, body, preview)

    def adopt(self, made: Sequence[wire.Made]) -> tuple[messages.ResultItem, ...]:
        """The files as blobs. Raises UserError `disk.full`, `blob.missing`."""
        for file in made:
            if file.file:
                self._blobs.adopt(Path(file.file), file.digest)
            else:
                self._blobs.size(file.digest)
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

    def keep_snapshot(self, run: runs.Run) -> None:
        """The newest snapshot becomes the result; without one the job fails."""
        job = run.job
        if not job.snapshots:
            sentence = "The job was stopped before there was anything to keep."
            self.fail(job, messages.Fault(code="job.nothing_to_keep", sentence=sentence))
            return
        progress = self._ledger.progress.get(job.job_id)
        self.succeed(run, job.snapshots[-1][1], reports.of_snapshot(job, run.device, progress))

    def succeed(self, run: runs.Run, items: tuple[messages.ResultItem, ...], finished: wire.Finished) -> None:
        """The job is done, with these items and a report. Raises UserError `disk.full`."""
        job = run.job
        method = self._methods[job.request.method]
        warnings = self._ledger.warnings(job)
        if finished.promise == BIT_EQUAL and any(warning.code == CHANGED for warning in warnings):
            finished = msgspec.structs.replace(finished, promise=NO_STEP_LOST)
        report = reports.build(
            job,
            msgspec.to_builtins(method.read_params(job.request.params)),
            job.models or {},
            warnings,
            run.sampler.peak_mb,
            finished,
        )
        data = reports.to_json(report)
        file = messages.ResultItem(
            role="figures", name="report.json", digest=self._blobs.add(data), size=len(data)
        )
        body = messages.ResultBody(items=(*items, file), report=report, kept=finished.kept)
        self._ledger.finish(job, "succeeded", body)

    def fail(self, job: journal.Job, fault: messages.Fault) -> None:
        """The attempts stay, so that the job can be resumed once the reason is mended."""
        log.info("job %s: failed with %s", job.job_id, fault.code)
        self._ledger.finish(job, "failed", messages.FailedBody(fault=fault))
