"""How a command ends: the exit status, one line on stderr, and with `--json` one last line on stdout.

0 done; 2 the user can mend it; 130 stopped by Ctrl-C; 1 a fault of ours, with the place of the log.
"""

import errno
import functools
import json
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import typer
from maquette_wire import messages
from maquette_wire.errors import UserError

from ..engine import faults

DONE, OURS, MENDABLE, INTERRUPTED = 0, 1, 2, 130
OUR_FAULTS = frozenset({"job.failed", "job.crashed", "server.fault"})

log = logging.getLogger(__name__)
Command = TypeVar("Command", bound=Callable[..., Any])


class JobFault(Exception):
    """A job failed. `log_path` is where its log lies, if it is known."""

    def __init__(self, fault: messages.Fault, job_id: str, log_path: str = "") -> None:
        super().__init__(fault.sentence)
        self.fault = fault
        self.job_id = job_id
        self.log_path = log_path


class Stopped(Exception):
    """Ctrl-C came; `sentence` says what was left in which state, `way_on` is the command that goes on."""

    def __init__(self, sentence: str, way_on: str, job_id: str = "") -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.way_on = way_on
        self.job_id = job_id


def ended(command: Command) -> Command:
    """The command with every way of ending turned into a status and one line; no traceback is ever shown.

    A command with a keyword `as_json` also prints `{"event": "failed", ...}` as its last line on stdout.
    """

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:
        as_json = bool(options.get("as_json"))
        try:
            return command(*arguments, **options)
        except UserError as error:
            raise _end(OURS if error.code in OUR_FAULTS else MENDABLE, as_json, faults.of(error)) from None
        except JobFault as error:
            ours = error.fault.code in OUR_FAULTS
            hint = error.fault.hint
            if ours and error.log_path:
                hint = f"{hint} The log is {error.log_path}.".strip()
            fault = messages.Fault(code=error.fault.code, sentence=error.fault.sentence, hint=hint)
            raise _end(OURS if ours else MENDABLE, as_json, fault, job=error.job_id) from None
        except (Stopped, KeyboardInterrupt) as error:
            # A second Ctrl-C may come while the first one is on its way out.
            stopped = error if isinstance(error, Stopped) else error.__context__
            if not isinstance(stopped, Stopped):
                fault = messages.Fault(code="job.interrupted", sentence="Stopped.")
                raise _end(INTERRUPTED, as_json, fault) from None
            hint = f"Go on with: {stopped.way_on}"
            fault = messages.Fault(code="job.interrupted", sentence=stopped.sentence, hint=hint)
            raise _end(INTERRUPTED, as_json, fault, job=stopped.job_id, way_on=stopped.way_on) from None
        except BrokenPipeError:
            # The reader of our output has gone; nobody is left to be told.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(OURS) from None
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise _unexpected(error, as_json) from error
            place = f" at '{error.filename}'" if error.filename else ""
            fault = messages.Fault(
                code="disk.full", sentence=f"The disk is full{place}.", hint="Make room, then do it again."
            )
            raise _end(MENDABLE, as_json, fault) from None
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except Exception as error:  # whatever is left is a fault of ours, and ends in the log
            raise _unexpected(error, as_json) from error

    return run  # type: ignore[return-value]


def _end(status: int, as_json: bool, fault: messages.Fault, **more: str) -> typer.Exit:
    if as_json:
        line = {"event": "failed", "code": fault.code, "sentence": fault.sentence, "hint": fault.hint}
        typer.echo(json.dumps(line | {key: value for key, value in more.items() if value}))
    typer.echo(f"{fault.sentence} {fault.hint}".strip(), err=True)
    return typer.Exit(status)


def _unexpected(error: Exception, as_json: bool) -> typer.Exit:
    place = log_folder() / "command.log"
    sentence = f"Something in Maquette went wrong ({type(error).__name__})."
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.FileHandler(place, encoding="utf-8")
    except OSError:
        handler = logging.StreamHandler()  # type: ignore[assignment]
        hint = "No log could be written, so the details follow."
    else:
        hint = f"The details are in {place}."
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    ended_here = _end(OURS, as_json, messages.Fault(code="job.failed", sentence=sentence, hint=hint))
    log.addHandler(handler)
    try:
        log.error("the command failed: %s", " ".join(sys.argv[1:2]), exc_info=error)
    finally:
        log.removeHandler(handler)
        handler.close()
    return ended_here


def log_folder() -> Path:
    """Where the command line leaves logs. It need not exist."""
    import platformdirs

    return Path(platformdirs.user_log_dir("maquette"))
