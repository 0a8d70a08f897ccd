"""The worker's life: takes commands, runs one attempt at a time, draws pictures and forgets models when
asked.
"""

import collections
import logging
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

import msgspec
from maquette_wire import messages
from maquette_wire.errors import UserError

from ..engine import worker_messages as wire
from . import attempt, faults, models, views

log = logging.getLogger(__name__)

SHARE_IDLE = 0.75  # of the time until a picture's deadline that drawing may take: it has to travel, too
SHARE_BESIDE_A_JOB = 0.4  # the same beside a job, which then has its turn for as long as the picture took


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
        self._heard: collections.deque[wire.FrontMessage] = collections.deque()
        """messages that are not handled yet; a start waits in it for the end of whatever is done"""
        self._pictures: list[wire.Draw] = []
        """to be drawn"""
        self._jobs_turn = 0.0
        """until then (`time.monotonic`) a running job has its turn, and no picture is drawn"""

    def run(self) -> None:
        """Handles one command after the other, for ever; the process ends when its stdin closes."""
        while True:
            self._obey()
            if self._heard:
                self._start(cast(wire.Start, self._heard.popleft()))
            elif self._pictures:
                self._draw(self._pictures.pop(0))
            else:
                self._heard.append(self._inbox.get())

    def _obey(self) -> None:
        """Handles what has come, without waiting for more, up to a start."""
        while True:
            try:
                self._heard.append(self._inbox.get_nowait())
            except queue.Empty:
                break
        while self._heard and not isinstance(self._heard[0], wire.Start):
            self._handle(self._heard.popleft())

    def _handle(self, message: wire.FrontMessage) -> None:
        current = self._attempt
        if isinstance(message, wire.Draw):
            self._pictures.append(message)
        elif isinstance(message, wire.Skip):
            self._skip(message.number)
        elif isinstance(message, wire.Free):
            self._send(wire.Freed(freed_mb=0.0 if current is not None else self._release()))
        elif (
            current is not None
            and not isinstance(message, wire.Start)
            and message.job_id == current.request.job_id
        ):
            _command(current, message)

    def _serve(self) -> None:
        """What is due between two steps of a job: commands, and a picture if it is not the job's turn."""
        self._obey()
        if self._pictures and time.monotonic() >= self._jobs_turn:
            began = time.monotonic()
            self._draw(self._pictures.pop(0))
            now = time.monotonic()
            self._jobs_turn = now + (now - began)

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
        """Draws, unless a job wants the worker in the meantime: then the picture waits until it is over."""
        fault, size = None, (0, 0)
        try:
            if time.monotonic() >= message.deadline:
                raise UserError("view.late", "The picture was not drawn in time.")
            share = SHARE_IDLE if self._attempt is None else SHARE_BESIDE_A_JOB
            work = self._views.draw(message, self._real_device(), share)
            while True:
                try:
                    next(work)
                except StopIteration as end:
                    size = end.value
                    break
                self._obey()
                if self._heard or (self._attempt is not None and self._attempt.summoned):
                    work.close()
                    self._pictures.insert(0, message)
                    return
        except Exception as error:  # noqa: BLE001 - a picture that fails must not end the job
            fault = faults.of(error, "a view")
        self._send(wire.Drawn(number=message.number, width=size[0], height=size[1], fault=fault))

    def _skip(self, number: int) -> None:
        if any(one.number == number for one in self._pictures):
            self._pictures = [one for one in self._pictures if one.number != number]
            sentence = "A newer picture of the same view was asked for."
            self._send(wire.Drawn(number=number, fault=messages.Fault(code="view.late", sentence=sentence)))

    def _release(self) -> float:
        self._views.release()
        return self._models.release()

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
