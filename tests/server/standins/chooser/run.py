"""See the head."""

from ..counter.run import run

__all__ = ["run"]
