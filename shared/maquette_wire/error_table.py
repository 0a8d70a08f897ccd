"""The table of error codes as a page: `python -m maquette_wire.error_table > docs/errors.md`."""

import sys

from .errors import CODES

_HEAD = """# Error codes

Everything that a user can mend comes as a code, one sentence that names the thing, and one sentence that says
the way out; the command line ends with status 2, the panel shows both sentences. Whatever has no code here is
a fault of its own: `job.failed`, `job.crashed` and `server.fault` end the command line with status 1, and the
log has the details.

This page is written from `shared/maquette_wire/errors.py` by `python -m maquette_wire.error_table`.

| code | what it says |
| --- | --- |
"""


def markdown() -> str:
    """The page, one row a code, sorted."""
    return _HEAD + "".join(f"| `{code}` | {meaning} |\n" for code, meaning in sorted(CODES.items()))


if __name__ == "__main__":
    sys.stdout.write(markdown())
