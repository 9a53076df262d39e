"""Admission: how much may be in progress at once. What comes on top is refused instead of waiting for its deadline."""

from gateway.errors import SaturatedError
from gateway.metrics import IN_FLIGHT, REFUSED


class Admission:
    """Counts calls and bytes in progress. REQUIRES: used from one event loop.

    Whoever entered must leave, with the same size.
    """

    def __init__(self, max_count: int, max_bytes: int) -> None:
        """Sets the limits: calls, and the sum of their request sizes."""
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._count = 0
        self._bytes = 0
        IN_FLIGHT.set_function(lambda: self._count)

    def enter(self, size: int) -> None:
        """Counts a call of `size` bytes in.

        Raises:
            SaturatedError: a limit is reached. A call larger than the byte limit is admitted when nothing else runs.
        """
        if self._count >= self._max_count or (self._count and self._bytes + size > self._max_bytes):
            REFUSED.inc()
            raise SaturatedError("the gateway has too many calls in progress; try again shortly")
        self._count += 1
        self._bytes += size

    def leave(self, size: int) -> None:
        """Counts a call out."""
        self._count -= 1
        self._bytes -= size
