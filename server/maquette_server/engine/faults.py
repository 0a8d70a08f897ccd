"""A user's error as the record that travels and is stored."""

from maquette_wire import messages
from maquette_wire.errors import UserError


def of(error: UserError) -> messages.Fault:
    """The fault that says the same."""
    return messages.Fault(
        code=error.code, sentence=error.sentence, hint=error.hint, fix=error.fix, log_id=error.log_id
    )
