"""One attempt of one job: drives the method's generator and does what is due between two of its steps.

Between two steps, in this order: commands of the front, a checkpoint when it is due, a snapshot when one is
wished, pictures that somebody waits for. A checkpoint is taken every so many seconds of work, snapshots take
at most a fifth of the time.
"""

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maquette_wire import __version__, arrays, messages
from maquette_wire.errors import UserError

from ..engine import admission, attempts, blobs
from ..engine import worker_messages as wire
from ..methods import base
from . import device_memory, faults, states, timing
from . import models as loaded_models
from . import outputs as output_files

log = logging.getLogger(__name__)

PROGRESS_SPACING = 0.1  # s
SHARE = 5  # snapshots take at most 1/5 of the time, checkpoints at most about as much


class Attempt:
    """Runs one request. `serve` handles commands and pictures that wait, and is called between two steps."""

    def __init__(
        self,
        request: wire.Request,
        device: str,
        models: loaded_models.Models,
        send: Callable[[wire.FromWorker], None],
        serve: Callable[[], None],
    ) -> None:
        self.request = request
        self.cancelled = self.halted = self.stopping = False
        self.wish = messages.PreviewWish()
        self.wished = False
        self._device, self._models, self._send, self._serve = device, models, send, serve
        self._job_folder = Path(request.job_folder)
        self._folder = attempts.attempt_folder(self._job_folder, request.attempt)
        self._clock = timing.WorkClock()
        self._forecast = timing.Forecast()
        self._step = 0
        self._place = ("", False)
        """stage that was told last, and whether it was at its last step"""
        self._told = self._snapped_at = 0.0
        self._snapshot_cost = self._checkpoint_cost = 0.0
        self._checkpointed_at = 0.0
        self._snapshot_bytes = self._checkpoint_bytes = 0
        self._thrifty = self._told_to_stop = False

    @property
    def summoned(self) -> bool:
        """Whether a command waits for the method's next step, which must not be kept from it."""
        return self.cancelled or self.halted or (self.stopping and not self._told_to_stop)

    def run(self) -> None:
        """Runs to the end, whatever the end is, and says so."""
        try:
            self._send(self._outcome())
        except Exception as error:  # noqa: BLE001 - every end of a method is told to the front
            if faults.disk_full(error):
                log.warning("job %s: the disk is full", self.request.job_id)
                self._send(wire.Halted(**self._who(), step=self._step, code="disk.full"))
            else:
                self._send(wire.Broke(**self._who(), fault=faults.of(error, f"job {self.request.job_id}")))

    def _who(self) -> dict[str, Any]:
        return {"job_id": self.request.job_id, "attempt": self.request.attempt}

    def _outcome(self) -> wire.Attempted:
        self._outputs = output_files.Outputs(self._folder / "out", Path(self.request.blob_folder))
        checkpoint = attempts.newest_checkpoint(self._job_folder, self._say_damaged)
        state = None
        if checkpoint is not None:
            progress = checkpoint.record.progress
            self._step = progress.step
            self._clock = timing.WorkClock(progress.seconds, progress.stages)
            state = states.from_checkpoint(checkpoint)
        self._checkpointed_at = self._clock.seconds
        self._send(wire.Started(**self._who(), step=self._step, device=self._device))
        if self._device.startswith("cuda"):  # a render needs the room that an editor takes
            self._models.keep(self.request.models)
            device_memory.limit(self._device)
        self._reset_device_peak()
        self._clock.run()
        generator = self._generator(state)
        try:
            answer: bool | None = None
            while True:
                try:
                    step = generator.send(answer)
                except StopIteration as end:
                    self._clock.hold()
                    return self._finish(end.value)
                seconds = self._clock.hold()
                ended = self._between(step, seconds)
                if ended is not None:
                    return ended
                answer = True if self._told_to_stop else None
                self._clock.run()
        finally:
            generator.close()

    def _generator(self, state: base.State | None) -> base.Run:
        request = self.request
        method = base.discover((request.package,))[request.method]
        run = method.load_run()
        context = base.RunContext(
            params=method.read_params(request.params),
            inputs={admission.role_of(item): item for item in request.inputs},
            array=lambda ref: arrays.from_bytes(ref.dtype, ref.shape, self._blob(ref.digest)),
            file=lambda ref: self._blob(ref.digest),
            path=lambda ref: blobs.path_of(Path(self.request.blob_folder), ref.digest),
            keep=lambda data: attempts.keep(self._folder, data),
            kept=self._kept,
            seed=request.seed,
            device=self._device,
            model=self._model,
            warn=lambda code, sentence: self._send(wire.Warned(**self._who(), code=code, sentence=sentence)),
            timer=self._clock,
            state=state,
        )
        return run(context)

    def _blob(self, digest: str) -> bytes:
        try:
            return blobs.path_of(Path(self.request.blob_folder), digest).read_bytes()
        except FileNotFoundError as error:
            raise blobs.missing(digest) from error

    def _kept(self, digest: str) -> Path:
        place = attempts.kept(self._job_folder, digest)
        if place is None:
            raise UserError(
                "checkpoint.damaged",
                f"The file {digest[:12]} that a checkpoint names is gone.",
                hint="Start the job again.",
            )
        return place

    def _model(self, kind: str) -> Any:
        path = self.request.models.get(kind)
        if path is None:
            raise UserError("model.not_found", f"No model of the kind {kind} was chosen.")
        return self._models.get(kind, path, self._device, self.request.digests.get(kind, ""))

    def _say_damaged(self, name: str) -> None:
        self._send(
            wire.Warned(
                **self._who(),
                code="checkpoint.damaged",
                sentence=f"The {name} cannot be read; the one before is used.",
            )
        )

    # ---- between two steps ---------------------------------------------------------------------------------

    def _between(self, step: base.Step, seconds: float) -> wire.Attempted | None:
        """Does what is due; returns how the attempt ended, if it did."""
        self._step = step.step
        self._forecast.stepped(step.stage, seconds)
        self._tell(step)
        was_stopping = self.stopping
        self._serve()
        if self.cancelled:
            return wire.Cancelled(**self._who())
        if self.halted:
            self._checkpoint(step)
            return wire.Halted(**self._who(), step=step.step)
        if self.stopping and not was_stopping:
            self._told_to_stop = True
            self._send(wire.Stopping(**self._who()))
        spacing = max(self.request.checkpoint_seconds, SHARE * self._checkpoint_cost)
        if self._clock.seconds - self._checkpointed_at >= spacing:
            self._checkpoint(step)
        self._snapshot(step)
        return None

    def _tell(self, step: base.Step) -> None:
        """Says how far it is: at once when a stage begins or has come to its last step, else now and then."""
        now = time.monotonic()
        place = (step.stage, step.step == step.total)
        if now - self._told < PROGRESS_SPACING and place in (self._place, (self._place[0], False)):
            return
        self._told, self._place = now, place
        body = messages.ProgressBody(
            step=step.step,
            total=step.total,
            stage=step.stage,
            seconds_left=self._forecast.left(step.total - step.step) if step.total else None,
            seconds=self._clock.seconds,
            losses={name: float(value) for name, value in step.losses.items()},
        )
        self._send(wire.Progressed(**self._who(), body=body))

    def _checkpoint(self, step: base.Step) -> None:
        if step.state is None:
            return
        began = time.monotonic()
        state = step.state()
        framework, tensors = states.to_bytes(state)
        progress = attempts.Progress(step=step.step, seconds=self._clock.seconds, stages=self._clock.stages)
        self._checkpoint_bytes = max(
            attempts.write_checkpoint(self._folder, progress, state.values, framework, tensors),
            self._checkpoint_bytes,
        )
        self._checkpoint_cost = time.monotonic() - began
        self._checkpointed_at = self._clock.seconds
        self._send(wire.Checkpointed(**self._who(), step=step.step))

    def _snapshot(self, step: base.Step) -> None:
        now = time.monotonic()
        spacing = max(self.wish.min_ms / 1000, SHARE * self._snapshot_cost)
        if (
            not self.wished
            or step.snapshot is None
            or now - self._snapped_at < spacing
            or self._over_budget()
        ):
            return
        snapshot = step.snapshot(self.wish.max_px)
        items = [self._outputs.write(item) for item in snapshot.items]
        made = zip(snapshot.items, items, strict=True)
        # what the job keeps anyway takes no room a second time
        self._snapshot_bytes = sum(one.size for item, one in made if not isinstance(item.data, Path))
        preview, shape = "", (0, 0, 4)
        if snapshot.preview is not None:
            preview, shape = self._outputs.write_preview(snapshot.preview)
        self._snapped_at = now
        self._snapshot_cost = time.monotonic() - now
        self._send(
            wire.Snapped(**self._who(), step=step.step, items=items, preview=preview, preview_shape=shape)
        )

    def _over_budget(self) -> bool:
        """Three snapshots and two checkpoints must fit the job's share of the disk; without room, no
        snapshots.
        """
        if 3 * self._snapshot_bytes + attempts.KEPT * self._checkpoint_bytes <= self.request.budget:
            return False
        if not self._thrifty:
            self._thrifty = True
            sentence = "Results so far are too large for the job's share of the disk and are not kept."
            self._send(wire.Warned(**self._who(), code="disk.budget", sentence=sentence))
        return True

    # ---- the end -------------------------------------------------------------------------------------------

    def _finish(self, result: base.Result) -> wire.Attempted:
        self._serve()  # a cancel that came during the last step still counts
        if self.cancelled:
            return wire.Cancelled(**self._who())
        return wire.Finished(
            **self._who(),
            items=[self._outputs.write(item) for item in result.items],
            figures=result.figures,
            preset=result.preset,
            promise=result.promise,
            backends=result.backends,
            versions=_versions(),
            device=self._device,
            seconds=self._clock.seconds,
            stages=self._clock.stages,
            peak_device_mb=self._device_peak_mb(),
            kept=self._told_to_stop,
        )

    def _reset_device_peak(self) -> None:
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_initialized():
            torch.cuda.reset_peak_memory_stats()

    def _device_peak_mb(self) -> float:
        torch = sys.modules.get("torch")
        if torch is None or not torch.cuda.is_initialized():
            return 0.0
        return float(torch.cuda.max_memory_allocated()) / 2**20


def _versions() -> dict[str, str]:
    """Versions of what took part."""
    found = {"maquette": __version__, "python": sys.version.split()[0]}
    for name in ("numpy", "torch", "diffusers", "transformers", "xatlas", "embreex"):
        if name in sys.modules:
            found[name] = str(getattr(sys.modules[name], "__version__", "unknown"))
    return found
