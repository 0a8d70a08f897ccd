"""`python -m maquette_server.worker --device cpu`: started by the engine, never by hand.

Ends at once when its stdin closes, so that it never outlives its server; ignores Ctrl-C, which is the
server's business. Whatever prints goes to stderr: stdout carries messages.
"""

import argparse
import contextlib
import logging
import os
import queue
import signal
import sys
import threading
from typing import BinaryIO

from ..engine import worker_messages as wire
from . import loop


def main() -> None:
    """Runs until stdin closes."""
    parser = argparse.ArgumentParser(prog="maquette_server.worker")
    parser.add_argument("--device", required=True)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    _offer_to_be_killed_first()
    commands, answers = _take_standard_streams()
    inbox: queue.SimpleQueue[wire.FrontMessage] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(commands, inbox), daemon=True, name="commands").start()
    wire.write(answers, wire.Ready(pid=os.getpid()))
    loop.Worker(inbox, lambda message: wire.write(answers, message), options.device).run()


def _take_standard_streams() -> tuple[BinaryIO, BinaryIO]:
    """Private copies of stdin and stdout, not inherited by children; what prints afterwards reaches
    stderr.
    """
    commands = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return commands, answers


def _read(commands: BinaryIO, inbox: "queue.SimpleQueue[wire.FrontMessage]") -> None:
    """Ends the process when the front is gone: a step may take long, and nobody would hear of its end."""
    while (message := wire.read_front(commands)) is not None:
        inbox.put(message)
    os._exit(0)


def _offer_to_be_killed_first() -> None:
    """When memory runs out, Linux shall end the worker, not the server that can start another one."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="utf-8") as file:
        file.write("500")


if __name__ == "__main__":
    main()
