"""What an exception of a method means to the user."""

import logging
import secrets

from maquette_wire import messages
from maquette_wire.errors import UserError

from ..engine import faults, journal

log = logging.getLogger(__name__)


def of(error: Exception, doing: str) -> messages.Fault:
    """The error as a fault; what is no user's error goes into the log under an id. `doing` names the work."""
    if isinstance(error, UserError):
        log.info("%s: refused with %s", doing, error.code)
        return faults.of(error)
    log_id = secrets.token_hex(4)
    log.error("%s: fault %s", doing, log_id, exc_info=error)
    if _out_of_memory(error):
        return messages.Fault(
            code="memory.full",
            sentence="The device or the machine ran out of memory.",
            hint="Choose a smaller size or a smaller model, or close other programs.",
            log_id=log_id,
        )
    return messages.Fault(
        code="job.failed",
        sentence="The job failed through a fault of ours.",
        log_id=log_id,
    )


def disk_full(error: BaseException | None) -> bool:
    """Whether a full disk is the reason, or the reason of the reason."""
    while error is not None:
        if journal.is_disk_full(error) or (isinstance(error, UserError) and error.code == "disk.full"):
            return True
        error = error.__cause__
    return False


def _out_of_memory(error: Exception) -> bool:
    """torch has its own type on a GPU and a plain RuntimeError on a CPU."""
    text = str(error)
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (
            isinstance(error, RuntimeError) and ("DefaultCPUAllocator" in text or "not enough memory" in text)
        )
    )
