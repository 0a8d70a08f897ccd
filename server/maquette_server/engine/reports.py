"""`report.json`: what was done, with what, for how long and how well. Its keys are a contract."""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from maquette_wire import __version__, messages

from . import journal
from . import worker_messages as wire


def build(
    job: journal.Job,
    params: dict[str, Any],
    models: Mapping[str, journal.Model],
    warnings: Iterable[messages.WarningBody],
    peak_host_mb: float,
    finished: wire.Finished,
) -> dict[str, Any]:
    """The report of a finished job. `params` are all settings, `models` the models by kind,
    whose digests are null when they are not known.
    """
    return {
        "method": job.request.method,
        "preset": finished.preset or params.get("preset", ""),
        "seed": job.request.seed,
        "params": params,
        "models": {kind: model.name for kind, model in models.items()},
        "model_digests": {kind: model.digest or None for kind, model in models.items()},
        "device": finished.device,
        "backends": finished.backends,
        "versions": finished.versions,
        "attempts": job.attempt,
        "seconds": {"total": round(finished.seconds, 3), "stages": _rounded(finished.stages)},
        "memory": {
            "peak_host_mb": round(peak_host_mb, 1),
            "peak_device_mb": round(finished.peak_device_mb, 1),
        },
        "figures": finished.figures,
        "warnings": [{"code": warning.code, "sentence": warning.sentence} for warning in warnings],
        "promise": finished.promise,
        "kept": finished.kept,
    }


def of_snapshot(job: journal.Job, device: str, progress: messages.ProgressBody | None) -> wire.Finished:
    """What there is to say about a job whose newest snapshot became the result without the method's help."""
    return wire.Finished(
        job_id=job.job_id,
        attempt=job.attempt,
        items=[],
        figures={"step": job.snapshots[-1][0]},
        preset="",
        promise="",
        backends={},
        versions={"maquette": __version__},
        device=device,
        seconds=progress.seconds if progress else 0.0,
        stages={},
        peak_device_mb=0.0,
        kept=True,
    )


def to_json(report: dict[str, Any]) -> bytes:
    """The report as a file."""
    return msgspec.json.format(msgspec.json.encode(report), indent=2)


def _rounded(stages: dict[str, float]) -> dict[str, float]:
    return {name: round(seconds, 3) for name, seconds in stages.items()}
