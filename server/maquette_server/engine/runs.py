"""A job that is with a worker: what only the running server knows, and never stores."""

import time
from dataclasses import dataclass, field
from typing import Any, Literal

from maquette_wire import messages
from numpy.typing import NDArray

from . import journal, memory
from .executor import Worker

Purpose = Literal["", "cancel", "stop", "pause", "interrupt", "full"]
SECONDS: dict[Purpose, float] = {"cancel": 1.0, "stop": 10.0, "pause": 10.0, "interrupt": 10.0, "full": 10.0}
"""how long a worker may take to reach its next yield before it is killed"""


@dataclass(frozen=True)
class EngineEvent:
    """Something that happened to a job. `preview` is u8 [H, W, 4], row 0 top, with snapshots only."""

    number: int
    job_id: str
    time_ms: int
    body: messages.EventBody
    preview: NDArray[Any] | None = None


@dataclass
class Run:
    """One attempt that is with a worker."""

    job: journal.Job
    attempt: int
    worker: Worker
    sampler: memory.Sampler = field(default_factory=memory.Sampler)
    device: str = ""
    purpose: Purpose = ""
    """what was asked of the worker; a later wish replaces an earlier one"""
    deadline: float | None = None
    """monotonic seconds; the worker is killed then"""
    sentence: str = ""
    """why it halts, for the event"""
    wish: messages.PreviewWish | None = None
    newest: dict[str, EngineEvent] = field(default_factory=dict)
    """newest progress and newest snapshot, for those who begin to follow"""

    @property
    def current(self) -> bool:
        """Whether what the worker says still counts: the job may be cancelled, or run elsewhere."""
        return self.job.attempt == self.attempt and self.job.state in ("running", "stopping")

    @property
    def progress(self) -> messages.ProgressBody | None:
        """The newest progress."""
        event = self.newest.get("progress")
        return event.body if event and isinstance(event.body, messages.ProgressBody) else None

    def ask(self, purpose: Purpose, sentence: str = "") -> None:
        """Notes what was asked of the worker and until when it has to answer."""
        self.purpose, self.sentence = purpose, sentence
        self.deadline = time.monotonic() + SECONDS[purpose]
