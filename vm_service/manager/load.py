"""Measures the load of the workers, for the autoscaler, the metrics and the external scaler."""

import time
from collections.abc import Callable

from vm_service.manager.autoscaler import LoadSample

ACTIVE_SECONDS = 60.0
"""A service that had a request this long ago still counts as active: scaling to zero is worth it only for longer."""


class LoadMeter:
    """Adds up the time that workers were leased and the waits of requests, from look to look.

    Attributes:
        busy_ratio: share of time, over the last look, in which `most` workers would have been busy.
        wait_s: longest wait for a worker, over the last look.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts at zero; `most`: the largest number of workers."""
        self._most = most
        self._clock = clock
        self._looked_at = clock()
        self._running = 0
        self._changed_at = self._looked_at
        self._busy_s = 0.0
        self._longest_s = 0.0
        self._request_at = float("-inf")
        self.busy_ratio = 0.0
        self.wait_s = 0.0

    def _advance(self) -> float:
        now = self._clock()
        self._busy_s += self._running * (now - self._changed_at)
        self._changed_at = now
        return now

    def begin(self, waited_s: float) -> None:
        """A batch begins whose oldest request waited so long."""
        self._request_at = self._advance()
        self._running += 1
        self._longest_s = max(self._longest_s, waited_s)

    def end(self) -> None:
        """A batch ended."""
        self._advance()
        self._running -= 1

    @property
    def active(self) -> bool:
        """Whether there was any request lately."""
        return self._clock() - self._request_at < ACTIVE_SECONDS

    def look(self, size: int, oldest_wait_s: float) -> LoadSample:
        """Closes the interval since the last look.

        Args:
            size: workers that took work.
            oldest_wait_s: how long the oldest request has been waiting now.
        """
        now = self._advance()
        interval_s = max(now - self._looked_at, 1e-6)
        self.wait_s = max(self._longest_s, oldest_wait_s)
        self.busy_ratio = min(1.0, self._busy_s / (interval_s * max(self._most, 1)))
        sample = LoadSample(now, min(1.0, self._busy_s / (interval_s * max(size, 1))), self.wait_s)
        self._looked_at, self._busy_s, self._longest_s = now, 0.0, 0.0
        return sample
