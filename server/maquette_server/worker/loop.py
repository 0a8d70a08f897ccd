"""The worker's life: takes commands, runs one attempt at a time, draws pictures and forgets models when
asked.
"""

import logging
import queue
from collections.abc import Callable
from pathlib import Path

import msgspec
from maquette_wire import messages

from ..engine import worker_messages as wire
from . import attempt, faults, models, views

log = logging.getLogger(__name__)


class Worker:
    """`device` is a torch device string or "auto"."""

    def __init__(
        self,
        inbox: "queue.SimpleQueue[wire.FrontMessage]",
        send: Callable[[wire.FromWorker], None],
        device: str,
    ) -> None:
        self._inbox, self._send, self._device = inbox, send, device
        self._models = models.Models()
        self._views = views.Views()
        self._attempt: attempt.Attempt | None = None
        self._waiting: list[wire.FrontMessage] = []
        """commands that came during an attempt and are for after it"""

    def run(self) -> None:
        """Handles one command after the other, for ever; the process ends when its stdin closes."""
        while True:
            self._handle(self._waiting.pop(0) if self._waiting else self._inbox.get())

    def _handle(self, message: wire.FrontMessage) -> None:
        current = self._attempt
        if isinstance(message, wire.Draw):
            self._draw(message)
        elif isinstance(message, wire.Start):
            if current is not None:
                self._waiting.append(message)
            else:
                self._start(message)
        elif isinstance(message, wire.Free):
            self._send(wire.Freed(freed_mb=0.0 if current is not None else self._models.release()))
        elif current is not None and message.job_id == current.request.job_id:
            _command(current, message)

    def _serve(self) -> None:
        """Handles the commands that wait, without waiting for more."""
        while True:
            try:
                message = self._inbox.get_nowait()
            except queue.Empty:
                return
            self._handle(message)

    def _start(self, message: wire.Start) -> None:
        request = msgspec.msgpack.decode(Path(message.request).read_bytes(), type=wire.Request)
        log.info("job %s attempt %d: %s starts", request.job_id, request.attempt, request.method)
        self._attempt = attempt.Attempt(request, self._real_device(), self._models, self._send, self._serve)
        try:
            self._attempt.run()
        finally:
            self._attempt = None
        log.info("job %s attempt %d: ended", request.job_id, request.attempt)

    def _draw(self, message: wire.Draw) -> None:
        fault = None
        try:
            self._views.draw(message)
        except Exception as error:  # noqa: BLE001 - a picture that fails must not end the job
            fault = faults.of(error, "a view")
        self._send(wire.Drawn(number=message.number, fault=fault))

    def _real_device(self) -> str:
        """The device; "auto" becomes the first GPU when there is one. Imports torch only when that is in
        doubt.
        """
        if self._device == "auto":
            import torch

            self._device = "cuda:0" if torch.cuda.is_available() else "cpu"
        return self._device


def _command(current: attempt.Attempt, message: wire.Stop | wire.Halt | wire.Cancel | wire.Wish) -> None:
    if isinstance(message, wire.Cancel):
        current.cancelled = True
    elif isinstance(message, wire.Halt):
        current.halted = True
    elif isinstance(message, wire.Stop):
        current.stopping = True
    else:
        current.wished = message.max_px > 0
        if current.wished:
            current.wish = messages.PreviewWish(max_px=message.max_px, min_ms=message.min_ms)
