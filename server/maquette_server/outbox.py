"""Messages that wait for one client. Newer progress of a job takes the place of older; nothing else is ever
dropped.
"""

from collections.abc import Hashable

from maquette_wire.codec import Part

MAX_BYTES = 64 * 1024 * 1024  # of a client that does not read; it is then forgotten and may come back


class Outbox:
    """A queue in which a message may say which waiting one it replaces. `max_bytes` may wait in it."""

    def __init__(self, max_bytes: int = 0) -> None:
        self._max_bytes = max_bytes
        self._waiting: dict[Hashable, list[Part]] = {}
        self._count = 0
        self._bytes = 0

    @property
    def overflown(self) -> bool:
        """Whether more waits than a client may let wait."""
        return self._bytes > (self._max_bytes or MAX_BYTES)

    def put(self, parts: list[Part], replaces: Hashable = None) -> None:
        """Adds a message at the end; a waiting one with the same `replaces` goes."""
        self._count += 1
        key = self._count if replaces is None else replaces
        old = self._waiting.pop(key, None)
        self._bytes += _size(parts) - (_size(old) if old else 0)
        self._waiting[key] = parts

    def first(self) -> list[Part] | None:
        """The next message, which stays; None when there is none."""
        return next(iter(self._waiting.values()), None)

    def drop_first(self) -> None:
        """The next message was sent."""
        key = next(iter(self._waiting))
        self._bytes -= _size(self._waiting.pop(key))


def _size(parts: list[Part]) -> int:
    return sum(len(part) for part in parts)
