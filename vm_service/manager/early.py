"""Transactions ahead of the clock: they wait for their time before they join the others.

A client's clock may be ahead of this one. Its transaction is right, but must not run in a block older than itself. It
waits here, outside of the queue, so that it takes the place of nothing that can run. What cannot wait, since its caller
gives up before or too many wait already, is answered with the time after which the same call succeeds.
"""

import asyncio
import time
from collections.abc import Callable, Sequence

from chassis.errors import DrainingError
from vm_service import metrics
from vm_service.errors import TransactionAheadError

NS = 10**9

MARGIN_S = 0.5
"""Least time that a caller must have left when its transaction starts: ordinary ones take milliseconds."""


class EarlyTransactions:
    """The wait of requests whose transactions are ahead of the clock."""

    def __init__(self, ahead_ns: int, most: int, clock: Callable[[], int] = time.time_ns) -> None:
        """Lets nothing wait yet.

        Args:
            ahead_ns: how far ahead a transaction may be; beyond it, it does not wait and is refused when it runs.
            most: transactions that may wait.
            clock: nanoseconds since 1970.
        """
        self._ahead_ns = ahead_ns
        self._most = most
        self._clock = clock
        self._count = 0
        self._stopped = asyncio.Event()

    @property
    def count(self) -> int:
        """Transactions that wait for their time."""
        return self._count

    def due_ns(self, times_ns: Sequence[int]) -> int:
        """Returns the time from which transactions of these times can run; 0: now."""
        now_ns = self._clock()
        if max(times_ns, default=0) <= now_ns:
            return 0
        return max((at for at in times_ns if now_ns < at <= now_ns + self._ahead_ns), default=0)

    async def wait(self, times_ns: Sequence[int], timeout_s: float | None) -> None:
        """Waits until transactions of these times can run.

        Args:
            times_ns: times of the transactions of a request.
            timeout_s: time until its caller gives up; None: it never does.

        Raises:
            TransactionAheadError: the caller gives up before, or too many wait.
            DrainingError: the service is stopping.
        """
        due_ns = self.due_ns(times_ns)
        if not due_ns:
            return
        left_s = (due_ns - self._clock()) / NS
        if self._count + len(times_ns) > self._most or (timeout_s is not None and timeout_s < left_s + MARGIN_S):
            raise TransactionAheadError(due_ns, self._clock())
        self._show(len(times_ns))
        try:
            await self._until(due_ns)
        finally:
            self._show(-len(times_ns))

    async def _until(self, due_ns: int) -> None:
        while (left_ns := due_ns - self._clock()) > 0:  # the clock may be set meanwhile
            try:
                await asyncio.wait_for(self._stopped.wait(), left_ns / NS)
            except TimeoutError:
                continue
            raise DrainingError

    def _show(self, change: int) -> None:
        self._count += change
        metrics.EARLY.set(self._count)

    def stop(self) -> None:
        """Ends all waits: the service is stopping."""
        self._stopped.set()
